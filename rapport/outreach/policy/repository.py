"""All queries of the contact policy: what is known of one customer, and what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CompoundSelect, and_, func, or_, select, union_all
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.channels.models import ContactPoint
from rapport.conversations.models import Conversation
from rapport.customers.models import ConsentEvent, ContactPolicy, Customer, Identity
from rapport.outreach.policy.models import ContactDecision
from rapport.value.models import CustomerValue

SENT = "send"


def person(session: Session, customer_id: int) -> Any:
    """Where they are, what they are worth, and how they want to be contacted; None if there is nobody."""
    return session.execute(
        select(
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
        .where(Customer.id == customer_id)
    ).one_or_none()


def consents(session: Session, customer_id: int) -> Sequence[Any]:
    """All they ever agreed to or withdrew, oldest first."""
    return session.execute(
        select(
            ConsentEvent.id,
            ConsentEvent.purpose,
            ConsentEvent.channel,
            ConsentEvent.granted,
            ConsentEvent.wording_version,
            ConsentEvent.at,
        )
        .where(ConsentEvent.customer_id == customer_id)
        .order_by(ConsentEvent.at, ConsentEvent.id)
    ).all()


def identities(session: Session, customer_id: int) -> Sequence[Any]:
    """Their addresses and numbers, those they have shown to be theirs first, and of these the newest."""
    return session.execute(
        select(Identity.kind, Identity.value, Identity.verified_at)
        .where(Identity.customer_id == customer_id)
        .order_by(Identity.verified_at.is_(None), Identity.verified_at.desc(), Identity.id)
    ).all()


def contact_points(session: Session, customer_id: int) -> Sequence[Any]:
    """Where they are reached in messaging apps, where they wrote last first, with the state of the talk."""
    return session.execute(
        select(
            ContactPoint.channel,
            ContactPoint.conversation_id,
            ContactPoint.last_inbound_at,
            ContactPoint.stopped_at,
            ContactPoint.unreachable_since,
        )
        .where(ContactPoint.customer_id == customer_id)
        .order_by(ContactPoint.last_inbound_at.desc(), ContactPoint.id.desc())
    ).all()


def sent_since(session: Session, customer_id: int, since: datetime) -> Sequence[datetime]:
    """When they were written to unasked, newest first."""
    return session.scalars(
        select(ContactDecision.at)
        .where(
            ContactDecision.customer_id == customer_id,
            ContactDecision.at > since,
            ContactDecision.outcome == SENT,
        )
        .order_by(ContactDecision.at.desc())
    ).all()


def unsettled(session: Session, customer_id: int) -> set[str]:
    """What is open with them: a complaint, or a mention that our people took down; also from before we knew
    who they are. (What is found in public by itself: rapport/mentions.)
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


def add(session: Session, decision: ContactDecision) -> None:
    session.add(decision)
    session.flush()


def decisions(session: Session, customer_id: int, limit: int) -> Sequence[ContactDecision]:
    """The newest about one customer."""
    return session.scalars(
        select(ContactDecision)
        .where(ContactDecision.customer_id == customer_id)
        .order_by(ContactDecision.at.desc(), ContactDecision.id.desc())
        .limit(limit)
    ).all()


def last_sent(session: Session, customer_id: int) -> datetime | None:
    return session.scalar(
        select(func.max(ContactDecision.at)).where(
            ContactDecision.customer_id == customer_id, ContactDecision.outcome == SENT
        )
    )
