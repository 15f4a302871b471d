"""All queries of the contact policy: what is known of customers, and what was decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, func, or_, select, union_all
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.channels.models import ContactPoint
from rapport.conversations.models import Conversation
from rapport.customers.models import ConsentEvent, ContactPolicy, Customer, Identity
from rapport.kit import clock
from rapport.outreach.journeys.models import JourneyStep
from rapport.outreach.policy.models import ContactDecision
from rapport.outreach.policy.rules import Decision
from rapport.value.models import CustomerValue

SENT = "send"


def people(session: Session, customer_ids: Collection[int]) -> Sequence[Any]:
    """Where they are, what they are worth, and how they want to be contacted; a row for each there is."""
    return session.execute(
        select(
            Customer.id,
            Customer.timezone,
            Customer.country,
            CustomerValue.clv_minor,
            ContactPolicy.preferred_channel,
            ContactPolicy.refused_channels,
            ContactPolicy.max_per_month,
            ContactPolicy.paused_until,
            ContactPolicy.left_at,
        )
        .outerjoin(ContactPolicy, ContactPolicy.customer_id == Customer.id)
        .outerjoin(CustomerValue, CustomerValue.customer_id == Customer.id)
        .where(Customer.id.in_(customer_ids))
    ).all()


def consents(session: Session, customer_ids: Collection[int]) -> Mapping[int, list[Any]]:
    """All that each of them ever agreed to or withdrew, oldest first."""
    rows = session.execute(
        select(
            ConsentEvent.customer_id,
            ConsentEvent.id,
            ConsentEvent.purpose,
            ConsentEvent.channel,
            ConsentEvent.granted,
            ConsentEvent.wording_version,
            ConsentEvent.at,
        )
        .where(ConsentEvent.customer_id.in_(customer_ids))
        .order_by(ConsentEvent.at, ConsentEvent.id)
    )
    return _by_customer(rows)


def identities(session: Session, customer_ids: Collection[int]) -> Mapping[int, list[Any]]:
    """Their addresses and numbers, those they have shown to be theirs first, and of these the newest."""
    rows = session.execute(
        select(Identity.customer_id, Identity.kind, Identity.value, Identity.verified_at)
        .where(Identity.customer_id.in_(customer_ids))
        .order_by(Identity.verified_at.is_(None), Identity.verified_at.desc(), Identity.id)
    )
    return _by_customer(rows)


def contact_points(session: Session, customer_ids: Collection[int]) -> Mapping[int, list[Any]]:
    """Where they are reached in messaging apps, where they wrote last first, with the state of the talk."""
    rows = session.execute(
        select(
            ContactPoint.customer_id,
            ContactPoint.channel,
            ContactPoint.conversation_id,
            ContactPoint.last_inbound_at,
            ContactPoint.stopped_at,
            ContactPoint.unreachable_since,
        )
        .where(ContactPoint.customer_id.in_(customer_ids))
        .order_by(ContactPoint.last_inbound_at.desc(), ContactPoint.id.desc())
    )
    return _by_customer(rows)


def _by_customer(rows: Iterable[Any]) -> Mapping[int, list[Any]]:
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.customer_id].append(row)
    return found


def sent_since(session: Session, customer_id: int, since: datetime) -> Sequence[datetime]:
    """When they were written to unasked, newest first: each step once, and none that was called back."""
    last = func.max(ContactDecision.at)
    return session.scalars(
        _sent(last, customer_id)
        .where(ContactDecision.at > since)
        .group_by(func.coalesce(ContactDecision.step_id, -ContactDecision.id))
        .order_by(last.desc())
    ).all()


def unsettled(session: Session, customer_id: int) -> set[str]:
    """What is open with them: a complaint, or a mention that our people took down, which may be one; also
    from before we knew who they are. (What is found in public by itself: rapport/mentions.)
    """
    bad = or_(Case.kind == "complaint", and_(Case.kind == "mention", Case.message_key.startswith("staff:")))
    parts = [
        select(Case.kind).where(whose, bad, Case.resolved_at.is_(None))
        for whose in (Case.customer_id == customer_id, Case.conversation_id.in_(_talks(customer_id)))
    ]
    return set(session.scalars(union_all(*parts)))


def with_staff_since(session: Session, customer_id: int, since: datetime) -> datetime | None:
    """When something was last said in a talk that people of ours have, or are to take; if since then."""
    return session.scalar(
        select(func.max(Conversation.updated_at)).where(
            Conversation.id.in_(_talks(customer_id)),
            Conversation.status != "bot",
            Conversation.updated_at > since,
        )
    )


def _talks(customer_id: int) -> CompoundSelect[tuple[str]]:
    """Their conversations: those in which they showed who they are, and those in their apps."""
    return union_all(
        select(Conversation.id).where(Conversation.customer_id == customer_id),
        select(ContactPoint.conversation_id).where(ContactPoint.customer_id == customer_id),
    )


# --- decisions ---------------------------------------------------------------------------------------------


class Step(Protocol):
    """What `add` needs of a journey's step."""

    id: int
    customer_id: int
    journey: str
    step: str


def add(
    session: Session, step: Step, decision: Decision, facts: Mapping[str, Any] | None = None
) -> ContactDecision:
    """Write down a decision about a step, with what it rests on (and `facts` that others know of it)."""
    row = ContactDecision(
        customer_id=step.customer_id,
        journey=step.journey,
        step=step.step,
        step_id=step.id,
        outcome=decision.outcome,
        reason=decision.reason,
        channel=decision.channel,
        until=decision.until,
        facts={**decision.facts, **(facts or {})},
        at=clock.now(),
    )
    session.add(row)
    session.flush()
    return row


def decisions(session: Session, customer_id: int, limit: int) -> Sequence[ContactDecision]:
    """The newest about one customer."""
    return session.scalars(
        select(ContactDecision)
        .where(ContactDecision.customer_id == customer_id)
        .order_by(ContactDecision.at.desc(), ContactDecision.id.desc())
        .limit(limit)
    ).all()


def last_sent(session: Session, customer_id: int) -> datetime | None:
    return session.scalar(_sent(func.max(ContactDecision.at), customer_id))


def _sent(what: ColumnElement[datetime], customer_id: int) -> Select[datetime]:
    return (
        select(what)
        .outerjoin(JourneyStep, JourneyStep.id == ContactDecision.step_id)
        .where(
            ContactDecision.customer_id == customer_id,
            ContactDecision.outcome == SENT,
            or_(ContactDecision.step_id.is_(None), JourneyStep.status == "sent"),
        )
    )
