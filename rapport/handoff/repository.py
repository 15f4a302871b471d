"""All queries on conversations that a person is wanted for, or has."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rapport.conversations.models import Conversation, Handoff, Message


def open_handoff(session: Session, conversation_id: str) -> Handoff | None:
    """The wish for a person that is not settled yet."""
    query = select(Handoff).where(Handoff.conversation_id == conversation_id, Handoff.closed_at.is_(None))
    return session.scalar(query, execution_options={"populate_existing": True})


def locked_status(session: Session, conversation: Conversation) -> str:
    """The conversation's status, with its lock until the transaction ends."""
    session.refresh(conversation, ["status", "assigned_to", "language"], with_for_update=True)
    return conversation.status


def last_said_by_staff(session: Session, conversation_id: str) -> int:
    """The sequence number of the last thing a person said; 0 when nobody did."""
    query = select(func.max(Message.sequence)).where(
        Message.conversation_id == conversation_id, Message.author == "staff"
    )
    return session.scalar(query) or 0


def kept_since(session: Session, conversation_id: str, sequence: int) -> list[Message]:
    """What the customer said to a person after that sequence number, in order."""
    query = select(Message).where(
        Message.conversation_id == conversation_id,
        Message.sequence > sequence,
        Message.author == "customer",
        Message.status == "kept",
    )
    return list(session.scalars(query.order_by(Message.sequence)))
