"""The audit log as it is looked at: the newest first, by filters. There is no way to change it.

Ids follow time closely, so rows are shown in their order; a day is turned into a range of ids first, so that
no filter needs more than its own index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, desc, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from rapport.staff.models import AuditEvent

PAGE = 100
# An event gets its time and its id a moment before its transaction ends: two at once may have them crossed.
CROSSED = 1000
NOBODY = 0


@dataclass(frozen=True)
class Filter:
    """What is looked for; None or "" is anything. `staff_id` NOBODY: what nobody did who was logged in."""

    staff_id: int | None = None
    action: str = ""
    subject: str = ""
    subject_id: str = ""
    since: datetime | None = None
    until: datetime | None = None


def page(
    session: Session, wanted: Filter, before: int | None = None, most: int = PAGE
) -> Sequence[AuditEvent]:
    """The newest events, older than the one with the id `before`."""
    query = _filtered(session, wanted)
    if query is None:
        return []
    if before is not None:
        query = query.where(AuditEvent.id < before)
    return session.scalars(query.order_by(desc(AuditEvent.id)).limit(most)).all()


def newer(session: Session, wanted: Filter, after: int, most: int = PAGE) -> Sequence[AuditEvent]:
    """The page before one that begins with the event `after`, the newest first."""
    query = _filtered(session, wanted)
    if query is None:
        return []
    found = session.scalars(query.where(AuditEvent.id > after).order_by(AuditEvent.id).limit(most)).all()
    return found[::-1]


def actions(session: Session) -> list[str]:
    """Every action there is."""
    return list(_distinct(session, AuditEvent.action))


def subjects(session: Session) -> list[str]:
    """Every kind of subject there is."""
    return list(_distinct(session, AuditEvent.subject))


def _filtered(session: Session, wanted: Filter) -> Select[AuditEvent] | None:
    """None when nothing can be found."""
    query = select(AuditEvent)
    conditions: list[ColumnElement[bool]] = []
    if wanted.staff_id is not None:
        by = AuditEvent.staff_id
        conditions.append(by.is_(None) if wanted.staff_id == NOBODY else by == wanted.staff_id)
    if wanted.action:
        conditions.append(AuditEvent.action == wanted.action)
    if wanted.subject:
        conditions.append(AuditEvent.subject == wanted.subject)
    if wanted.subject_id:
        conditions.append(AuditEvent.subject_id == wanted.subject_id)
    if wanted.since is not None:
        first = session.scalar(
            select(AuditEvent.id).where(AuditEvent.at >= wanted.since).order_by(AuditEvent.at).limit(1)
        )
        if first is None:
            return None
        conditions += [AuditEvent.id > first - CROSSED, AuditEvent.at >= wanted.since]
    if wanted.until is not None:
        last = session.scalar(
            select(AuditEvent.id).where(AuditEvent.at < wanted.until).order_by(desc(AuditEvent.at)).limit(1)
        )
        if last is None:
            return None
        conditions += [AuditEvent.id < last + CROSSED, AuditEvent.at < wanted.until]
    return query.where(*conditions)


def _distinct(session: Session, column: InstrumentedAttribute[Any]) -> Iterator[str]:
    """The values of a column, each found through its index from the one before: few of them in many rows."""
    found = select(func.min(column).label("value")).cte("found", recursive=True)
    following = select(func.min(column)).where(column > found.c.value).correlate(found).scalar_subquery()
    found = found.union_all(select(following).where(found.c.value.is_not(None)))
    yield from (value for value in session.scalars(select(found.c.value)) if value is not None)
