"""A journey's message that waited in a messaging app's queue: the contact policy is asked again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.channels.models import Delivery
from rapport.channels.sending import Sender
from rapport.conversations.models import Message
from rapport.customers import choices
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.settings import Settings
from rapport.outreach import last_look
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.outreach.policy.models import ContactDecision
from tests.channels.people import Telegram, point_of, queue_delivery, write

# A Monday, a quarter to nine in the evening in Oslo.
EVENING = datetime(2026, 3, 2, 19, 45, tzinfo=UTC)
MORNING = datetime(2026, 3, 3, 8, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _still(settings: Settings) -> Iterator[None]:
    with clock.freeze(EVENING):
        yield


@pytest.fixture
def telegram() -> Telegram:
    return Telegram()


@pytest.fixture
def sender(engine: Engine, telegram: Telegram) -> Sender:
    return Sender(engine, {"telegram": telegram})


def queued(session: Session, telegram: Telegram) -> int:
    """Somebody's welcome, decided this evening; who it is."""
    write(session, telegram, "77")
    person = point_of(session, telegram, "77").customer_id
    choices.agree(session, person, [("newsletter", "telegram")], choices.Said("page:1", "page-1"))
    delivery = session.get_one(Delivery, queue_delivery(session, telegram, "77"))
    entry = JourneyEntry(
        customer_id=person, journey="welcome", trigger_key="k", variant="a", anchor_at=EVENING
    )
    session.add(entry)
    session.flush()
    step = JourneyStep(
        entry_id=entry.id,
        customer_id=person,
        journey="welcome",
        step="hello",
        trigger_key="k",
        due_at=EVENING,
        planned_at=EVENING,
        status="sent",
    )
    session.add(step)
    session.flush()
    session.add(
        Message(
            conversation_id=delivery.conversation_id,
            sequence=delivery.sequence,
            author="bot",
            channel="telegram",
            provider_id=f"journey:{step.id}",
            status="untold",
            text="Welcome!",
            language="en",
        )
    )
    return person


def test_at_night_it_waits_for_the_morning(engine: Engine, sender: Sender, telegram: Telegram) -> None:
    with session_scope(engine) as session:
        queued(session, telegram)
    with clock.freeze(EVENING + timedelta(hours=1)):
        assert sender.send_next()
        assert not sender.send_next()
    assert telegram.accepted == []
    with session_scope(engine) as session:
        delivery = session.scalars(select(Delivery)).one()
        assert (delivery.status, delivery.next_attempt_at, delivery.attempts) == ("queued", MORNING, 0)
        decision = session.scalars(select(ContactDecision)).one()
        assert (decision.outcome, decision.reason, decision.until) == ("later", "quiet_hours", MORNING)
    with clock.freeze(MORNING):
        assert sender.send_next()
    assert [sent.text.partition("\n")[0] for _, _, sent in telegram.accepted] == ["Welcome!"]


def test_who_complained_meanwhile_does_not_get_it(engine: Engine, sender: Sender, telegram: Telegram) -> None:
    with session_scope(engine) as session:
        person = queued(session, telegram)
        session.add(Case(kind="complaint", text="t", language="en", customer_id=person, message_key="k"))
    with clock.freeze(EVENING + timedelta(minutes=5)):
        assert sender.send_next()
    with session_scope(engine) as session:
        delivery = session.scalars(select(Delivery)).one()
        assert (delivery.status, delivery.last_error) == ("failed", "not any more: open_complaint")
        assert session.scalars(select(ContactDecision.reason)).all() == ["open_complaint"]
        step = session.scalars(select(JourneyStep)).one()
        assert (step.status, step.reason) == ("skipped", "open_complaint")
    assert telegram.accepted == []


def test_what_a_journey_wanted_whose_file_is_gone_is_not_said(
    engine: Engine, sender: Sender, telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session_scope(engine) as session:
        queued(session, telegram)
    left = {key: journey for key, journey in last_look.load_all().items() if key != "welcome"}
    monkeypatch.setattr(last_look, "load_all", lambda: left)
    with clock.freeze(EVENING + timedelta(minutes=5)):
        assert sender.send_next()
    with session_scope(engine) as session:
        assert session.scalars(select(ContactDecision.reason)).all() == ["switched_off"]
    assert telegram.accepted == []


def test_what_was_just_decided_goes_out(engine: Engine, sender: Sender, telegram: Telegram) -> None:
    with session_scope(engine) as session:
        queued(session, telegram)
    assert sender.send_next()
    assert len(telegram.accepted) == 1
