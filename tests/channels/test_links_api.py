"""`POST /api/chat/links`: from the website into an app, as the customer one is here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from sqlalchemy import Engine, select, update

from rapport.channels import links
from rapport.channels.models import ContactPoint
from rapport.conversations.models import Conversation
from rapport.customers.models import Customer
from rapport.customers.rules import VERIFIED_FOR
from rapport.kit import clock, database
from rapport.kit.database import session_scope
from rapport.kit.languages import DEFAULT_LANGUAGE
from rapport.kit.settings import Settings
from tests.channels import people
from tests.channels.fakes.toy import SECRET
from tests.fake_rasa import FakeRasa
from tests.running import Chat, RunningApp, until


class Telegram(people.Telegram):
    def link(self, token: str, language: str = DEFAULT_LANGUAGE) -> str | None:
        return f"https://t.example/bot?start={token}&language={language}"


@pytest.fixture
def telegram() -> Telegram:
    return Telegram()


@pytest.fixture
def app(settings: Settings, engine: Engine, rasa: FakeRasa, telegram: Telegram) -> Iterator[RunningApp]:
    running = RunningApp(settings, engine, rasa, channels={"telegram": telegram, "sms": people.Sms()})
    yield running
    running.stop()


def verified_chat(app: RunningApp, engine: Engine) -> tuple[Chat, int]:
    chat = app.chat("nb")
    with session_scope(engine) as session:
        customer_id = people.customer(session, "ann@example.com")
        conversation = session.get_one(Conversation, chat.id)
        conversation.customer_id = customer_id
        conversation.verified_until = clock.now() + VERIFIED_FOR
    return chat, customer_id


def test_a_customer_takes_themselves_along(app: RunningApp, engine: Engine) -> None:
    chat, customer_id = verified_chat(app, engine)
    made = app.client.post("/api/chat/links", json={"channel": "telegram"}, headers=chat.headers)
    assert made.status_code == 201, made.text
    assert set(made.json()) == {"url", "expires_at"}
    left = datetime.fromisoformat(made.json()["expires_at"]) - clock.now()
    assert links.LIFE * 0.9 < left <= links.LIFE
    url = made.json()["url"]
    assert url.endswith("&language=nb")
    token = url.partition("start=")[2].partition("&")[0]
    event = {"from": "77", "id": "in-1", "text": "/start", "link": token}
    told = app.client.post("/channels/telegram", json=[event], headers={"x-toy-secret": SECRET})
    assert told.status_code == 200
    with session_scope(engine) as session:
        point = session.scalars(select(ContactPoint)).one()
        assert point.customer_id == customer_id and point.linked_at is not None


def test_who_gets_no_link(app: RunningApp, engine: Engine) -> None:
    chat, _ = verified_chat(app, engine)
    stranger = app.chat()

    def ask(channel: object, headers: dict[str, str]) -> tuple[int, str]:
        refused = app.client.post("/api/chat/links", json={"channel": channel}, headers=headers)
        assert refused.headers["content-type"] == "application/problem+json"
        return refused.status_code, refused.json()["type"].rpartition("/")[2]

    assert ask("telegram", {}) == (401, "unauthorized")
    assert ask("telegram", {"Authorization": "Bearer x"}) == (401, "unauthorized")
    assert ask("telegram", stranger.headers) == (403, "forbidden")
    assert ask("messenger", chat.headers) == (404, "not-found")  # off
    assert ask("sms", chat.headers) == (404, "not-found")  # has none
    for nonsense in ("", "Telegram!", 7, None, ["telegram"]):
        assert ask(nonsense, chat.headers) == (422, "invalid-request")
    with session_scope(engine) as session:
        session.get_one(Conversation, chat.id).verified_until = clock.now()
    assert ask("telegram", chat.headers) == (403, "forbidden")


def test_a_provider_that_is_slow_to_name_a_link_holds_nobody_up(
    app: RunningApp, engine: Engine, telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(token: str, language: str = DEFAULT_LANGUAGE) -> str | None:
        # Somebody else writes meanwhile, of this customer too.
        with session_scope(engine) as session:
            session.execute(update(Customer).values(name="Ann"))
        return "https://t.example/bot"

    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 1)
    monkeypatch.setattr(telegram, "link", link)
    chat, customer_id = verified_chat(app, engine)
    made = app.client.post("/api/chat/links", json={"channel": "telegram"}, headers=chat.headers)
    assert made.status_code == 201, made.text
    with session_scope(engine) as session:
        assert session.get_one(Customer, customer_id).name == "Ann"


def test_links_are_limited(settings: Settings, sqlite_engine: Engine, rasa: FakeRasa) -> None:
    running = RunningApp(settings, sqlite_engine, rasa, channels={"telegram": Telegram()}, rate_limits=True)
    try:
        chat, _ = verified_chat(running, sqlite_engine)
        statuses = [
            running.client.post(
                "/api/chat/links", json={"channel": "telegram"}, headers=chat.headers
            ).status_code
            for _ in range(12)
        ]
        assert statuses == [201] * 10 + [429] * 2
    finally:
        running.stop()


def test_the_answer_comes_in_the_app(
    app: RunningApp, telegram: Telegram, engine: Engine, rasa: FakeRasa
) -> None:
    _, customer_id = verified_chat(app, engine)
    with session_scope(engine) as session:
        token = links.create(session, "telegram", customer_id)
    event = {"from": "77", "id": "in-1", "text": "/start", "link": token, "language": "es"}
    app.client.post("/channels/telegram", json=[event], headers={"x-toy-secret": SECRET})
    [(address, _, sent)] = until(lambda: list(telegram.accepted), 10, "for the notice")
    assert address == "77"
    assert "tus pedidos" in sent.text
    assert rasa.turns == []
