"""All queries on staff."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, func, select, update
from sqlalchemy.orm import Session

from rapport.staff.models import Staff, StaffSession


def by_email(session: Session, email: str) -> Staff | None:
    return session.scalars(select(Staff).where(Staff.email == email)).one_or_none()


def by_subject(session: Session, subject: str) -> Staff | None:
    return session.scalars(select(Staff).where(Staff.oidc_subject == subject)).one_or_none()


def link(session: Session, staff_id: int, subject: str) -> bool:
    """Whether the account is now linked to this subject of the OpenID provider, and was to no other."""
    changed = session.execute(
        update(Staff)
        .where(Staff.id == staff_id, Staff.oidc_subject.is_(None))
        .values(oidc_subject=subject)
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", changed).rowcount == 1


def everybody(session: Session) -> Sequence[Staff]:
    """All accounts, those that are switched off last."""
    return session.scalars(select(Staff).order_by(Staff.disabled_at.is_not(None), Staff.name)).all()


def count(session: Session) -> int:
    """How many accounts there are, in use or not."""
    return session.scalar(select(func.count()).select_from(Staff)) or 0


def count_active(session: Session, role: str) -> int:
    query = select(func.count()).where(Staff.role == role, Staff.disabled_at.is_(None))
    return session.scalar(query) or 0


def lock_active_admins(session: Session) -> list[int]:
    """Ids of the administrators whose accounts are in use. Nobody else changes these until the session ends:
    of two who switch each other off, the second sees what the first did.
    """
    query = (
        select(Staff)
        .where(Staff.role == "admin", Staff.disabled_at.is_(None))
        .order_by(Staff.id)  # always in the same order, so that two never wait for each other
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return [staff.id for staff in session.scalars(query)]


def use_link(session: Session, staff_id: int, serial: int) -> bool:
    """Uses up the links with this serial; False when that has been done, or the account is switched off."""
    changed = session.execute(
        update(Staff)
        .where(Staff.id == staff_id, Staff.link_serial == serial, Staff.disabled_at.is_(None))
        .values(link_serial=Staff.link_serial + 1)
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", changed).rowcount == 1


def names(session: Session) -> dict[int, str]:
    """The names of all accounts by their ids."""
    return {row[0]: row[1] for row in session.execute(select(Staff.id, Staff.name))}


def login(session: Session, token_hash: str) -> tuple[Staff, StaffSession] | None:
    """Whose cookie that is."""
    query = select(Staff, StaffSession).join(StaffSession).where(StaffSession.token_hash == token_hash)
    row = session.execute(query).one_or_none()
    return (row[0], row[1]) if row else None


def touch(session: Session, token_hash: str, at: datetime) -> None:
    session.execute(update(StaffSession).where(StaffSession.token_hash == token_hash).values(seen_at=at))


def forget_login(session: Session, token_hash: str) -> None:
    session.execute(delete(StaffSession).where(StaffSession.token_hash == token_hash))


def forget_logins(session: Session, staff_id: int, but: str | None = None) -> None:
    """Log somebody out everywhere, but for one browser if given."""
    query = delete(StaffSession).where(StaffSession.staff_id == staff_id)
    session.execute(query.where(StaffSession.token_hash != but) if but else query)


def forget_old_logins(session: Session, created_before: datetime, seen_before: datetime) -> None:
    session.execute(
        delete(StaffSession).where(
            (StaffSession.created_at < created_before) | (StaffSession.seen_at < seen_before)
        )
    )
