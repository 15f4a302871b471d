"""All queries on edits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rapport.edits.models import ShopEdit

# Histories of what stands in tables of its own.
OTHERS = ("reply.",)


def state(session: Session) -> tuple[int, int]:
    """Something that changes with each edit. The count too: rows may be committed in another order."""
    row = session.execute(select(func.max(ShopEdit.id), func.count())).one()
    return row[0] or 0, row[1]


def newest(session: Session, section: str) -> ShopEdit | None:
    query = select(ShopEdit).where(ShopEdit.section == section)
    return session.scalars(query.order_by(ShopEdit.version.desc()).limit(1)).one_or_none()


def newest_of_all(session: Session) -> Sequence[ShopEdit]:
    """The newest version of each section."""
    last = select(ShopEdit.section, func.max(ShopEdit.version).label("version")).group_by(ShopEdit.section)
    found = last.subquery()
    same = (ShopEdit.section == found.c.section) & (ShopEdit.version == found.c.version)
    return session.scalars(select(ShopEdit).join(found, same).order_by(ShopEdit.section)).all()


def values(session: Session) -> dict[str, Any]:
    """What counts now before the files, by section; sections that went back to the file are not in it."""
    return {
        edit.section: edit.value
        for edit in newest_of_all(session)
        if edit.value is not None and not edit.section.startswith(OTHERS)
    }


def history(session: Session, section: str, limit: int) -> Sequence[ShopEdit]:
    """The versions of a section, newest first."""
    query = select(ShopEdit).where(ShopEdit.section == section).order_by(ShopEdit.version.desc())
    return session.scalars(query.limit(limit)).all()


def version(session: Session, section: str, number: int) -> ShopEdit | None:
    query = select(ShopEdit).where(ShopEdit.section == section, ShopEdit.version == number)
    return session.scalars(query).one_or_none()
