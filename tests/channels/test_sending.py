"""The outbox of messaging apps: in order, once, and what is done when nobody knows."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from rapport.channels import inbound, outbound, rules
from rapport.channels.base import InDoubtError, Limits, Report, Said, TryAgainError
from rapport.channels.base import Sender as From
from rapport.channels.models import ContactPoint, Delivery
from rapport.channels.sending import Sender
from rapport.conversations import repository as conversations
from rapport.conversations.models import Conversation, Message
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.settings import get_settings
from rapport.preferences import links
from tests.channels.fakes.toy import ToyChannel

NOW = datetime.fromisoformat("2026-05-01T12:00:00+00:00")


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with clock.freeze(NOW):
        yield


def hear(engine: Engine, channel: ToyChannel, person: str = "ann", text: str = "hello") -> str:
    """Somebody writes; their conversation."""
    with session_scope(engine) as session:
        said = Said(From(person), f"in-{person}-{text}", text)
        inbound.take(session, channel, said, inbound.Limits(on=False))
        return session.scalars(
            select(ContactPoint.conversation_id).where(ContactPoint.address == person)
        ).one()


def say(engine: Engine, conversation_id: str, *texts: str, asked: bool = True, **content: Any) -> None:
    """Store replies and hand them over."""
    with session_scope(engine) as session:
        conversation = session.get_one(Conversation, conversation_id)
        last, _, _ = conversations.advance(session, conversation_id, len(texts), clock.now())
        rows = [
            {
                "conversation_id": conversation_id,
                "sequence": last - len(texts) + number,
                "author": "bot",
                "channel": conversation.channel,
                "provider_id": None,
                "status": "stored",
                "text": text,
                "content": content,
                "reply_to": None,
                "language": "en",
                "response": None,
                "attempts": 0,
                "at": clock.now(),
            }
            for number, text in enumerate(texts, 1)
        ]
        conversations.add_messages(session, rows)
        outbound.queue(session, conversation, rows, asked)


def work(sender: Sender) -> int:
    """Send all that is due now; how many steps that took."""
    steps = 0
    while sender.send_next():
        steps += 1
    return steps


def states(engine: Engine) -> list[tuple[Any, ...]]:
    with read_scope(engine) as session:
        query = select(Delivery.status, Delivery.attempts, Delivery.repeats).order_by(Delivery.id)
        return [tuple(row) for row in session.execute(query)]


def kill_while_sending(engine: Engine) -> None:
    """As if the process had died with the next delivery in its hands."""
    with session_scope(engine) as session:
        first = session.scalars(
            select(Delivery.id).where(Delivery.status == "queued").order_by(Delivery.id)
        ).first()
        session.execute(
            update(Delivery)
            .where(Delivery.id == first)
            .values(status="sending", attempts=1, lease_until=clock.now() + rules.LEASE)
        )


def test_in_order_whatever_happens_to_the_first(engine: Engine, channel: ToyChannel, sender: Sender) -> None:
    talk = hear(engine, channel)
    say(engine, talk, "one", "two", "three")
    channel.failures.append("slow_down")
    assert work(sender) == 1  # the others wait behind the first
    assert channel.accepted == []
    with clock.freeze(NOW + timedelta(seconds=2)):
        assert work(sender) == 3
    assert [what.text for _, _, what in channel.accepted] == ["one", "two", "three"]
    assert states(engine) == [("sent", 2, 0), ("sent", 1, 0), ("sent", 1, 0)]


def test_one_persons_trouble_is_not_the_others(engine: Engine, channel: ToyChannel, sender: Sender) -> None:
    ann, bob = hear(engine, channel, "ann"), hear(engine, channel, "bob")
    say(engine, ann, "for ann")
    say(engine, bob, "for bob")
    channel.failures.append("crash")
    work(sender)
    assert [address for address, _, _ in channel.accepted] == ["bob"]
    with clock.freeze(NOW + timedelta(seconds=5)):
        work(sender)
    assert [address for address, _, _ in channel.accepted] == ["bob", "ann"]


def test_a_channel_that_is_down_is_left_alone_for_a_while(
    engine: Engine, channel: ToyChannel, sender: Sender
) -> None:
    for number in range(5):
        say(engine, hear(engine, channel, f"p{number}"), "x")
    channel.failures.extend(["again"] * 5)
    assert work(sender) == 1
    assert len(channel.failures) == 4


def test_a_channel_that_hangs_is_left_alone_for_a_while(
    engine: Engine, channel: ToyChannel, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or each message to it would keep the people on all others waiting until it times out."""
    for number in range(3):
        say(engine, hear(engine, channel, f"p{number}"), "x")

    def hang(*_: Any) -> str:
        time.sleep(0.05)
        raise InDoubtError

    monkeypatch.setattr("rapport.channels.sending.HANGS_SECONDS", 0.04)
    monkeypatch.setattr(channel, "send", hang)
    assert work(sender) == 1
    with read_scope(engine) as session:
        assert session.scalars(select(Delivery.status)).all() == ["queued"] * 3


def test_a_pause_lasts_as_long_as_it_was_asked_for(
    engine: Engine, channel: ToyChannel, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        say(engine, hear(engine, channel, f"p{number}"), "x")

    def too_much(*_: Any) -> str:
        raise TryAgainError("429", after=600, channel=True)

    monkeypatch.setattr(channel, "send", too_much)
    assert work(sender) == 1
    later = time.monotonic() + 590
    monkeypatch.setattr("rapport.channels.sending.time.monotonic", lambda: later)
    assert work(sender) == 0


def test_a_lease_keeps_others_away_and_a_kill_repeats_one(
    engine: Engine, channel: ToyChannel, sender: Sender
) -> None:
    talk = hear(engine, channel)
    say(engine, talk, "one", "two")
    kill_while_sending(engine)
    assert work(sender) == 0  # it may still be on its way
    with clock.freeze(NOW + rules.LEASE + timedelta(seconds=1)):
        assert work(sender) == 2
    assert states(engine) == [("sent", 2, 1), ("sent", 1, 0)]


def test_what_nobody_asked_for_is_never_sent_twice(
    engine: Engine, channel: ToyChannel, sender: Sender
) -> None:
    talk = hear(engine, channel)
    say(engine, talk, "news", asked=False)
    say(engine, talk, "an answer")
    kill_while_sending(engine)
    with clock.freeze(NOW + rules.LEASE + timedelta(seconds=1)):
        work(sender)
    assert [what.text for _, _, what in channel.accepted] == ["an answer"]
    assert [status for status, _, _ in states(engine)] == ["unknown", "sent"]
    channel.failures.append("drop")
    with clock.freeze(NOW + timedelta(minutes=5)):
        say(engine, talk, "more news", asked=False)
        work(sender)
    assert states(engine)[-1][0] == "unknown"
    said = [what.text for _, _, what in channel.accepted]
    assert [said[0], said[1].partition("\n")[0]] == ["an answer", "more news"]


def test_what_nobody_asked_for_ends_with_where_to_choose_and_answers_do_not(
    engine: Engine, channel: ToyChannel, sender: Sender
) -> None:
    talk, settings = hear(engine, channel), get_settings()
    two = [{"id": "b1", "title": "Yes"}, {"id": "b2", "title": "No"}]
    say(engine, talk, "One?", buttons=two)
    say(engine, talk, "Two?", asked=False, buttons=two)
    say(
        engine, talk, "Three?", asked=False, buttons=[*two, {"id": "b3", "title": "I do not know yet, sorry"}]
    )
    say(engine, talk, f"You choose: {links.no_ones_url(settings)}", asked=False)
    say(engine, talk, "words " * 30, asked=False)
    work(sender)
    one, two_, three, four, *five = [what for _, _, what in channel.accepted]
    said, below = two_.text.split("\n\n")
    line = re.fullmatch(rf"Choose what you hear from us: {settings.base_url}/p/([a-z2-7]+)", below)
    link = links.read(settings, line[1]) if line else None
    with read_scope(engine) as session:
        person = session.scalars(select(ContactPoint.customer_id)).one()
        kept = session.scalars(select(Message.text).where(Message.author == "bot")).all()
    assert link is not None
    assert (one.text, four.text) == ("One?", f"You choose: {settings.base_url}/p/{line[1]}" if line else "")
    assert (said, link.kind, link.subject_id, link.language) == ("Two?", "preferences", person, "en")
    assert [title for _, title in two_.buttons] == ["Yes", "No"]
    assert three.text.startswith("Three?\n\n1. Yes\n2. No\n3. I do not")
    assert three.text.split("\n\n")[-1].partition("/p/")[0] == below.partition("/p/")[0]
    assert [len(part.text) <= 200 for part in five] == [True, True]
    assert five[1].text.startswith("Choose what you hear from us: ")
    assert not any(re.search("/p/[a-z2-7]", text or "") for text in kept)  # who reads along has no link


def test_a_kill_between_parts_repeats_no_part_that_was_noted(
    engine: Engine, channel: ToyChannel, sender: Sender
) -> None:
    talk = hear(engine, channel)
    say(engine, talk, "a " * 90 + "\n\n" + "b " * 90)
    channel.failures.extend(["ok", "slow_down"])
    work(sender)
    assert len(channel.accepted) == 1
    with clock.freeze(NOW + timedelta(seconds=3)):
        work(sender)
    keys = [key for _, key, _ in channel.accepted]
    assert len(keys) == len(set(keys)) == 2


def test_a_picture_that_is_refused_keeps_no_words_back(
    engine: Engine, channel: ToyChannel, sender: Sender
) -> None:
    conversation = hear(engine, channel)
    say(engine, conversation, "what you asked for", image="https://x.example/gone.jpg")
    say(engine, conversation, "", image="https://x.example/gone.jpg")
    channel.failures.extend(["refuse", "ok", "refuse"])
    sender.send_next()
    sender.send_next()
    assert [what.text for _, _, what in channel.accepted] == ["what you asked for"]
    with read_scope(engine) as session:
        statuses = session.scalars(select(Delivery.status).order_by(Delivery.sequence)).all()
    assert statuses == ["sent", "failed"]  # the second was nothing but the picture


def test_outside_the_window_only_a_template_goes(engine: Engine, channel: ToyChannel, sender: Sender) -> None:
    channel.limits = Limits(text=200, window=timedelta(hours=24))  # type: ignore[misc]
    talk = hear(engine, channel)
    later = NOW + timedelta(hours=25)
    with clock.freeze(later):
        say(engine, talk, "too late")
        say(engine, talk, "approved", asked=False, template={"name": "hello", "language": "en"})
        work(sender)
    assert [status for status, _, _ in states(engine)] == ["failed", "sent"]
    assert [what.details for _, _, what in channel.accepted] == [{"template": "hello"}]


def test_it_is_given_up_after_a_day(engine: Engine, channel: ToyChannel, sender: Sender) -> None:
    say(engine, hear(engine, channel), "x")
    for hours in range(60):
        channel.failures.append("slow_down")
        with clock.freeze(NOW + timedelta(hours=hours)):
            work(sender)
    assert states(engine)[0][0] == "failed"
    assert channel.accepted == []


def test_stop_takes_back_what_was_queued_unasked(engine: Engine, channel: ToyChannel, sender: Sender) -> None:
    talk = hear(engine, channel)
    say(engine, talk, "news", asked=False)
    say(engine, talk, "an answer")
    hear(engine, channel, text="STOP")
    work(sender)
    assert [status for status, _, _ in states(engine)] == ["cancelled", "sent"]


def test_reports(engine: Engine, channel: ToyChannel, sender: Sender) -> None:
    talk = hear(engine, channel)
    say(engine, talk, "one")
    say(engine, talk, "news", asked=False)
    work(sender)

    def tell(*reports: Report) -> None:
        with session_scope(engine) as session:
            for told in reports:
                outbound.report(session, channel.name, told)

    tell(Report("out-1", "read"), Report("out-1", "failed", "too late"), Report("nobody", "failed"))
    assert [status for status, _, _ in states(engine)] == ["sent", "sent"]
    # Too much advertising for this person: later, and not counted as sent.
    tell(Report("out-2", "failed", "too much of it", after=86_400.0))
    assert states(engine)[1][0] == "queued"
    assert work(sender) == 0
    with clock.freeze(NOW + timedelta(hours=25)):
        work(sender)
        tell(Report("out-3", "failed", "number given up", gone=True))
    with read_scope(engine) as session:
        point = session.scalars(select(ContactPoint)).one()
        assert point.unreachable_reason == "number given up"
        first = session.scalars(select(Delivery).order_by(Delivery.id)).first()
        assert first is not None and first.read_at is not None
    say(engine, talk, "never")
    work(sender)
    assert states(engine)[-1][0] == "failed"


def test_many_senders_send_each_once(engine: Engine, channel: ToyChannel) -> None:
    talks = [hear(engine, channel, f"p{number}") for number in range(6)]
    for talk in talks:
        say(engine, talk, "1", "2", "3", "4")
    senders = [Sender(engine, {channel.name: channel}) for _ in range(4)]
    threads = [threading.Thread(target=work, args=(one,)) for one in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work(senders[0])
    assert len(channel.accepted) == 24
    for number in range(6):
        mine = [what.text for address, _, what in channel.accepted if address == f"p{number}"]
        assert mine == ["1", "2", "3", "4"]
