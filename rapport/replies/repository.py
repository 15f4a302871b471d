"""All queries on canned replies."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from rapport.replies.models import CannedReply


def everything(session: Session, archived: bool = False) -> Sequence[CannedReply]:
    """Those that are offered, or those that are archived, in their order."""
    query = select(CannedReply).where(CannedReply.archived_at.is_not(None) == archived)
    return session.scalars(query.order_by(CannedReply.position, CannedReply.id)).all()


def by_shortcut(session: Session, shortcut: str) -> CannedReply | None:
    return session.scalars(select(CannedReply).where(CannedReply.shortcut == shortcut)).one_or_none()


def is_empty(session: Session) -> bool:
    return session.scalar(select(func.count()).select_from(CannedReply)) == 0


def last_position(session: Session) -> int:
    return session.scalar(select(func.max(CannedReply.position))) or 0


def change(session: Session, reply_id: int, version: int, values: dict[str, object]) -> bool:
    """Changes it if it still is at that version."""
    query = update(CannedReply).where(CannedReply.id == reply_id, CannedReply.version == version)
    result = session.execute(query.values(**values, version=version + 1))
    return bool(result.rowcount)  # type: ignore[attr-defined]


def count_use(session: Session, reply_id: int) -> None:
    session.execute(update(CannedReply).where(CannedReply.id == reply_id).values(used=CannedReply.used + 1))
