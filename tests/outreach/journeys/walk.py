"""A customer, a journey of two steps, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from rapport.channels.models import ContactPoint
from rapport.conversations.models import Conversation
from rapport.customers import service as customers
from rapport.customers.models import Customer, Identity
from rapport.kit.database import read_scope, session_scope
from rapport.kit.languages import LANGUAGES
from rapport.outreach.journeys import entering
from rapport.outreach.journeys.definition import Journey
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.outreach.models import OutboxMessage
from rapport.outreach.policy.models import ContactDecision

# A Tuesday, noon in Oslo.
NOW = datetime(2026, 3, 3, 11, tzinfo=UTC)
DAY = timedelta(days=1)


def words(text: str = "Hello {name}, this is {shop}.", **more: str) -> dict[str, dict[str, str]]:
    """The same words in each language, which they name."""
    return {
        language: {"subject": f"News ({language})", "text": f"{language}: {text}", **more}
        for language in LANGUAGES
    }


def step(key: str = "first", text: str = "Hello {name}, this is {shop}.", **more: Any) -> dict[str, Any]:
    short = {"short": more.pop("short")} if "short" in more else {}
    return {"key": key, "words": words(text, **short)} | more


def journey(*steps: dict[str, Any], **more: Any) -> Journey:
    """A journey without control group; of two steps, a week apart, if none are given."""
    content = {
        "name": "Test",
        "about": "A journey to test with.",
        "trigger": {"on": "delivered"},
        "purpose": "newsletter",
        "control": 0,
        "steps": steps or (step("first"), step("second", after_days=7)),
    }
    return Journey.model_validate(content | more)


def person(
    session: Session, address: str | None = "ann@example.com", agrees: bool = True, **more: Any
) -> int:
    """A customer's id; their address is proven, and they agreed to the newsletter there."""
    one = Customer(**({"name": "Ann Berg", "language": "en"} | more))
    session.add(one)
    session.flush()
    if address is not None:
        session.add(Identity(customer_id=one.id, kind="email", value=address, verified_at=NOW - 9 * DAY))
        session.flush()
    if agrees:
        agree(session, one.id)
    return one.id


def agree(
    session: Session,
    customer_id: int,
    granted: bool = True,
    channel: str = "email",
    purpose: str = "newsletter",
    at: datetime = NOW - 9 * DAY,
) -> None:
    customers.record_consent(
        session,
        customer_id,
        purpose=purpose,
        channel=channel,
        granted=granted,
        wording_version="chat-1",
        source="test",
        at=at,
    )


def in_app(
    session: Session,
    customer_id: int,
    channel: str = "telegram",
    wrote_at: datetime = NOW - timedelta(hours=1),
) -> Conversation:
    """The customer's conversation in a messaging app."""
    talk = Conversation(channel=channel, language="es", customer_id=customer_id)
    session.add(talk)
    session.flush()
    session.add(
        ContactPoint(
            channel=channel,
            address=f"{channel}-{customer_id}",
            conversation_id=talk.id,
            customer_id=customer_id,
            last_inbound_at=wrote_at,
        )
    )
    session.flush()
    return talk


def begin(
    session: Session,
    one: Journey,
    customer_id: int,
    trigger_key: str = "order:1",
    at: datetime = NOW,
    **context: Any,
) -> JourneyEntry | None:
    """They enter the journey `test` because of something that happened just now."""
    return entering.enter(session, "test", one, customer_id, trigger_key, at, context, at)


def walker(engine: Engine, one: Journey, **context: Any) -> int:
    """Somebody who has just entered."""
    with session_scope(engine) as session:
        customer_id = person(session)
        assert begin(session, one, customer_id, **context) is not None
    return customer_id


def steps(engine: Engine) -> list[tuple[str, str, str | None]]:
    """(step, status, reason) of all."""
    with read_scope(engine) as session:
        rows = session.scalars(select(JourneyStep).order_by(JourneyStep.id))
        return [(row.step, row.status, row.reason) for row in rows]


def mails(engine: Engine) -> list[OutboxMessage]:
    """What is in the outbox."""
    with read_scope(engine) as session:
        found = list(session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))
        session.expunge_all()
        return found


def decisions(engine: Engine) -> list[tuple[str, str, str]]:
    """(step, outcome, reason) of all that was decided."""
    with read_scope(engine) as session:
        rows = session.scalars(select(ContactDecision).order_by(ContactDecision.id))
        return [(row.step, row.outcome, row.reason) for row in rows]
