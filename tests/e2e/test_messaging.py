"""A customer in a messaging app, with the whole system behind it: a stranger, shown by a code, then known."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from pydantic import SecretStr

from rapport.customers import choices
from rapport.customers.choices import Said
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.languages import LANGUAGES
from rapport.outreach import letter
from rapport.outreach.journeys import entering, service, tasks
from tests.channels.fakes.telegram import Telegram
from tests.stack import Stack, identity_token, wait_until


class Person:
    """Somebody on Telegram."""

    def __init__(self, telegram: Telegram, number: int) -> None:
        self.telegram, self.address = telegram, telegram.person(number)

    def says(self, text: str) -> str:
        """Write; all that comes within a moment of the first answer."""
        before = len(self.telegram.sent(self.address))
        assert self.telegram.say(self.address, text) == 200
        wait_until(lambda: len(self.telegram.sent(self.address)) > before, 20, f"an answer to {text}")
        return "\n".join(sent.text for sent in self.telegram.sent(self.address)[before:])

    def hears(self, words: str, seconds: float = 10) -> None:
        wait_until(
            lambda: any(words in sent.text for sent in self.telegram.sent(self.address)), seconds, words
        )


@pytest.fixture(scope="module")
def telegram() -> Iterator[Telegram]:
    made = Telegram()
    yield made
    made.close()


@pytest.fixture(scope="module")
def shop(telegram: Telegram, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running Rapport that is on Telegram."""
    settings = {
        f"RAPPORT_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in telegram.settings().items()
    }
    stack = Stack(tmp_path_factory.mktemp("messaging"), **settings)
    stack.let_jobs_rest()
    stack.start()
    telegram.attach(stack.url)
    yield stack
    stack.stop()


def test_from_a_stranger_to_a_customer_by_a_code(shop: Stack, telegram: Telegram) -> None:
    kari = Person(telegram, 1)
    kari.says("hei, hvor er pakken min?")
    kari.hears("e-post")
    before = len(shop.mails("kari@example.com"))
    kari.says("kari@example.com")
    kari.says(shop.code("kari@example.com", before))
    [(number,)] = shop.rows(
        'SELECT "order".number FROM "order" JOIN identity USING (customer_id)'
        " WHERE identity.kind = 'email' AND identity.value = 'kari@example.com'"
        " ORDER BY placed_at DESC LIMIT 1"
    )
    kari.hears(number)
    # They are one customer now, and are known here with every message.
    assert shop.rows("SELECT count(*) FROM customer_merge") == [(1,)]
    [(kinds,)] = shop.rows(
        "SELECT group_concat(kind) FROM (SELECT kind FROM identity WHERE customer_id ="
        " (SELECT customer_id FROM identity WHERE value = 'kari@example.com') ORDER BY kind)"
    )
    assert kinds == "email,phone,telegram"
    assert "poeng" in kari.says("hvor mange poeng har jeg?").lower()
    # Another person is still a stranger.
    other = Person(telegram, 2)
    assert number not in other.says(f"where is order {number}?")


def test_by_a_link_from_the_website(shop: Stack, telegram: Telegram) -> None:
    talk = shop.talk("en", identity_token=identity_token("emma@example.com"))
    answer = requests.post(
        f"{shop.url}/api/chat/links", json={"channel": "telegram"}, headers=talk.headers, timeout=10
    )
    assert answer.status_code == 201, answer.text
    token = answer.json()["url"].partition("?start=")[2]
    emma = Person(telegram, 3)
    emma.says(f"/start {token}")
    assert "points" in emma.says("how many points do I have?").lower()
    # Somebody else with the same link is nobody.
    thief = Person(telegram, 4)
    thief.says(f"/start {token}")
    thief.says("how many points do I have?")
    thief.hears("e-mail")


# What somebody answers to "you may soon need this again", and to "shall I pass it on?".
YES = {"en": "yes please", "es": "sí, por favor", "nb": "ja takk", "ro": "da, te rog"}


def test_a_yes_to_a_reminder_orders_it_once_more(shop: Stack, telegram: Telegram) -> None:
    """In each language: the reminder with its button and where to choose, a yes, and what staff get to do."""
    people = {
        language: shop.rows(
            "SELECT customer.id, identity.value FROM customer"
            " JOIN identity ON identity.customer_id = customer.id AND identity.kind = 'email'"
            ' JOIN "order" ON "order".customer_id = customer.id AND "order".status = \'delivered\''
            " WHERE customer.language = ? AND identity.value NOT IN ('kari@example.com', 'emma@example.com')"
            ' AND NOT EXISTS (SELECT 1 FROM "case" WHERE "case".customer_id = customer.id)'
            " ORDER BY customer.id LIMIT 1",
            language,
        )[0]
        for language in LANGUAGES
    }
    known: dict[str, Person] = {}
    for number, (language, (_, address)) in enumerate(people.items(), 11):
        talk = shop.talk(language, identity_token=identity_token(address))
        answer = requests.post(
            f"{shop.url}/api/chat/links", json={"channel": "telegram"}, headers=talk.headers, timeout=10
        )
        known[language] = Person(telegram, number)
        known[language].says(f"/start {answer.json()['url'].partition('?start=')[2]}")
    with shop.jobs() as engine:
        now, refill = clock.now(), service.journeys()["replenishment"].model_copy(update={"control": 0})
        with session_scope(engine) as session:
            for customer_id, _ in people.values():
                choices.agree(session, customer_id, [("reminders", "telegram")], Said("test", "1"))
                choices.prefer(session, customer_id, "telegram")
                about = ("replenishment", refill, customer_id, "refill:1", now, {"sku": "PACK-306"}, now)
                assert entering.enter(session, *about)
        done = tasks.decide_due(engine)
    reasons = shop.rows("SELECT customer_id, reason FROM journey_step")
    assert done == {"send": 4}, (people, reasons)
    for language, person in known.items():
        person.hears(f"\n\n{letter.footer_words()[language]['preferences']}: {shop.url}/p/")
        assert len(telegram.sent(person.address)[-1].buttons) == 1
        person.says(YES[language])
        person.says(YES[language])
    asked = shop.rows("SELECT language FROM \"case\" WHERE topic = 'reorder' ORDER BY language")
    assert [language for (language,) in asked] == sorted(LANGUAGES)


def test_stop_ends_everything_and_the_talk_goes_on(shop: Stack, telegram: Telegram) -> None:
    kari = Person(telegram, 1)
    kari.says("jeg vil ha nyhetsbrevet")
    kari.says("STOPP")
    assert shop.rows(
        "SELECT granted FROM consent_event JOIN identity USING (customer_id)"
        " WHERE identity.value = 'kari@example.com' ORDER BY consent_event.id DESC LIMIT 1"
    ) == [(0,)]
    assert kari.says("hvordan kan jeg betale?")
