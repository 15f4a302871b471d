"""What came of a journey, counted on both databases."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.customers.models import Customer
from rapport.kit.database import read_scope, session_scope
from rapport.outreach.journeys import results
from rapport.outreach.journeys.definition import load_all
from rapport.outreach.journeys.lift import Group
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.outreach.models import OutboxMessage
from rapport.shop.models import Order
from tests.outreach.journeys.walk import NOW

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
        # The last mail came back.
        mailed = session.query(JourneyStep).filter_by(channel="email").order_by(JourneyStep.id.desc()).first()
        assert mailed is not None
        session.add(
            OutboxMessage(
                key="k",
                purpose="newsletter",
                asked=False,
                customer_id=mailed.customer_id,
                step_id=mailed.id,
                language="en",
                message_id="<1@x>",
                status="bounced",
            )
        )
    seen = found(engine)
    assert list(seen.steps) == ["question", "offer"]
    question = seen.steps["question"]
    assert question.sent == {"email": 2, "telegram": 1} and question.lost == {"bounced": 1}
    assert (question.skipped, question.left, question.waiting) == ({"no_consent": 1}, {"bought": 1}, 1)
    assert (seen.running, seen.left, seen.groups) == (1, {"bought": 1}, {})
    with read_scope(engine) as session:
        [next_one] = results.waiting(session, KEY, 10)
        assert next_one.step == "question"


def test_every_goal_can_be_asked_for(engine: Engine) -> None:
    with session_scope(engine) as session:
        enter(session, "a", 100)
    with read_scope(engine) as session:
        for goal in ("bought", "subscribed", "rated"):
            journey = JOURNEY.model_copy(update={"goal": goal})
            assert results.of(session, KEY, journey, "NOK", SINCE, NOW).groups == {"a": Group(1, 0, 0, 0)}
        nothing = JOURNEY.model_copy(update={"goal": "none"})
        assert results.of(session, KEY, nothing, "NOK", SINCE, NOW).groups == {}
