"""What a pause or a refusal calls back before it left; on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.channels.base import TryAgainError as TryAgainChannelError
from rapport.channels.models import Delivery
from rapport.channels.sending import Sender
from rapport.conversations.models import Message
from rapport.customers import contact
from rapport.customers.models import ContactPolicy, Identity
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.outreach import tasks as outreach
from rapport.outreach.journeys import tasks
from rapport.outreach.journeys.definition import Journey
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.outreach.mail import TryAgainError
from rapport.outreach.models import OutboxMessage
from rapport.outreach.policy import service as policy
from rapport.value.models import CustomerValue
from tests.channels.people import Telegram
from tests.loyalty.offers.shop import order, valued
from tests.outreach.journeys.conftest import Use
from tests.outreach.journeys.walk import (
    DAY,
    NOW,
    agree,
    begin,
    decisions,
    in_app,
    journey,
    mails,
    person,
    step,
    steps,
    walker,
)
from tests.outreach.queueing import FakeMailer

Say = Callable[[Engine, int], None]
SOON = NOW + timedelta(minutes=5)


def pause(engine: Engine, who: int, until: datetime, at: datetime = SOON) -> None:
    with session_scope(engine) as session, clock.freeze(at):
        contact.pause(session, who, until, f"talk:{at}")


def decide(engine: Engine, at: datetime) -> dict[str, int]:
    with clock.freeze(at):
        return dict(tasks.decide_due(engine))


def counted(engine: Engine, who: int, now: datetime) -> int:
    """How many messages count for how often they may be written to."""
    with read_scope(engine) as session:
        return len(policy.facts_of(session, who, now).sent)


def test_what_waits_to_be_sent_comes_after_the_pause(engine: Engine, use: Use) -> None:
    ann = walker(engine, use(journey()))
    assert decide(engine, NOW) == {"send": 1}
    assert counted(engine, ann, SOON) == 1
    pause(engine, ann, NOW + 6 * DAY)
    assert counted(engine, ann, SOON) == 0
    assert [mail.status for mail in mails(engine)] == ["failed"]
    assert steps(engine)[0] == ("first", "waiting", "paused")
    with read_scope(engine) as session:
        assert policy.last_sent(session, ann) is None
        [told] = policy.told(session, ann, "en")
        assert not told.sent and told.text.endswith("because you asked for a pause.")
    assert decide(engine, NOW + 5 * DAY) == {}
    assert decide(engine, NOW + 6 * DAY) == {"send": 1}
    assert [(mail.key, mail.status) for mail in mails(engine)] == [
        ("journey:1", "failed"),
        ("journey:1:1", "queued"),
    ]
    assert counted(engine, ann, NOW + 7 * DAY) == 1
    # The second keeps its distance, though the first was decided for the first time long before.
    assert decide(engine, NOW + 12 * DAY) == {}
    assert decide(engine, NOW + 13 * DAY) == {"send": 1}


def test_a_finished_journey_goes_on_when_its_last_step_is_called_back(engine: Engine, use: Use) -> None:
    ann = walker(engine, use(journey(step(), exits=["bought"])))
    decide(engine, NOW)
    pause(engine, ann, NOW + 6 * DAY)
    assert status(engine) == "running"
    with session_scope(engine) as session:
        order(session, ann, NOW + DAY)
    assert decide(engine, NOW + 6 * DAY) == {"never": 1}
    assert (steps(engine), status(engine)) == ([("first", "left", "bought")], "left")
    assert len(mails(engine)) == 1


def status(engine: Engine) -> str:
    with read_scope(engine) as session:
        return session.scalars(select(JourneyEntry.status)).one()


@pytest.mark.parametrize("ends", [NOW + 15 * DAY, None])
def test_a_long_pause_or_a_refusal_is_the_end_of_it_and_takes_no_place(
    engine: Engine, use: Use, ends: datetime | None
) -> None:
    ann = walker(engine, use(journey(step())))
    decide(engine, NOW)
    if ends is not None:
        pause(engine, ann, ends)
    else:
        with session_scope(engine) as session:
            contact.set_channels(session, ann, refused=["email"])
    why = "paused" if ends else "called_back"
    assert steps(engine) == [("first", "skipped", why)]
    assert decisions(engine) == [("first", "send", "allowed"), ("first", "never", why)]
    assert (counted(engine, ann, SOON), status(engine)) == (0, "finished")
    assert decide(engine, NOW + 30 * DAY) == {}


@pytest.mark.parametrize("gone", ["sent", "sending", "unknown"])
def test_what_may_have_left_is_not_repeated_and_counts(engine: Engine, use: Use, gone: str) -> None:
    ann = walker(engine, use(journey(step())))
    decide(engine, NOW)
    with session_scope(engine) as session:
        session.execute(update(OutboxMessage).values(status=gone))
    pause(engine, ann, NOW + DAY)
    assert steps(engine) == [("first", "sent", "allowed")]
    assert counted(engine, ann, SOON) == 1
    assert decide(engine, NOW + DAY) == {}


def test_a_pause_that_ends_early_or_is_changed_moves_what_waits_for_it(engine: Engine, use: Use) -> None:
    ann = walker(engine, use(journey(step())))
    pause(engine, ann, NOW + 9 * DAY, NOW)
    assert decide(engine, NOW) == {"later": 1}
    pause(engine, ann, NOW + 3 * DAY)
    assert due(engine) == NOW + 3 * DAY
    with session_scope(engine) as session, clock.freeze(NOW + DAY):
        assert contact.resume(session, ann)
    assert decide(engine, NOW + DAY) == {"send": 1}


def due(engine: Engine) -> datetime:
    with read_scope(engine) as session:
        return session.scalars(select(JourneyStep.due_at)).one()


def in_telegram(engine: Engine, use: Use) -> int:
    """Somebody who is to get a message there."""
    one = use(journey(step(short="Hi!", channels=["telegram"])))
    with session_scope(engine) as session:
        ann = person(session, agrees=False)
        agree(session, ann, channel="telegram")
        in_app(session, ann)
        begin(session, one, ann)
    return ann


def test_a_message_in_an_app_comes_after_the_pause(engine: Engine, use: Use) -> None:
    ann = in_telegram(engine, use)
    decide(engine, NOW)
    pause(engine, ann, NOW + DAY)
    assert decide(engine, NOW + DAY) == {"send": 1}
    with read_scope(engine) as session:
        assert session.scalars(select(Delivery.status).order_by(Delivery.id)).all() == ["cancelled", "queued"]
        keys = session.scalars(select(Message.provider_id).order_by(Message.id)).all()
        assert keys == ["journey:1", "journey:1:1"]


def refuse(engine: Engine, who: int) -> None:
    with session_scope(engine) as session:
        contact.unsubscribe(session, who, "talk:1")


# What they say while it is on its way, and what becomes of it then.
MEANWHILE = pytest.mark.parametrize(
    ("say", "becomes", "later"),
    [
        (lambda engine, who: pause(engine, who, NOW + DAY, NOW), ("first", "waiting", "paused"), {"send": 1}),
        (refuse, ("first", "skipped", "called_back"), {}),
    ],
    ids=["pause", "refuse"],
)


@MEANWHILE
def test_a_mail_that_its_server_puts_off_while_they_say_so_was_not_sent(
    engine: Engine, use: Use, say: Say, becomes: tuple[str, str, str], later: dict[str, int]
) -> None:
    ann = walker(engine, use(journey(step())))
    decide(engine, NOW)

    class PutsOff(FakeMailer):
        def send(self, mail: EmailMessage) -> None:
            say(engine, ann)
            raise TryAgainError("451 come again")

    assert outreach.send_due(engine, PutsOff()) == 0
    assert (steps(engine), counted(engine, ann, SOON)) == ([becomes], 0)
    assert decide(engine, NOW + DAY) == later


@MEANWHILE
def test_a_message_that_an_app_puts_off_while_they_say_so_was_not_sent(
    engine: Engine,
    use: Use,
    monkeypatch: pytest.MonkeyPatch,
    say: Say,
    becomes: tuple[str, str, str],
    later: dict[str, int],
) -> None:
    ann = in_telegram(engine, use)
    decide(engine, NOW)
    telegram = Telegram()

    def put_off(*_: object) -> str:
        say(engine, ann)
        raise TryAgainChannelError("429", after=60)

    monkeypatch.setattr(telegram, "send", put_off)
    assert Sender(engine, {"telegram": telegram}).send_next()
    assert (steps(engine), counted(engine, ann, SOON)) == ([becomes], 0)
    assert decide(engine, NOW + DAY) == later


def test_a_call_is_asked_for_again_after_the_pause(engine: Engine, use: Use) -> None:
    one = use(journey(step(short="Ask.", channels=["phone"])))
    with session_scope(engine) as session:
        caller = wants_calls(session, one)
    decide(engine, NOW)
    pause(engine, caller, NOW + DAY)
    assert decide(engine, NOW + DAY) == {"send": 1}
    with read_scope(engine) as session:
        cases = session.scalars(select(Case).order_by(Case.id)).all()
        assert [(case.message_key, case.outcome) for case in cases] == [
            ("journey:1", "withdrawn"),
            ("journey:1:1", None),
        ]


def wants_calls(session: Session, one: Journey) -> int:
    ann = person(session)
    session.add(Identity(customer_id=ann, kind="phone", value="+4722000000"))
    agree(session, ann, channel="phone")
    session.add(ContactPolicy(customer_id=ann, preferred_channel="phone"))
    valued(session, ann, "best", (5, 5, 5))
    session.execute(update(CustomerValue).values(clv_minor=100_000))
    begin(session, one, ann)
    return ann
