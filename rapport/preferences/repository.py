"""All queries on subscriptions that wait for a yes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, func, select, update
from sqlalchemy.orm import Session

from rapport.preferences.models import Subscription


def add(session: Session, subscription: Subscription) -> None:
    session.add(subscription)
    session.flush()


def get(session: Session, subscription_id: int) -> Subscription | None:
    return session.get(Subscription, subscription_id)


def newest(session: Session, mailbox_hash: str) -> Subscription | None:
    """The newest one of a mailbox."""
    return session.scalar(
        select(Subscription)
        .where(Subscription.mailbox_hash == mailbox_hash)
        .order_by(Subscription.id.desc())
        .limit(1)
    )


def count_of_client(session: Session, client_hash: str, since: datetime) -> int:
    """How many subscriptions were asked for from one place on the network."""
    query = select(func.count()).where(
        Subscription.client_hash == client_hash, Subscription.requested_at > since
    )
    return session.scalar(query) or 0


def confirm(session: Session, subscription_id: int, now: datetime) -> bool:
    """Mark it confirmed; False when somebody else was faster."""
    done = session.execute(
        update(Subscription)
        .where(Subscription.id == subscription_id, Subscription.confirmed_at.is_(None))
        .values(confirmed_at=now)
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", done).rowcount == 1


def delete_requested_before(session: Session, at: datetime) -> int:
    """Drop what was asked for before then, confirmed or not; returns how many there were."""
    done = session.execute(
        delete(Subscription)
        .where(Subscription.requested_at < at)
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", done).rowcount
