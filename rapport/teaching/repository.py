"""All queries on annotations and trainings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, func, select, text, update
from sqlalchemy.orm import Session

from rapport.conversations.models import UNCLEAR, Conversation, Message
from rapport.customers.models import Customer
from rapport.teaching.models import Annotation, TrainingRun


def of_conversation(session: Session, conversation_id: str) -> Sequence[Annotation]:
    """What was said about the messages of one conversation."""
    query = select(Annotation).join(Message, Message.id == Annotation.message_id)
    return session.scalars(
        query.where(Message.conversation_id == conversation_id).order_by(Annotation.id)
    ).all()


def of_message(session: Session, message_id: int, kind: str) -> Annotation | None:
    """The newest of one kind about a message."""
    query = select(Annotation).where(Annotation.message_id == message_id, Annotation.kind == kind)
    return session.scalars(query.order_by(Annotation.id.desc()).limit(1)).one_or_none()


def message(session: Session, message_id: int) -> tuple[Message, Conversation, str | None] | None:
    """A message, its conversation and the name of the customer it belongs to."""
    row = session.execute(_with_customer().where(Message.id == message_id)).one_or_none()
    return (row[0], row[1], row[2]) if row else None


def messages(session: Session, ids: Collection[int]) -> Sequence[Any]:
    """The same of several messages."""
    return session.execute(_with_customer().where(Message.id.in_(ids)).order_by(Message.id)).all()


def _with_customer() -> Any:
    return (
        select(Message, Conversation, Customer.name)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(Customer, Customer.id == Conversation.customer_id, isouter=True)
    )


def waiting(session: Session, status: str, limit: int, intent: str | None = None) -> Sequence[Any]:
    """Corrections in a state with their messages (annotation, text, understood, conversation), by intent."""
    query = (
        select(Annotation, Message.text, Message.intent, Message.conversation_id)
        .join(Message, Message.id == Annotation.message_id)
        .where(Annotation.status == status, Annotation.kind.in_(("intent", "entity")))
    )
    if intent is not None:
        query = query.where(Annotation.value == intent)
    return session.execute(query.order_by(Annotation.value, Annotation.id).limit(limit)).all()


def counts(session: Session, status: str) -> dict[str, int]:
    """How many corrections are in a state, by their value."""
    query = select(Annotation.value, func.count()).where(
        Annotation.status == status, Annotation.kind.in_(("intent", "entity"))
    )
    return {row[0]: row[1] for row in session.execute(query.group_by(Annotation.value))}


def by_ids(session: Session, ids: Collection[int]) -> Sequence[Annotation]:
    return session.scalars(select(Annotation).where(Annotation.id.in_(ids)).order_by(Annotation.id)).all()


def accepted(session: Session) -> Sequence[Annotation]:
    """What the next training takes, oldest first."""
    query = select(Annotation).where(Annotation.status == "accepted")
    return session.scalars(query.order_by(Annotation.id)).all()


def of_run(session: Session, run_ids: Collection[int]) -> Sequence[Annotation]:
    return session.scalars(select(Annotation).where(Annotation.run_id.in_(run_ids))).all()


def answers(session: Session, since: datetime) -> dict[str, int]:
    """How many of the bot's answers were marked good and bad since then."""
    query = select(Annotation.value, func.count()).where(
        Annotation.kind == "answer", Annotation.created_at >= since
    )
    return {row[0]: row[1] for row in session.execute(query.group_by(Annotation.value))}


def bad_answers(session: Session, limit: int) -> Sequence[Any]:
    """Answers marked bad, newest first: (annotation, the answer, its response's name, conversation)."""
    query = (
        select(Annotation, Message.text, Message.response, Message.conversation_id)
        .join(Message, Message.id == Annotation.message_id)
        .where(Annotation.kind == "answer", Annotation.value == "bad")
    )
    return session.execute(query.order_by(Annotation.id.desc()).limit(limit)).all()


def not_understood(session: Session, language: str, since: datetime, limit: int) -> Sequence[Any]:
    """(id, text, intent, confidence, conversation, customer's name) of typed messages the bot did not
    understand or was not sure of, and that nobody has marked; the newest.
    """
    marked = select(Annotation.id).where(
        Annotation.message_id == Message.id, Annotation.kind.in_(("intent", "ignore"))
    )
    query = (
        select(
            Message.id,
            Message.text,
            Message.intent,
            Message.confidence,
            Message.conversation_id,
            Customer.name,
        )
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(Customer, Customer.id == Conversation.customer_id, isouter=True)
        .where(
            # Word for word as its index says it.
            text(UNCLEAR),
            Message.language == language,
            Message.at >= since,
            ~marked.exists(),
        )
    )
    return session.execute(query.order_by(Message.id.desc()).limit(limit)).all()


def delete_annotation(session: Session, annotation_id: int) -> bool:
    """Takes back what nobody has decided yet; False when it was decided meanwhile."""
    statement = delete(Annotation).where(
        Annotation.id == annotation_id, Annotation.status.in_(("proposed", "noted"))
    )
    return cast(CursorResult[Any], session.execute(statement)).rowcount == 1


def running(session: Session) -> TrainingRun | None:
    return session.scalars(select(TrainingRun).where(TrainingRun.state == "running")).one_or_none()


def runs(session: Session, limit: int = 50) -> Sequence[TrainingRun]:
    """The newest first."""
    return session.scalars(select(TrainingRun).order_by(TrainingRun.id.desc()).limit(limit)).all()


def live_runs(session: Session) -> Sequence[TrainingRun]:
    """Those that went live, oldest first."""
    query = select(TrainingRun).where(TrainingRun.state == "live", TrainingRun.model.is_not(None))
    return session.scalars(query.order_by(TrainingRun.id)).all()


def write(session: Session, run_id: int, **values: Any) -> bool:
    """Writes to a run that still runs; False when it does not any more."""
    statement = (
        update(TrainingRun)
        .where(TrainingRun.id == run_id, TrainingRun.state == "running")
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return cast(CursorResult[Any], session.execute(statement)).rowcount == 1


def cancel_asked(session: Session, run_id: int) -> bool:
    query = select(TrainingRun.cancel_asked).where(TrainingRun.id == run_id)
    return bool(session.scalar(query))
