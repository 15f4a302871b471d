"""All queries on notes, tags, who looks after a conversation, and who looked at what."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from rapport.conversations.models import Conversation
from rapport.kit.upsert import insert
from rapport.notes.models import ConversationTag, Note
from rapport.staff.models import AuditEvent


def notes(session: Session, conversation_id: str) -> Sequence[Note]:
    """The conversation's notes, oldest first."""
    return session.scalars(
        select(Note).where(Note.conversation_id == conversation_id).order_by(Note.id)
    ).all()


def note(session: Session, conversation_id: str, note_id: int) -> Note | None:
    return session.scalar(select(Note).where(Note.id == note_id, Note.conversation_id == conversation_id))


def tags(session: Session, conversation_id: str) -> Sequence[str]:
    """The conversation's tags in the order of the alphabet."""
    query = select(ConversationTag.tag).where(ConversationTag.conversation_id == conversation_id)
    return session.scalars(query.order_by(ConversationTag.tag)).all()


def known_tags(session: Session, limit: int = 200) -> Sequence[str]:
    """Tags in use, in the order of the alphabet.

    From each to the next through the index: however many conversations carry them, it takes a step a tag.
    """
    first = select(func.min(ConversationTag.tag).label("tag")).cte("known", recursive=True)
    following = (
        select(func.min(ConversationTag.tag)).where(ConversationTag.tag > first.c.tag).scalar_subquery()
    )
    known = first.union_all(select(following).where(first.c.tag.is_not(None)))
    return session.scalars(select(known.c.tag).where(known.c.tag.is_not(None)).limit(limit)).all()


def add_tag(session: Session, conversation_id: str, tag: str, staff_id: int, at: datetime) -> bool:
    """False when the conversation has it already."""
    added = session.scalar(
        insert(session, ConversationTag)
        .values(conversation_id=conversation_id, tag=tag, staff_id=staff_id, at=at)
        .on_conflict_do_nothing(index_elements=["conversation_id", "tag"])
        .returning(ConversationTag.tag)
    )
    return added is not None


def remove_tag(session: Session, conversation_id: str, tag: str) -> bool:
    """False when the conversation does not have it."""
    removed = session.scalar(
        delete(ConversationTag)
        .where(ConversationTag.conversation_id == conversation_id, ConversationTag.tag == tag)
        .returning(ConversationTag.tag)
    )
    return removed is not None


def assign(session: Session, conversation_id: str, staff_id: int | None) -> None:
    statement = update(Conversation).where(Conversation.id == conversation_id).values(assigned_to=staff_id)
    session.execute(statement.execution_options(synchronize_session=False))


def last_look(
    session: Session, staff_id: int, action: str, subject: str, subject_id: str
) -> AuditEvent | None:
    """When somebody last looked at this."""
    query = select(AuditEvent).where(
        AuditEvent.subject == subject,
        AuditEvent.subject_id == subject_id,
        AuditEvent.staff_id == staff_id,
        AuditEvent.action == action,
    )
    return session.scalar(query.order_by(AuditEvent.id.desc()).limit(1))


def events_of(
    session: Session, customer_id: int, conversations: Collection[str], limit: int
) -> Sequence[AuditEvent]:
    """Who looked at or changed what of a customer or of these conversations, newest first."""
    about = or_(
        (AuditEvent.subject == "customer") & (AuditEvent.subject_id == str(customer_id)),
        (AuditEvent.subject == "conversation") & AuditEvent.subject_id.in_(conversations),
    )
    return session.scalars(select(AuditEvent).where(about).order_by(AuditEvent.id.desc()).limit(limit)).all()
