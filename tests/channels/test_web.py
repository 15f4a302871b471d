"""The web chat contract: sessions, messages, buttons, waiting, history."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, select, update

from rapport.channels import notices
from rapport.conversations import repository
from rapport.conversations.models import Conversation, Message
from rapport.customers import contact
from rapport.customers.rules import VERIFIED_FOR
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.settings import Settings, get_settings
from tests.channels import people
from tests.fake_rasa import Body, DropConnection, FakeRasa, answer, reply, slow
from tests.running import Chat, RunningApp, until


def test_a_session_speaks_the_language_asked_for(app: RunningApp) -> None:
    for asked, spoken in [("nb-NO", "nb"), ("no", "nb"), ("es", "es"), ("fr", "en"), (None, "en")]:
        body = app.client.post("/api/chat/sessions", json={"language": asked}).json()
        assert body["language"] == spoken
        assert len(body["token"]) >= 40
    assert app.client.post("/api/chat/sessions").status_code == 201


def test_only_a_hash_of_the_token_is_stored(app: RunningApp, sqlite_engine: Engine) -> None:
    token = app.client.post("/api/chat/sessions", json={}).json()["token"]
    with session_scope(sqlite_engine) as session:
        stored = session.scalars(select(Conversation.token_hash)).one()
    assert stored is not None
    assert token not in stored
    assert len(stored) == 64


def test_who_asks_from_the_internet_is_known_again_by_a_hash(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa
) -> None:
    running = RunningApp(settings, sqlite_engine, rasa, rate_limits=True, trusted_proxies="127.0.0.1")
    try:
        for address in ("8.8.8.8", "8.8.8.8", "1.1.1.1", "10.0.0.1"):
            running.client.post("/api/chat/sessions", headers={"X-Forwarded-For": address})
    finally:
        running.stop()
    with session_scope(sqlite_engine) as session:
        hashes = session.scalars(select(Conversation.client_hash).order_by(Conversation.created_at)).all()
    first, same, other, private = hashes
    assert first is not None
    assert "8.8.8.8" not in first
    assert same == first != other
    assert private is None


def test_a_message_is_acknowledged_at_once_and_answered(app_on_both: RunningApp, rasa: FakeRasa) -> None:
    held = threading.Event()
    rasa.before = lambda _: held.wait(20) and None
    chat = app_on_both.chat()
    started = time.monotonic()
    taken = chat.post({"text": "  hello there  ", "client_id": "c1"})
    assert time.monotonic() - started < 0.8
    assert rasa.turns == []
    held.set()
    assert (taken.status_code, taken.json()) == (202, {"id": 1, "status": "bot"})
    said, replied = chat.answered(2)
    assert (said["id"], said["author"], said["text"], said["client_id"]) == (
        1,
        "customer",
        "hello there",
        "c1",
    )
    assert (replied["id"], replied["author"], replied["text"]) == (2, "bot", "echo: hello there")
    assert replied["client_id"] is None
    assert set(replied) == {
        "id", "author", "text", "buttons", "card", "image", "language", "at", "client_id",
    }  # fmt: skip


def test_waiting_gives_the_replies(app_on_both: RunningApp, rasa: FakeRasa) -> None:
    card = {"type": "product", "name": "Rype 22", "price": "899 kr"}
    rasa.behave = lambda _: answer(
        reply("first"), reply(None, custom=card), reply("third", image="https://shop.example/a.png")
    )
    chat = app_on_both.chat()
    replies = chat.say("hi")
    assert [(r["id"], r["text"], r["card"], r["image"]) for r in replies] == [
        (2, "first", None, None),
        (3, None, card, None),
        (4, "third", None, "https://shop.example/a.png"),
    ]
    assert chat.history()[1:] == replies


def test_the_bot_gets_id_language_verified_state_and_text(chat: Chat, rasa: FakeRasa) -> None:
    chat.say("/restart")
    turn = rasa.turns[0]
    assert turn["conversation_id"] == chat.id
    assert turn["text"] == "/restart"
    assert "payload" not in turn
    assert turn["metadata"] == {"language": "en", "verified": False, "entities": []}


def test_a_button_sends_its_stored_payload(app_on_both: RunningApp, rasa: FakeRasa) -> None:
    buttons = [{"title": "Sí", "payload": '/affirm{"a": "b"}'}, {"title": "No", "payload": "/deny"}]
    rasa.behave = lambda _: answer(reply("Sure?", buttons=buttons))
    chat = app_on_both.chat()
    asked = chat.say("do it")[0]
    assert asked["buttons"] == [{"id": "b1", "title": "Sí"}, {"id": "b2", "title": "No"}]
    assert "payload" not in str(chat.history())
    pressed = chat.post({"button": f"{asked['id']}:b1"}, wait=True)
    assert pressed.status_code == 200
    assert rasa.turns[1]["payload"] == '/affirm{"a": "b"}'
    assert "text" not in rasa.turns[1]
    assert chat.history()[2]["text"] == "Sí"
    for wrong in (f"{asked['id']}:b3", "1:b1", "999:b1"):
        answered = chat.post({"button": wrong})
        assert (answered.status_code, answered.json()["type"]) == (404, "/problems/not-found")


def test_a_button_of_another_conversation_is_not_found(app: RunningApp, rasa: FakeRasa) -> None:
    rasa.behave = lambda _: answer(reply("Sure?", buttons=[{"title": "Yes", "payload": "/affirm"}]))
    app.chat().say("one")
    assert app.chat().post({"button": "2:b1"}).status_code == 404


def test_the_same_client_id_gives_the_same_answer_and_no_second_message(
    app_on_both: RunningApp, rasa: FakeRasa
) -> None:
    chat = app_on_both.chat()
    body = {"text": "hi", "client_id": "same"}
    first = chat.post(body, wait=True).json()
    assert chat.post(body, wait=True).json() == first
    assert chat.post(body).json() == {"id": 1, "status": "bot"}
    other = chat.post({"text": "bye", "client_id": "same"})
    assert (other.status_code, other.json()["type"]) == (409, "/problems/conflict")
    assert len(chat.history()) == 2
    assert len(rasa.turns) == 1


def test_the_same_client_id_at_the_same_time(app_on_both: RunningApp, rasa: FakeRasa) -> None:
    rasa.behave = slow(0.2)
    chat = app_on_both.chat()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: chat.post({"text": "hi", "client_id": "x"}, wait=True), range(8)))
    assert {a.status_code for a in answers} == {200}
    assert len({a.text for a in answers}) == 1
    assert len(chat.history()) == 2
    assert len(rasa.turns) == 1


def test_two_conversations_may_use_the_same_client_id(app: RunningApp) -> None:
    for _ in range(2):
        assert app.chat().post({"text": "hi", "client_id": "1"}, wait=True).status_code == 200


def test_no_answer_in_time_is_a_202_and_comes_later(
    app: RunningApp, rasa: FakeRasa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rapport.channels.web.WAIT_SECONDS", 0.3)
    held = threading.Event()
    rasa.before = lambda _: held.wait(20) and None
    chat = app.chat()
    early = chat.post({"text": "hi", "client_id": "x"}, wait=True)
    held.set()
    assert (early.status_code, early.json()) == (202, {"id": 1, "status": "bot"})
    chat.answered(2)
    assert chat.post({"text": "hi", "client_id": "x"}, wait=True).status_code == 200


def test_a_person_has_the_conversation(app_on_both: RunningApp, engine: Engine, rasa: FakeRasa) -> None:
    chat = app_on_both.chat()
    _set_status(engine, chat, "human")
    taken = chat.post({"text": "hi"}, wait=True)
    assert (taken.status_code, taken.json()) == (202, {"id": 1, "status": "human"})
    _set_status(engine, chat, "bot")
    assert chat.say("again")[0]["id"] == 3
    assert rasa.texts(chat.id) == ["again"]


def test_a_person_who_takes_over_in_mid_turn_is_not_talked_over(
    app_on_both: RunningApp, engine: Engine, rasa: FakeRasa
) -> None:
    chat = app_on_both.chat()
    rasa.after = lambda _: _set_status(engine, chat, "human")
    taken = chat.post({"text": "hi"}, wait=True)
    assert (taken.status_code, taken.json()["status"]) == (202, "human")
    assert [m["author"] for m in chat.history()] == ["customer"]
    _set_status(engine, chat, "bot")
    rasa.after = lambda _: None
    assert chat.say("more")[0]["id"] == 3


@pytest.mark.parametrize("language", ["en", "es", "nb", "ro"])
@pytest.mark.parametrize(
    "behaviour",
    [
        lambda _: answer(),
        lambda _: answer(reply(None)),
        lambda _: {"surprise": 1},
        lambda _: [],
    ],
    ids=["no replies", "an empty one", "nonsense", "a list"],
)
def test_the_customer_never_meets_silence(
    app: RunningApp, rasa: FakeRasa, sqlite_engine: Engine, language: str, behaviour: Any
) -> None:
    rasa.behave = behaviour
    chat = app.chat(language)
    replies = chat.say("ok")
    assert len(replies) == 1
    assert replies[0]["language"] == language
    with session_scope(sqlite_engine) as session:
        stored = session.scalars(select(Message).where(Message.author == "bot")).one()
        assert stored.response == "utter_trouble"


@pytest.mark.parametrize("status", [400, 401, 422, 500])
def test_a_definite_error_of_the_bot_is_apologised_for(app: RunningApp, rasa: FakeRasa, status: int) -> None:
    rasa.status = status
    assert len(app.chat().say("ok")) == 1


def test_history_comes_in_pages(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rapport.conversations.service.PAGE", 3)
    for number in range(4):
        chat.say(f"message {number}")
    seen, more = [], True
    while more:
        page = chat.client.get(
            "/api/chat/messages", headers=chat.headers, params={"after": seen[-1] if seen else 0}
        ).json()
        assert (page["status"], page["language"]) == ("bot", "en")
        seen += [message["id"] for message in page["messages"]]
        more = page["more"]
    assert seen == list(range(1, 9))


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eA=="}],
)
def test_without_the_token_nothing_is_told(app: RunningApp, headers: dict[str, str]) -> None:
    for answered in (
        app.client.get("/api/chat/messages", headers=headers),
        app.client.get("/api/chat/events", headers=headers),
        app.client.post("/api/chat/messages", json={"text": "a", "client_id": "a"}, headers=headers),
    ):
        assert answered.status_code == 401
        assert answered.json()["type"] == "/problems/unauthorized"
        assert answered.headers["WWW-Authenticate"] == "Bearer"


def test_an_identity_token_verifies_the_conversation(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "k" * 40
    monkeypatch.setenv("RAPPORT_IDENTITY_SECRET", key)
    get_settings.cache_clear()
    running = RunningApp(settings, sqlite_engine, rasa, identity_secret=SecretStr(key))
    try:
        good = jwt.encode({"email": "ana@example.com", "exp": time.time() + 60}, key, algorithm="HS256")
        answered = running.client.post("/api/chat/sessions", json={"identity_token": good})
        headers = {"Authorization": f"Bearer {answered.json()['token']}"}
        running.client.post(
            "/api/chat/messages?wait=1", json={"text": "hi", "client_id": "1"}, headers=headers
        )
        assert rasa.turns[0]["metadata"]["verified"] is True
        old = jwt.encode({"email": "ana@example.com", "exp": time.time() - 60}, key, algorithm="HS256")
        forged = jwt.encode({"email": "a@b.no", "exp": time.time() + 60}, "x" * 40, algorithm="HS256")
        for bad in (old, forged, "", "x", "a.b.c"):
            refused = running.client.post("/api/chat/sessions", json={"identity_token": bad})
            assert (refused.status_code, refused.json()["type"]) == (401, "/problems/unauthorized")
        with session_scope(sqlite_engine) as session:
            assert len(session.scalars(select(Conversation)).all()) == 1
    finally:
        running.stop()


def test_a_message_that_kills_rasa_each_time_gets_an_apology(app: RunningApp, rasa: FakeRasa) -> None:
    tries: list[Body] = []

    def die(turn: Body) -> None:
        tries.append(turn)
        raise DropConnection

    rasa.before = die
    chat = app.chat()
    chat.post({"text": "poison"})
    chat.answered(2)
    assert len(tries) == 5
    rasa.before = lambda _: None
    assert chat.say("hello")[0]["text"] == "echo: hello"


def test_the_language_follows_the_customer(app: RunningApp, rasa: FakeRasa) -> None:
    chat = app.chat("en")
    chat.say("¿dónde está mi pedido por favor?")
    chat.say("ok")
    chat.say("hvor mange poeng har jeg nå?")
    assert [turn["metadata"]["language"] for turn in rasa.turns] == ["es", "es", "nb"]
    assert [m["language"] for m in chat.history()] == ["es", "es", "es", "es", "nb", "nb"]


def test_limits_per_conversation_and_address(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa
) -> None:
    running = RunningApp(settings, sqlite_engine, rasa, rate_limits=True)
    try:
        chat = running.chat()
        taken = [chat.post({"text": "hi"}) for _ in range(31)]
        assert [answered.status_code for answered in taken] == [202] * 30 + [429]
        assert taken[-1].json()["type"] == "/problems/too-many-requests"
        assert 1 <= int(taken[-1].headers["Retry-After"]) <= 60
        assert running.chat().post({"text": "hi"}).status_code == 202
        codes = [running.client.post("/api/chat/sessions").status_code for _ in range(19)]
        assert codes == [201] * 18 + [429]
        # Nobody gets a fresh allowance by making up who forwarded the request.
        headers = {"X-Forwarded-For": "203.0.113.9"}
        codes = [running.client.post("/api/chat/sessions", headers=headers).status_code for _ in range(6)]
        assert codes.count(429) >= 4
    finally:
        running.stop()


def test_the_log_has_what_was_understood(app: RunningApp, chat: Chat, sqlite_engine: Engine) -> None:
    chat.say("hi")
    with session_scope(sqlite_engine) as session:
        said = session.scalars(select(Message).where(Message.author == "customer")).one()
        assert (said.intent, said.confidence, said.actions) == ("greet", 0.93, ["utter_echo"])
        assert said.entities == [{"entity": "product", "value": "sku-1", "start": 0, "end": 3}]
        assert (said.status, said.language, said.channel) == ("answered", "en", "web")
        assert said.took_ms is not None
        assert 0 < said.took_ms < 5000
        assert said.answered_at is not None
        replied = session.scalars(select(Message).where(Message.author == "bot")).one()
        assert (replied.response, replied.reply_to) == ("utter_echo", said.id)
        assert not repository.unanswered_conversations(session, clock.now(), 10)


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "Unsubscribe me!"), ("es", "Darme de baja"), ("nb", "Meld meg av"), ("ro", "STOP")],
)
def test_stop_of_a_verified_customer(
    app_on_both: RunningApp, engine: Engine, rasa: FakeRasa, language: str, text: str
) -> None:
    chat = app_on_both.chat(language)
    customer_id = _verify(engine, chat)
    message = {"text": text, "client_id": "s1"}
    [confirmed] = chat.post(message, wait=True).json()["replies"]
    assert confirmed["text"] in {notices.reply(notices.STOPPED, language, turn).text for turn in range(5)}
    with session_scope(engine) as session:
        assert not contact.is_subscribed(session, customer_id)
        assert contact.subscribe(session, customer_id, "c:2")
    # To the bot it is a no, which ends what it had asked; and the same message again is no second STOP.
    assert until(lambda: [turn.get("payload") for turn in rasa.turns]) == ["/deny"]
    assert chat.post(message, wait=True).json()["replies"] == [confirmed]
    with session_scope(engine) as session:
        assert contact.is_subscribed(session, customer_id)


def test_stop_ends_nothing_but_a_verified_customers(
    app_on_both: RunningApp, engine: Engine, rasa: FakeRasa
) -> None:
    chat = app_on_both.chat()
    customer_id = _verify(engine, chat)
    chat.say("stop my order")
    with session_scope(engine) as session:
        session.get_one(Conversation, chat.id).verified_until = clock.now()
    assert [reply["text"] for reply in chat.say("STOP")] == ["echo: STOP"]
    assert [reply["text"] for reply in app_on_both.chat().say("STOP")] == ["echo: STOP"]
    with session_scope(engine) as session:
        assert contact.is_subscribed(session, customer_id)


def test_stop_is_confirmed_while_a_person_has_the_conversation(
    app_on_both: RunningApp, engine: Engine
) -> None:
    chat = app_on_both.chat()
    customer_id = _verify(engine, chat)
    _set_status(engine, chat, "human")
    assert len(chat.say("STOP")) == 1
    with session_scope(engine) as session:
        assert not contact.is_subscribed(session, customer_id)


def _verify(engine: Engine, chat: Chat) -> int:
    """A customer who gets the newsletter, and has shown here who they are."""
    with session_scope(engine) as session:
        customer_id = people.customer(session, "ann@example.com")
        contact.subscribe(session, customer_id, "c:1")
        conversation = session.get_one(Conversation, chat.id)
        conversation.customer_id = customer_id
        conversation.verified_until = clock.now() + VERIFIED_FOR
    return customer_id


def _set_status(engine: Engine, chat: Chat, status: str) -> None:
    with session_scope(engine) as session:
        session.execute(update(Conversation).where(Conversation.id == chat.id).values(status=status))
