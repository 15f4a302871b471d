"""What came of a journey, counted on both databases."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.channels.models import Delivery
from rapport.conversations.models import Conversation, Message
from rapport.customers.models import Customer
from rapport.kit.database import read_scope, session_scope
from rapport.outreach.journeys import results
from rapport.outreach.journeys.definition import load_all
from rapport.outreach.journeys.delivery import key_of
from rapport.outreach.journeys.lift import Group
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.outreach.models import OutboxMessage
from rapport.shop.models import Order
from tests.outreach.journeys.walk import NOW
from tests.plans import read_whole, statements

DAY = timedelta(days=1)
KEY, JOURNEY = "win_back", load_all()["win_back"]
SINCE = NOW - 200 * DAY
STEP = {"journey": KEY, "trigger_key": "t", "planned_at": NOW, "due_at": NOW}


def enter(session: Session, variant: str, days_ago: float, **changes: object) -> int:
    """Somebody who entered then; their id."""
    customer = Customer()
    session.add(customer)
    session.flush()
    values = {"status": "finished", "trigger_key": "t"} | changes
    entry = JourneyEntry(
        customer_id=customer.id,
        journey=KEY,
        variant=variant,
        anchor_at=NOW - days_ago * DAY,
        entered_at=NOW - days_ago * DAY,
        context={},
        **values,
    )
    session.add(entry)
    session.flush()
    return customer.id


def order(session: Session, customer_id: int, days_ago: float, minor: int, **changes: str) -> None:
    values = {"status": "paid", "currency": "NOK"} | changes
    session.add(
        Order(
            source="t",
            number=f"{customer_id}-{days_ago}",
            customer_id=customer_id,
            total_minor=minor,
            placed_at=NOW - days_ago * DAY,
            **values,
        )
    )
    session.flush()


def found(engine: Engine) -> results.Results:
    with read_scope(engine) as session:
        return results.of(session, KEY, JOURNEY, "NOK", SINCE, NOW)


def test_who_bought_in_time_is_counted_once_for_their_group(engine: Engine) -> None:
    with session_scope(engine) as session:
        bought = enter(session, "a", 100)
        order(session, bought, 90, 30_000)
        order(session, bought, 80, 20_000)
        order(session, bought, 39, 99_000)  # 61 days later: too late
        order(session, bought, 101, 99_000)  # before they entered
        order(session, bought, 85, 99_000, status="cancelled")
        again = JourneyEntry(
            customer_id=bought,
            journey=KEY,
            variant="a",
            trigger_key="u",
            anchor_at=NOW,
            entered_at=NOW - 70 * DAY,
            context={},
            status="finished",
        )
        session.add(again)
        enter(session, "a", 100)
        other_money = enter(session, "b", 100)
        order(session, other_money, 90, 7_000, currency="EUR")
        enter(session, "control", 100)
        enter(session, "control", 10)  # too early to be compared
        enter(session, "a", 300)  # before the day asked for
    seen = found(engine)
    assert seen.groups == {
        "a": Group(2, 1, 50_000, 50_000**2),
        "b": Group(1, 1, 0, 0),
        "control": Group(1, 0, 0, 0),
    }
    assert seen.written_to == Group(3, 2, 50_000, 50_000**2) and seen.control == Group(1, 0, 0, 0)
    assert seen.early == 1
    assert seen.entered == {"a": 3, "b": 1, "control": 2}


def test_how_far_people_got(engine: Engine) -> None:
    with session_scope(engine) as session:
        for status, reason, channel in (
            ("sent", None, "email"),
            ("sent", None, "email"),
            ("sent", None, "telegram"),
            ("skipped", "no_consent", None),
            ("left", "bought", None),
            ("waiting", None, None),
        ):
            entry = "running" if status == "waiting" else "left" if status == "left" else "finished"
            person = enter(session, "a", 5, status=entry, left_why=reason if status == "left" else None)
            entry_id = session.query(JourneyEntry.id).filter_by(customer_id=person).scalar()
            step = JourneyStep(
                entry_id=entry_id,
                customer_id=person,
                step="question",
                status=status,
                reason=reason,
                channel=channel,
                **STEP,
            )
            session.add(step)
            session.flush()
    seen = found(engine)
    assert list(seen.steps) == ["question", "offer"]
    question = seen.steps["question"]
    assert question.sent == {"email": 2, "telegram": 1}
    assert (question.skipped, question.left, question.waiting) == ({"no_consent": 1}, {"bought": 1}, 1)
    assert (seen.running, seen.left, seen.groups) == (1, {"bought": 1}, {})
    with read_scope(engine) as session:
        [next_one] = results.waiting(session, KEY, 10)
        assert next_one.step == "question"


def sent(session: Session, channel: str, status: str, repeats: int = 0, **more: object) -> None:
    """Something that was sent to somebody, and what became of it."""
    who = enter(session, "a", 5)
    entry_id = session.query(JourneyEntry.id).filter_by(customer_id=who).scalar()
    step = JourneyStep(
        entry_id=entry_id,
        customer_id=who,
        step="question",
        status="sent",
        channel=channel,
        repeats=repeats,
        **STEP,
    )
    session.add(step)
    session.flush()
    key = key_of(step)
    if channel == "email":
        about = {"purpose": "newsletter", "asked": False, "customer_id": who, "language": "en"}
        session.add(OutboxMessage(key=key, message_id=key, status=status, **about))
        return
    talk = Conversation(channel=channel, language="en")
    session.add(talk)
    session.flush()
    message = Message(conversation_id=talk.id, sequence=1, author="bot", channel=channel, provider_id=key)
    message.status, message.text, message.language = "done", "Hi", "en"
    session.add(message)
    session.add(Delivery(conversation_id=talk.id, sequence=1, channel=channel, status=status, **more))
    session.flush()


def test_what_became_of_what_was_sent_is_told_for_each_way(engine: Engine) -> None:
    with session_scope(engine) as session:
        for status in ("sent", "sent", "bounced", "queued", "sending"):
            sent(session, "email", status)
        sent(session, "email", "unknown", repeats=1)
        sent(session, "telegram", "sent")
        sent(session, "whatsapp", "sent", delivered_at=NOW)
        sent(session, "whatsapp", "sent", delivered_at=NOW, read_at=NOW, repeats=2)
        for status in ("failed", "unknown", "cancelled", "sending"):
            sent(session, "whatsapp", status)
    with statements(engine) as asked, read_scope(engine) as session:
        assert results.fates(session, KEY, SINCE) == {
            "question": {
                "email": {"sent": 2, "bounced": 1, "queued": 2, "unknown": 1},
                "telegram": {"sent": 1},
                "whatsapp": {"delivered": 2, "failed": 1, "unknown": 1, "cancelled": 1, "queued": 1},
            }
        }
        assert results.fates(session, "another", SINCE) == {}
    assert all(read_whole(engine, one) == [] for one in asked)


def test_every_goal_can_be_asked_for(engine: Engine) -> None:
    with session_scope(engine) as session:
        enter(session, "a", 100)
    with read_scope(engine) as session:
        for goal in ("bought", "subscribed", "rated"):
            journey = JOURNEY.model_copy(update={"goal": goal})
            assert results.of(session, KEY, journey, "NOK", SINCE, NOW).groups == {"a": Group(1, 0, 0, 0)}
        nothing = JOURNEY.model_copy(update={"goal": "none"})
        assert results.of(session, KEY, nothing, "NOK", SINCE, NOW).groups == {}
