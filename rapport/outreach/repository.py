"""All queries on the outbox."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, and_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from rapport.outreach.models import OutboxMessage


def add_once(session: Session, message: OutboxMessage) -> bool:
    """Insert a message; False when its key is there already."""
    try:
        with session.begin_nested():
            session.add(message)
    except IntegrityError:
        return False
    return True


def something_due(session: Session, now: datetime) -> bool:
    return session.scalar(select(OutboxMessage.id).where(_due(now)).limit(1)) is not None


def claim(session: Session, now: datetime, lease_until: datetime) -> OutboxMessage | None:
    """Take the next due message for oneself until `lease_until`. Two workers never get the same one."""
    next_one = (
        select(OutboxMessage.id)
        .where(_due(now))
        .order_by(OutboxMessage.next_attempt_at, OutboxMessage.id)
        .limit(1)
        .with_for_update(
            skip_locked=True
        )  # PostgreSQL; SQLite leaves it out and lets one writer in at a time
    )
    return session.scalar(
        update(OutboxMessage)
        .where(OutboxMessage.id == next_one.scalar_subquery())
        .values(lease_until=lease_until, attempts=OutboxMessage.attempts + 1)
        .returning(OutboxMessage)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


def release(session: Session, message_id: int, lease_until: datetime, **values: Any) -> bool:
    """Write down what became of a claimed message; False when the lease was lost to another worker."""
    changed = session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == message_id, OutboxMessage.lease_until == lease_until)
        .values(lease_until=None, **values)
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", changed).rowcount == 1


def drop_queued(session: Session, key: str, reason: str) -> None:
    """Give up a message that no worker has in hand."""
    session.execute(
        update(OutboxMessage)
        .where(
            OutboxMessage.key == key, OutboxMessage.status == "queued", OutboxMessage.lease_until.is_(None)
        )
        .values(status="failed", last_error=reason, recipient=None, subject=None, text=None)
        .execution_options(synchronize_session=False)
    )


def drop_unasked(
    session: Session, recipients: Collection[str], asked_for: Collection[str], now: datetime, reason: str
) -> None:
    """Give up what is queued for these addresses. What a worker has in hand expires: this try is its last."""
    unasked = and_(
        OutboxMessage.status == "queued",
        OutboxMessage.recipient.in_(recipients),
        OutboxMessage.purpose.not_in(asked_for),
    )
    dropped = {"status": "failed", "last_error": reason, "recipient": None, "subject": None, "text": None}
    for free, values in ((True, dropped), (False, {"expires_at": now})):
        session.execute(
            update(OutboxMessage)
            .where(
                unasked,
                OutboxMessage.lease_until.is_(None) if free else OutboxMessage.lease_until.is_not(None),
            )
            .values(**values)
            .execution_options(synchronize_session=False)
        )


def _due(now: datetime) -> ColumnElement[bool]:
    free = or_(OutboxMessage.lease_until.is_(None), OutboxMessage.lease_until <= now)
    return and_(OutboxMessage.status == "queued", OutboxMessage.next_attempt_at <= now, free)
