"""What may go wrong in sending: a silent provider, STOP at a bad moment, what cannot be sent at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from rapport.app import SHUTDOWN_SECONDS
from rapport.channels import inbound, repository, rules
from rapport.channels.base import Limits, Part, Report, Said, Target, TryAgainError
from rapport.channels.base import Sender as From
from rapport.channels.models import Delivery
from rapport.channels.sending import Sender
from rapport.conversations.models import Message
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.settings import Settings
from tests.channels.fakes.toy import ToyChannel
from tests.channels.test_sending import NOW, hear, kill_while_sending, say, states, work
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.freeze(NOW):
        yield


def told(engine: Engine, channel: ToyChannel, *events: Any) -> None:
    with session_scope(engine) as session:
        for one in events:
            inbound.take(session, channel, one, inbound.Limits(on=False))


def texts(channel: ToyChannel) -> list[str]:
    """What was said, without what stands below all that nobody asked for."""
    return [what.text.partition("\n\nChoose")[0] for _, _, what in channel.accepted]


def statuses(engine: Engine) -> list[str]:
    return [status for status, _, _ in states(engine)]


def buttons(*titles: str) -> list[dict[str, str]]:
    return [
        {"id": f"b{number}", "title": title, "payload": f"/{title.lower()}"}
        for number, title in enumerate(titles, 1)
    ]


def typed(engine: Engine, channel: ToyChannel, text: str) -> str | None:
    """What a typed answer was taken for."""
    told(engine, channel, Said(From("ann"), f"typed-{text}", text))
    with read_scope(engine) as session:
        return session.scalars(select(Message.payload).where(Message.provider_id == f"typed-{text}")).one()


# --- what cannot be sent -----------------------------------------------------------------------------------


def test_what_cannot_be_prepared_keeps_nobody_else_waiting(
    engine: Engine, channel: ToyChannel, sender: Sender
) -> None:
    ann, bob = hear(engine, channel, "ann"), hear(engine, channel, "bob")
    say(engine, ann, "bad", template={"no": "name"})
    with clock.freeze(NOW + timedelta(seconds=1)):
        say(engine, bob, "good")
        work(sender)
    assert texts(channel) == ["good"]
    assert statuses(engine) == ["queued", "sent"]
    with clock.freeze(NOW + 2 * DAY):
        work(sender)
    assert statuses(engine) == ["failed", "sent"]


def test_what_was_never_tried_is_too_old_some_day(
    engine: Engine, channel: ToyChannel, sender: Sender
) -> None:
    talk = hear(engine, channel)
    say(engine, talk, "your code for today")
    say(engine, talk, "news", asked=False)
    with clock.freeze(NOW + 2 * DAY):
        work(sender)
    assert texts(channel) == ["news"]
    say(engine, talk, "old news", asked=False)
    with clock.freeze(NOW + 8 * DAY):
        work(sender)
    assert statuses(engine) == ["failed", "sent", "failed"]


# --- when nobody knows -------------------------------------------------------------------------------------


def test_a_silent_provider_gets_an_answer_twice_at_most(
    engine: Engine, channel: ToyChannel, sender: Sender
) -> None:
    talk = hear(engine, channel)
    say(engine, talk, "one")
    channel.failures.extend(["drop"] * 5)
    for minutes in range(0, 60, 5):
        with clock.freeze(NOW + timedelta(minutes=minutes)):
            work(sender)
    assert texts(channel) == ["one", "one"]
    assert states(engine) == [("unknown", 2, 1)]
    channel.failures.clear()
    say(engine, talk, "two")
    work(sender)
    assert texts(channel)[2:] == ["two"]


def test_kills_without_end_repeat_nothing_without_end(
    engine: Engine, channel: ToyChannel, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(engine, hear(engine, channel), "one")
    kill_while_sending(engine)
    tries = []

    def killed(*_: Any) -> str:
        tries.append(clock.now())
        raise SystemExit

    monkeypatch.setattr(channel, "send", killed)
    for minutes in range(1, 20):
        with clock.freeze(NOW + timedelta(minutes=minutes)):
            try:
                work(sender)
            except SystemExit:
                continue
    assert len(tries) == 3
    assert statuses(engine) == ["unknown"]


def test_who_lost_the_lease_sends_no_further_part(engine: Engine, channel: ToyChannel) -> None:
    other = Sender(engine, {channel.name: channel})
    sent: list[str] = []

    class Slow(ToyChannel):
        def send(self, target: Target, part: Part) -> str:
            sent.append(part.text)
            with clock.freeze(clock.now() + rules.LEASE + timedelta(seconds=1)):
                work(other)
            return super().send(target, part)

    say(engine, hear(engine, channel), " ".join(letter * 150 for letter in "xyz"))
    work(Sender(engine, {channel.name: Slow()}))
    assert [text[0] for text in texts(channel)] == ["x", "y", "z"]
    assert len(sent) == 1
    assert statuses(engine) == ["sent"]


def test_an_absurd_wait_is_a_day(
    engine: Engine, channel: ToyChannel, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def later(*_: Any) -> str:
        raise TryAgainError("429", after=99_999_999_999_999.0, channel=True)

    talk = hear(engine, channel)
    say(engine, talk, "one")
    with monkeypatch.context() as patched:
        patched.setattr(channel, "send", later)
        work(sender)
    assert states(engine) == [("queued", 1, 0)]
    tomorrow = time.monotonic() + 86_401
    monkeypatch.setattr("rapport.channels.sending.time.monotonic", lambda: tomorrow)
    with clock.freeze(NOW + DAY):
        work(sender)
    assert texts(channel) == ["one"]


def test_a_stop_waits_for_the_message_in_hand(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, channel = threading.Event(), ToyChannel()
    send = channel.send

    def slow(target: Target, part: Part) -> str:
        began.set()
        time.sleep(SHUTDOWN_SECONDS + 0.5)
        return send(target, part)

    monkeypatch.setattr(channel, "send", slow)
    say(sqlite_engine, hear(sqlite_engine, channel), "one")
    app = RunningApp(settings, sqlite_engine, rasa, {channel.name: channel})
    assert began.wait(5)
    app.stop()
    assert states(sqlite_engine)[0] == ("sent", 1, 0)


# --- STOP, and what is held back ---------------------------------------------------------------------------


def test_stop_while_it_is_being_sent_ends_it(
    engine: Engine, channel: ToyChannel, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = hear(engine, channel)
    say(engine, talk, "buy!", asked=False)

    def later(*_: Any) -> str:
        told(engine, channel, Said(From("ann"), "stop", "STOP"))
        raise TryAgainError("429", after=3600)

    with monkeypatch.context() as patched:
        patched.setattr(channel, "send", later)
        work(sender)
    assert statuses(engine) == ["cancelled"]
    with clock.freeze(NOW + DAY):
        work(sender)
    assert texts(channel) == []


def test_stop_after_it_was_sent_keeps_it_from_coming_again(
    engine: Engine, channel: ToyChannel, sender: Sender
) -> None:
    say(engine, hear(engine, channel), "buy!", asked=False)
    work(sender)
    told(
        engine,
        channel,
        Said(From("ann"), "stop", "STOP"),
        Report("out-1", "failed", "too much of it", after=86_400.0),
    )
    assert statuses(engine) == ["cancelled"]
    with clock.freeze(NOW + DAY + timedelta(hours=1)):
        work(sender)
    assert texts(channel) == ["buy!"]


def test_stop_between_the_claim_and_a_kill(engine: Engine, channel: ToyChannel, sender: Sender) -> None:
    """Nor does a report that crossed the STOP bring it back."""
    say(engine, hear(engine, channel), "buy!", asked=False)
    told(engine, channel, Said(From("ann"), "stop", "STOP"))
    with session_scope(engine) as session:
        session.scalars(select(Delivery)).one().status = "queued"
    work(sender)
    assert statuses(engine) == ["cancelled"]
    assert texts(channel) == []


def test_answers_overtake_what_is_held_back(engine: Engine, channel: ToyChannel, sender: Sender) -> None:
    talk = hear(engine, channel)
    say(engine, talk, "buy!", asked=False)
    work(sender)
    told(engine, channel, Report("out-1", "failed", "too much of it", after=86_400.0))
    with clock.freeze(NOW + timedelta(hours=1)):
        say(engine, talk, "It is on its way")
        work(sender)
    assert texts(channel) == ["buy!", "It is on its way"]
    with clock.freeze(NOW + timedelta(hours=25)):
        work(sender)
    assert texts(channel) == ["buy!", "It is on its way"]
    assert statuses(engine) == ["failed", "sent"]


def test_what_is_not_held_back_keeps_its_place(engine: Engine, channel: ToyChannel, sender: Sender) -> None:
    talk = hear(engine, channel)
    say(engine, talk, "news", asked=False)
    say(engine, talk, "an answer")
    work(sender)
    assert texts(channel) == ["news", "an answer"]
    told(engine, channel, Report("out-1", "failed", "too much of it", after=86_400.0))
    assert statuses(engine) == ["failed", "sent"]  # an answer came after it


# --- typed answers -----------------------------------------------------------------------------------------


def test_a_question_that_was_not_sent_is_not_answered(
    engine: Engine, channel: ToyChannel, sender: Sender
) -> None:
    channel.limits = Limits(text=200)  # type: ignore[misc]
    talk = hear(engine, channel)
    say(engine, talk, "Which colour?", buttons=buttons("Red", "Blue"))
    assert typed(engine, channel, "2") is None
    work(sender)
    say(engine, talk, "Cancel order 17?", buttons=buttons("Yes", "No"))
    assert typed(engine, channel, "1") == "/red"
    work(sender)
    assert typed(engine, channel, "1.") == "/yes"


def test_what_comes_after_a_question_does_not_hide_it(
    engine: Engine, channel: ToyChannel, sender: Sender
) -> None:
    channel.limits = Limits(text=200)  # type: ignore[misc]
    talk = hear(engine, channel)
    say(engine, talk, "Which colour?", buttons=buttons("Red", "Blue"))
    say(engine, talk, "I cannot see stickers.")
    work(sender)
    assert typed(engine, channel, "2") == "/blue"


def test_the_next_answer_ends_a_question(engine: Engine, channel: ToyChannel, sender: Sender) -> None:
    channel.limits = Limits(text=200)  # type: ignore[misc]
    talk = hear(engine, channel)
    say(engine, talk, "Which colour?", buttons=buttons("Red", "Blue"))
    say(engine, talk, "We are open until six.")
    work(sender)
    with session_scope(engine) as session:
        first = session.scalars(select(Message).where(Message.provider_id == "in-ann-hello")).one()
        told_of = Message(**{**_customers(first), "sequence": 90, "provider_id": "in-2"})
        session.add(told_of)
        session.flush()
        question, answer = session.scalars(
            select(Message).where(Message.author == "bot").order_by(Message.sequence)
        )
        question.reply_to, answer.reply_to = first.id, told_of.id
    with read_scope(engine) as session:
        assert repository.newest_buttons(session, talk) == (0, "", [])
    with session_scope(engine) as session:  # had that been a sticker, the question would still stand
        sticker = session.scalars(select(Message).where(Message.provider_id == "in-2")).one()
        sticker.content = {"notice": "sticker"}
    with read_scope(engine) as session:
        assert repository.newest_buttons(session, talk)[1] == "Which colour?"


def _customers(message: Message) -> dict[str, Any]:
    names = ("conversation_id", "author", "channel", "status", "text", "content", "attempts", "at")
    return {name: getattr(message, name) for name in names}


# --- speed -------------------------------------------------------------------------------------------------


def test_looking_for_what_is_due_sorts_nothing(sqlite_engine: Engine) -> None:
    asked: list[tuple[str, Any]] = []

    @event.listens_for(sqlite_engine, "before_cursor_execute")
    def _note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    with read_scope(sqlite_engine) as session:
        assert repository.due_channels(session, NOW, ["telegram"]) == []
    [(statement, parameters)] = [one for one in asked if "FROM delivery" in one[0]]
    with read_scope(sqlite_engine) as session:
        rows = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    plan = "\n".join(row[-1] for row in rows)
    assert "ix_delivery_due" in plan
    assert "ix_delivery_open" in plan
    assert "TEMP B-TREE" not in plan
    assert "SCAN" not in plan


def test_what_waits_behind_another_wakes_nobody(engine: Engine, channel: ToyChannel, sender: Sender) -> None:
    say(engine, hear(engine, channel), "one", "two")
    channel.failures.append("slow_down")
    work(sender)
    with read_scope(engine) as session:
        assert repository.due_channels(session, NOW, [channel.name]) == []
