"""The demo's customers: the personas, and as many others as are wanted."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from rapport.customers.models import ConsentEvent, ContactPolicy, Customer, Identity, Interest
from rapport.kit.database import Base

FOLDER = Path(__file__).parent
CATEGORIES = sorted(path.stem for path in (FOLDER / "products").glob("*.yml"))
DOMAINS = ("example.com", "example.org", "example.net")
# The shop is Norwegian; most of its customers are too.
LANGUAGE_WEIGHTS = {"nb": 40, "en": 25, "es": 20, "ro": 15}
CHANNELS = ("email", "sms", "whatsapp", "telegram", "messenger", "web")
CONSENT_SOURCES = ("checkout", "newsletter form", "in the shop")
WORDING_VERSION = "2024-01"
# What the form asks for; every third person ticks only the first.
PURPOSES = ("newsletter", "tips", "reminders")
YEARS = 2
# Letters that do not come apart into a base letter and an accent.
PLAIN = str.maketrans({"ø": "o", "æ": "ae", "å": "a"})


@dataclass(frozen=True)
class Persona:
    """A customer who is always in the demo. `about` says what there is to see."""

    email: str
    name: str
    language: str
    about: str
    channel: str
    interests: tuple[str, ...]
    orders: tuple[dict[str, Any], ...] = field(repr=False)


@dataclass
class Person:
    """A customer with what hangs on them; `favourites` are the categories they mostly buy from."""

    customer: Customer
    favourites: list[str]
    persona: Persona | None = None
    channel: str | None = None
    refused: list[str] = field(default_factory=list)
    purposes: tuple[str, ...] = PURPOSES[:1]
    consents: list[tuple[bool, str, datetime]] = field(default_factory=list)

    def belongings(self, customer_id: int) -> list[Base]:
        """Preferences, interests and consents, once the customer has an id."""
        joined = self.customer.created_at
        rows: list[Base] = [
            Interest(customer_id=customer_id, topic=topic, source="profile", at=joined)
            for topic in self.favourites
        ]
        if self.channel or self.refused:
            rows.append(
                ContactPolicy(
                    customer_id=customer_id,
                    preferred_channel=self.channel,
                    refused_channels=self.refused,
                    updated_at=joined,
                )
            )
        rows += [
            ConsentEvent(
                customer_id=customer_id,
                purpose=purpose,
                channel="email",
                granted=granted,
                wording_version=WORDING_VERSION,
                source=source,
                at=at,
            )
            for granted, source, at in self.consents
            for purpose in self.purposes
        ]
        return rows


@cache
def personas() -> tuple[Persona, ...]:
    """The customers everyone may try the bot with, one per language."""
    entries = yaml.safe_load((FOLDER / "personas.yml").read_text("utf-8"))
    return tuple(
        Persona(**(entry | {"interests": tuple(entry["interests"]), "orders": tuple(entry["orders"])}))
        for entry in entries
    )


def make_customers(random: Random, count: int, today: datetime) -> list[Person]:
    """`count` customers, the personas first."""
    names = yaml.safe_load((FOLDER / "people.yml").read_text("utf-8"))
    people = [_from_persona(persona, names, number, today) for number, persona in enumerate(personas())]
    taken = {persona.email for persona in personas()}
    while len(people) < count:
        people.append(_invent(random, names, len(people), taken, today))
    return people


def _from_persona(persona: Persona, names: dict[str, Any], number: int, today: datetime) -> Person:
    joined = today - timedelta(days=max(order["days"] for order in persona.orders) + 1)
    return Person(
        customer=_customer(persona.name, persona.language, names, persona.email, number, joined, None),
        favourites=list(persona.interests),
        persona=persona,
        channel=persona.channel,
        consents=[(True, CONSENT_SOURCES[0], joined)],
    )


def _invent(random: Random, names: dict[str, Any], number: int, taken: set[str], today: datetime) -> Person:
    language = random.choices(list(LANGUAGE_WEIGHTS), list(LANGUAGE_WEIGHTS.values()))[0]
    first, last = random.choice(names[language]["first"]), random.choice(names[language]["last"])
    email = _address(random, first, last, taken)
    joined = today - timedelta(days=random.randrange(1, YEARS * 365), hours=random.randrange(24))
    birthday = date(random.randrange(1950, 2007), random.randrange(1, 13), random.randrange(1, 29))
    person = Person(
        customer=_customer(
            f"{first} {last}",
            language,
            names,
            email,
            number,
            joined,
            birthday if random.random() < 0.4 else None,
        ),
        favourites=random.sample(CATEGORIES, random.randrange(0, 4)),
    )
    if random.random() < 0.6:
        person.channel = random.choices(CHANNELS, (45, 15, 15, 10, 5, 10))[0]
    if random.random() < 0.15:
        person.refused = [channel for channel in ("sms", "messenger") if channel != person.channel]
    if random.random() < 0.65:
        person.consents = [(True, random.choice(CONSENT_SOURCES), joined)]
        person.purposes = PURPOSES if number % 3 else PURPOSES[:1]
        # They followed the link in the mail that asked them. The personas prove theirs in the chat.
        person.customer.identities[0].verified_at = joined
        if random.random() < 0.1:
            withdrawn = joined + (today - joined) * random.random()
            person.consents.append((False, "unsubscribe link", withdrawn))
    return person


def _customer(
    name: str,
    language: str,
    names: dict[str, Any],
    email: str,
    number: int,
    joined: datetime,
    birthday: date | None,
) -> Customer:
    return Customer(
        name=name,
        language=language,
        country=names[language]["country"],
        birthday=birthday,
        created_at=joined,
        identities=[
            Identity(kind="email", value=email),
            Identity(kind="phone", value=f"{names[language]['phone']}{number:03d}"),
        ],
    )


def _address(random: Random, first: str, last: str, taken: set[str]) -> str:
    stem = f"{_plain(first)}.{_plain(last)}"
    domain = random.choice(DOMAINS)
    address, extra = f"{stem}@{domain}", 2
    while address in taken:
        address, extra = f"{stem}{extra}@{domain}", extra + 1
    taken.add(address)
    return address


def _plain(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.lower().translate(PLAIN))
    return "".join(letter for letter in decomposed if letter.isascii() and letter.isalpha())
