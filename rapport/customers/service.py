"""What others ask of customers: who someone is, what they like, whether we may write. (How: contact.py.)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from rapport.conversations.models import Conversation
from rapport.customers import lifecycle, repository, rules, silence
from rapport.customers.models import ConsentEvent, Customer, ExternalRef, Identity, Interest
from rapport.customers.verification import current_customer_id
from rapport.kit import clock
from rapport.kit.errors import NotFoundError
from rapport.kit.settings import get_settings
from rapport.kit.upsert import add_once


@dataclass(frozen=True)
class Preferences:
    """What a customer told us. `interests` are catalogue keys: a category or a product's SKU."""

    name: str | None
    channel: str | None
    interests: tuple[str, ...]
    language: str | None


def find_by_identity(session: Session, kind: str, value: str) -> Customer | None:
    """The customer known by an address or number (`kind` email, phone, telegram …), or None."""
    normal = rules.normalise_identity(kind, value)
    identity = repository.find_identity(session, kind, normal) if normal else None
    return identity.customer if identity else None


def known_by_address(session: Session, kind: str, address: str) -> set[int]:
    """The ids of the customers who have this address, or the phone number that it is, under whatever kind."""
    number = rules.number_of(kind, address)
    known = repository.owners_of_number(session, rules.BY_NUMBER, number) if number else set()
    owner = find_by_identity(session, kind, address)
    return known if owner is None else known | {owner.id}


def rename_identity(session: Session, customer_id: int, kind: str, before: str, now: str) -> None:
    """They are known by another address of this kind from now on; `before` is nobody's any more."""
    identity = repository.find_identity(session, kind, before)
    if identity is None or identity.customer_id != customer_id or before == now:
        return
    if repository.find_identity(session, kind, now) is None:
        identity.value = now
    else:
        session.delete(identity)
    session.flush()


def ensure_customer(
    session: Session,
    *,
    references: Iterable[tuple[str, str]] = (),
    identities: Iterable[tuple[str, str]] = (),
    name: str | None = None,
    language: str | None = None,
    country: str | None = None,
    birthday: date | None = None,
    timezone: str | None = None,
) -> Customer:
    """The customer another system speaks of, created if new.

    `references` are (system, value), `identities` (kind, value); the first known reference and the first
    address decide. Orders and files say what people typed, so an address opens nobody's door:

    - By a known reference it is that customer. What is given overwrites, what is not stays. An address is
      added only when the customer has none of its kind and nobody else has it.
    - By a new reference it is a new customer, who does not get an address that is somebody's. They are the
      one who has the e-mail address only when the system vouches for it (the setting
      `verified_email_sources`) and did not call that customer anything else before.
    - By an address alone it is whoever has it, as far as that goes: nothing is overwritten or added. When
      nobody has it they are new, with all that is given.

    Values that cannot be an identity of their kind are passed over.
    """
    references, normal = list(references), _normal(identities, country)
    customer = _find(session, references, normal)
    if customer is not None and not references:
        return customer
    if customer is None:
        customer = Customer()
        session.add(customer)
        session.flush()
    given = {
        "name": name,
        "language": language,
        "country": country,
        "birthday": birthday,
        "timezone": timezone,
    }
    for field, new in given.items():
        if new is not None:
            setattr(customer, field, new)
    for system, value in references:
        if repository.find_reference(session, system, value) is None:
            add_once(session, ExternalRef(customer_id=customer.id, system=system, value=value))
    had = repository.identity_kinds_of(session, customer.id)
    for kind, value in normal:
        if kind not in had and repository.find_identity(session, kind, value) is None:
            add_once(session, Identity(customer_id=customer.id, kind=kind, value=value))
    return customer


def find_customer(
    session: Session,
    references: Iterable[tuple[str, str]],
    identities: Iterable[tuple[str, str]],
    country: str | None = None,
) -> int | None:
    """The id of the customer `ensure_customer` would take these for; None when they are somebody new."""
    customer = _find(session, list(references), _normal(identities, country))
    return customer.id if customer else None


def _normal(identities: Iterable[tuple[str, str]], country: str | None) -> list[tuple[str, str]]:
    return [
        (kind, value)
        for kind, raw in identities
        if (value := rules.normalise_identity(kind, raw, country)) is not None
    ]


def _find(
    session: Session, references: list[tuple[str, str]], identities: list[tuple[str, str]]
) -> Customer | None:
    known = None
    for system, value in references:
        if reference := repository.find_reference(session, system, value):
            known = repository.get_customer(session, reference.customer_id)
            break
    # A phone number beside an address nobody has is no reason to take them for the number's owner.
    identity = repository.find_identity(session, *identities[0]) if identities else None
    owner = identity.customer if identity else None
    joins = owner is not None and identities[0][0] == "email" and _may_join(session, references, owner)
    return rules.whose(bool(references), known, owner, joins)


def _may_join(session: Session, references: list[tuple[str, str]], owner: Customer) -> bool:
    settings = get_settings()
    vouching = {system for system, _ in references if settings.has_verified_emails(system)}
    return bool(vouching) and vouching.isdisjoint(repository.systems_of(session, owner.id))


def note(session: Session, customer_id: int, event: lifecycle.Event) -> None:
    """Let what somebody did lead them to the next stage, if it does: know, interest, trust.

    Customers already loaded in this session show their new stage after a refresh.
    """
    repository.set_stage(session, customer_id, lifecycle.after(event))


def record_interest(session: Session, conversation: Conversation, topic: str) -> None:
    """Note that this person likes a topic; the conversation holds it until we know whose it is."""
    customer_id = current_customer_id(conversation)
    interest = Interest(topic=topic, source="conversation", customer_id=customer_id)
    if customer_id is None:
        interest.conversation_id = conversation.id
    add_once(session, interest)
    if customer_id is not None:
        note(session, customer_id, "interest_stated")


def interests(session: Session, conversation: Conversation) -> list[str]:
    """What this person likes, newest first: the customer's if verified, else what the conversation holds."""
    customer_id = current_customer_id(conversation)
    if customer_id is None:
        return list(repository.interests_held(session, conversation.id))
    return list(reversed(repository.interests_of(session, customer_id)))


def preferences(session: Session, customer_id: int) -> Preferences:
    """What this customer told us about themselves. Raises NotFoundError."""
    customer = repository.get_customer(session, customer_id)
    if customer is None:
        raise NotFoundError("No such customer.")
    policy = repository.policy_of(session, customer_id)
    return Preferences(
        name=customer.name,
        channel=policy.preferred_channel if policy else None,
        interests=tuple(repository.interests_of(session, customer_id)),
        language=customer.language,
    )


def first_name(session: Session, customer_id: int) -> str | None:
    """What to call this customer by; None when we don't know."""
    customer = repository.get_customer(session, customer_id)
    return rules.first_name(customer.name) if customer else None


def record_consent(
    session: Session,
    customer_id: int,
    *,
    purpose: str,
    channel: str,
    granted: bool,
    wording_version: str,
    source: str,
    at: datetime | None = None,
    proof: Mapping[str, Any] | None = None,
) -> None:
    """Append that a customer agreed to something or withdrew it; nothing is ever overwritten.

    What is queued unasked on a channel they say no to is not sent any more.
    """
    session.add(
        ConsentEvent(
            customer_id=customer_id,
            purpose=purpose,
            channel=channel,
            granted=granted,
            wording_version=wording_version,
            source=source,
            proof=dict(proof) if proof else None,
            at=at or clock.now(),
        )
    )
    session.flush()
    if not granted:
        silence.cancel_unasked(session, customer_id, (channel,))
