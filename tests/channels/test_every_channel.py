"""What is true of every messaging channel, each with its provider's stand-in, the app and a fake Rasa."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from rapport.channels import notices, registry, rules, sending
from rapport.channels.base import MAX_TEXT
from rapport.channels.models import ContactPoint, Delivery
from rapport.conversations.models import Conversation, Message
from rapport.customers.models import Customer, Identity
from rapport.kit.database import read_scope, session_scope
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import Settings
from tests.channels.harness import PROVIDERS, Provider, Sent
from tests.fake_rasa import FakeRasa, answer, reply
from tests.running import RunningApp, until


@pytest.fixture(params=sorted(PROVIDERS))
def provider(request: pytest.FixtureRequest) -> Iterator[Provider]:
    made = PROVIDERS[request.param]()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What did not go out is tried again sooner than people need."""
    monkeypatch.setattr(rules, "FIRST_DELAY", timedelta(seconds=0.1))
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(sending, "LOOK_SECONDS", 0.1)


@pytest.fixture
def person(provider: Provider) -> str:
    return provider.person(1)


def got(provider: Provider, person: str, count: int) -> list[Sent]:
    """What reached this person, once it is that much; and a moment later no more than that."""
    return (
        until(lambda: sent if len(sent := provider.sent(person)) >= count else None, 30, "for a reply") or []
    )


def rows(engine: Engine, *what: Any) -> list[Any]:
    with read_scope(engine) as session:
        return list(session.execute(select(*what)))


def count(engine: Engine, table: type) -> int:
    with read_scope(engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def settled(engine: Engine) -> bool:
    """Whether nothing waits: no message for an answer, no answer for its delivery."""
    with read_scope(engine) as session:
        waiting = session.scalar(select(func.count()).where(Message.status == "received"))
        open_ones = session.scalar(select(func.count()).where(Delivery.status.in_(("queued", "sending"))))
    return not waiting and not open_ones


def somebody_who_speaks(provider: Provider, engine: Engine, number: int, language: str) -> str:
    """Their address; they have written one message."""
    person = provider.person(number)
    provider.say(person, "hello")
    got(provider, person, 1)
    with session_scope(engine) as session:
        newest = session.scalars(select(ContactPoint).order_by(ContactPoint.id.desc()).limit(1)).one()
        session.get_one(Conversation, newest.conversation_id).language = language
    return person


def test_a_message_is_answered(
    app: RunningApp, provider: Provider, person: str, sqlite_engine: Engine
) -> None:
    assert provider.say(person, "hello <b>there</b> & you") == 200
    [sent] = got(provider, person, 1)
    assert sent.text == "echo: hello <b>there</b> & you"
    until(lambda: settled(sqlite_engine), 10, "for the delivery to be noted")
    [point] = rows(
        sqlite_engine, ContactPoint.channel, ContactPoint.linked_at, ContactPoint.unreachable_since
    )
    assert tuple(point) == (provider.name, None, None)
    assert rows(sqlite_engine, Conversation.channel, Conversation.verified_until) == [(provider.name, None)]
    assert rows(sqlite_engine, Delivery.status, Delivery.attempts, Delivery.repeats) == [("sent", 1, 0)]
    # Where anybody can write in another's name, the address is not taken down as theirs.
    known = [] if provider.name in ("email", "sms") else [provider.name]
    assert [kind for (kind,) in rows(sqlite_engine, Identity.kind)] == known
    assert rows(sqlite_engine, Customer.stage) == [("know",)]


def test_who_writes_again_is_the_same_person_and_answered_in_order(
    app: RunningApp, provider: Provider, person: str, sqlite_engine: Engine
) -> None:
    for number in range(5):
        assert provider.say(person, f"number {number}") == 200
    assert [sent.text for sent in got(provider, person, 5)] == [f"echo: number {n}" for n in range(5)]
    assert count(sqlite_engine, ContactPoint) == count(sqlite_engine, Conversation) == 1
    other = provider.person(2)
    provider.say(other, "me too")
    assert got(provider, other, 1)[0].text == "echo: me too"
    assert count(sqlite_engine, ContactPoint) == count(sqlite_engine, Customer) == 2


def test_the_same_message_twice_changes_nothing(
    app: RunningApp, provider: Provider, person: str, rasa: FakeRasa, sqlite_engine: Engine
) -> None:
    for _ in range(3):
        assert provider.say(person, "once", "11") == 200
    provider.say(person, "then", "12")
    assert [sent.text for sent in got(provider, person, 2)] == ["echo: once", "echo: then"]
    assert provider.say(person, "once", "11") == 200
    until(lambda: settled(sqlite_engine), 10)
    assert len(provider.sent(person)) == 2
    assert len(rasa.turns) == 2


def test_what_nobody_signed_is_refused_and_leaves_nothing(
    app: RunningApp, provider: Provider, person: str, sqlite_engine: Engine
) -> None:
    if not provider.calls_us:
        pytest.skip("nobody calls us here")
    assert provider.forge(person, "let me in") in (401, 403)
    assert count(sqlite_engine, ContactPoint) == count(sqlite_engine, Message) == 0


def test_nonsense_from_the_provider_is_a_clear_error_or_nothing(
    app: RunningApp, provider: Provider, sqlite_engine: Engine
) -> None:
    if not provider.calls_us:
        pytest.skip("nobody calls us here")
    for body in (b"", b"\xff\xfe", b"[" * 5000, b"{}", b"null", b'{"a": 1}', b"x" * 2_000_000):
        answer = app.client.post(f"/channels/{provider.name}", content=body)
        assert 400 <= answer.status_code < 500, (body[:20], answer.status_code)
    assert app.client.get(f"/channels/{provider.name}").status_code in (401, 403, 404, 422)
    assert count(sqlite_engine, Message) == 0


def test_it_is_acknowledged_before_it_is_answered(
    app: RunningApp, provider: Provider, person: str, rasa: FakeRasa
) -> None:
    held = threading.Event()
    rasa.before = lambda _: held.wait(10) and None
    assert provider.say(person, "take your time") == 200
    assert provider.sent(person) == []
    held.set()
    assert got(provider, person, 1)[0].text == "echo: take your time"


def test_what_cannot_be_read_is_answered_kindly(
    app: RunningApp, provider: Provider, rasa: FakeRasa, sqlite_engine: Engine
) -> None:
    for someone, language in enumerate(LANGUAGES, 1):
        person = somebody_who_speaks(provider, sqlite_engine, someone, language)
        for number, what in enumerate(provider.unreadable, 2):
            assert provider.send_unreadable(person, what) == 200, what
            words = {notices.reply(what, language, turn).text for turn in (0, 1)}
            assert got(provider, person, number)[-1].text in words, what
    assert len(rasa.turns) == len(LANGUAGES)  # the bot was asked nothing but the first word of each
    logged = rows(sqlite_engine, Message.content)
    noticed = [content["notice"] for (content,) in logged if content.get("notice")]
    assert sorted(noticed) == sorted([*provider.unreadable] * len(LANGUAGES))


def test_buttons_are_pressed(
    app: RunningApp, provider: Provider, person: str, rasa: FakeRasa, sqlite_engine: Engine
) -> None:
    buttons = [{"title": "Track it", "payload": "/track_order"}, {"title": "A person", "payload": "/human{}"}]
    rasa.behave = lambda _: answer(reply("What now?", buttons=buttons))
    provider.say(person, "help")
    [sent] = got(provider, person, 1)
    until(lambda: settled(sqlite_engine), 10)
    titles = [title for _, title in sent.buttons] or sent.text.splitlines()[-2:]
    assert titles in (["Track it", "A person"], ["1. Track it", "2. A person"])
    button_id, title = sent.buttons[1] if sent.buttons else ("", "2")
    assert provider.press(person, button_id, title) == 200
    until(lambda: len(rasa.turns) == 2, 10)
    assert rasa.turns[1]["payload"] == "/human{}"
    # Of an older reply as well; and what is no button any more is read as what it says.
    got(provider, person, 2)
    if sent.buttons:
        provider.press(person, sent.buttons[0][0], "Track it")
        until(lambda: len(rasa.turns) == 3, 10)
        assert rasa.turns[2]["payload"] == "/track_order"
        provider.press(person, "999:b7", "Old one")
        until(lambda: len(rasa.turns) == 4, 10)
        assert rasa.turns[3]["text"].strip() == "Old one"


def test_a_title_or_number_may_be_typed(
    app: RunningApp, provider: Provider, person: str, rasa: FakeRasa, sqlite_engine: Engine
) -> None:
    """A number only where it was to be read."""
    buttons = [{"title": "Ja, takk", "payload": "/affirm"}, {"title": "Nei", "payload": "/deny"}]
    rasa.behave = lambda _: answer(reply("Sikker?", buttons=buttons))
    for number, said in enumerate(("hei", "nei", "1", "3", "JA, TAKK"), 1):
        provider.say(person, said)
        sent = got(provider, person, number)[0]
        until(lambda: settled(sqlite_engine), 10)
    first = None if sent.buttons else "/affirm"
    assert [turn.get("payload") for turn in rasa.turns] == [None, "/deny", first, None, "/affirm"]


def test_a_long_answer_arrives_whole(
    app: RunningApp, provider: Provider, person: str, rasa: FakeRasa
) -> None:
    told = "\n\n".join(f"Paragraph {n}: " + "word " * 60 for n in range(30)).strip()
    rasa.behave = lambda _: answer(reply(told))
    provider.say(person, "tell me all")

    def words() -> list[str]:
        return " ".join(sent.text for sent in provider.sent(person)).split()

    until(lambda: len(words()) >= len(told.split()), 20)
    assert words() == told.split()


def test_a_message_that_is_too_long_is_said_to_be(
    app: RunningApp, provider: Provider, person: str, rasa: FakeRasa, sqlite_engine: Engine
) -> None:
    if not provider.takes_long_texts:
        pytest.skip("the provider cuts them itself")
    provider.say(person, "long " * (MAX_TEXT // 5 + 10))
    assert got(provider, person, 1)[0].text in {notices.reply("too_long", "en", t).text for t in (0, 1)}
    assert rasa.turns == []
    assert max(len(text or "") for (text,) in rows(sqlite_engine, Message.text)) > MAX_TEXT


@pytest.mark.parametrize("mode", ["again", "slow_down"])
def test_what_did_not_go_out_goes_out_later(
    app: RunningApp, provider: Provider, person: str, sqlite_engine: Engine, mode: str
) -> None:
    provider.fail(mode, mode)
    provider.say(person, "one")
    provider.say(person, "two")
    assert [sent.text for sent in got(provider, person, 2)] == ["echo: one", "echo: two"]
    until(lambda: settled(sqlite_engine), 10)
    assert len(provider.sent(person)) == 2
    assert {status for (status,) in rows(sqlite_engine, Delivery.status)} == {"sent"}


def test_what_is_refused_is_noted_and_the_next_goes_on(
    app: RunningApp, provider: Provider, person: str, sqlite_engine: Engine
) -> None:
    provider.fail("refuse")
    provider.say(person, "one")
    provider.say(person, "two")
    assert got(provider, person, 1)[0].text == "echo: two"
    until(lambda: settled(sqlite_engine), 10)
    assert rows(sqlite_engine, Delivery.status) == [("failed",), ("sent",)]
    [(error,), _] = rows(sqlite_engine, Delivery.last_error)
    assert error and person not in error and "echo" not in error


def test_who_is_gone_gets_nothing_more_until_they_write_again(
    app: RunningApp, provider: Provider, person: str, sqlite_engine: Engine
) -> None:
    provider.fail("gone")
    provider.say(person, "one")
    until(lambda: rows(sqlite_engine, Delivery.status) == [("failed",)], 10)
    until(lambda: rows(sqlite_engine, ContactPoint.unreachable_since)[0][0] is not None, 10)
    provider.say(person, "I am back")
    assert got(provider, person, 1)[0].text == "echo: I am back"
    assert rows(sqlite_engine, ContactPoint.unreachable_since) == [(None,)]


def test_who_leaves_is_noted(app: RunningApp, provider: Provider, person: str, sqlite_engine: Engine) -> None:
    if not provider.tells_of_leaving:
        pytest.skip("this provider does not tell")
    provider.say(person, "hello")
    got(provider, person, 1)
    assert provider.leave(person) == 200
    until(lambda: rows(sqlite_engine, ContactPoint.unreachable_reason) == [("blocked",)], 10)
    assert provider.leave(person, back=True) == 200
    until(lambda: rows(sqlite_engine, ContactPoint.unreachable_reason) == [(None,)], 10)


def test_an_answer_in_doubt_is_sent_again(
    app: RunningApp, provider: Provider, person: str, sqlite_engine: Engine
) -> None:
    provider.fail("drop")
    provider.say(person, "one")
    provider.say(person, "two")
    texts = [sent.text for sent in got(provider, person, 3)]
    assert texts == ["echo: one", "echo: one", "echo: two"]


def test_stop_is_confirmed_once(
    app: RunningApp, provider: Provider, rasa: FakeRasa, sqlite_engine: Engine
) -> None:
    words = {"en": "STOP", "es": "Baja", "nb": "stopp!", "ro": "Dezabonare"}
    assert set(words) == set(LANGUAGES)
    for someone, (language, word) in enumerate(words.items(), 1):
        person = somebody_who_speaks(provider, sqlite_engine, someone, language)
        provider.say(person, word)
        confirmed = {notices.reply("stopped", language, turn).text for turn in (0, 1)}
        assert got(provider, person, 2)[-1].text in confirmed
        provider.say(person, word)
        provider.say(person, "still there?")
        assert got(provider, person, 3)[-1].text == "echo: still there?"
    # The bot hears of it as a no to whatever it asked.
    assert [turn.get("payload") for turn in rasa.turns] == [None, "/deny", None] * len(words)


def test_a_channel_that_is_off_is_not_there(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa
) -> None:
    running = RunningApp(settings, sqlite_engine, rasa)
    try:
        assert running.client.post("/channels/telegram", json={}).status_code == 404
    finally:
        running.stop()


def test_every_maker_is_tested() -> None:
    """Each channel that can be switched on has its stand-in here."""
    assert len(registry.MAKERS) <= len(PROVIDERS)
