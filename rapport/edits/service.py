"""Saving, restoring and taking back what is edited. Whether a value makes sense is checked before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from rapport.edits import repository, source
from rapport.edits.models import ShopEdit
from rapport.kit.errors import ConflictError, NotFoundError

HISTORY = 100
CHANGED = "Somebody else has changed this meanwhile; nothing was saved."


def save(
    session: Session, section: str, base: int, value: Any, staff_id: int | None, note: str = ""
) -> ShopEdit:
    """A new version of a section, made from version `base` (0: the file). Without `value` the file counts
    again. Raises ConflictError when there is a newer one.
    """
    newest = repository.newest(session, section)
    if (newest.version if newest else 0) != base:
        raise ConflictError(CHANGED)
    edit = ShopEdit(section=section, version=base + 1, value=value, staff_id=staff_id, note=note)
    try:
        with session.begin_nested():
            session.add(edit)
    except IntegrityError:
        raise ConflictError(CHANGED) from None
    event.listen(session, "after_commit", _committed, once=True)
    return edit


def version_of(session: Session, section: str) -> int:
    """The number of the newest version; 0 while the file counts from the beginning."""
    newest = repository.newest(session, section)
    return newest.version if newest else 0


def history(session: Session, section: str) -> Sequence[ShopEdit]:
    """The newest versions, the newest first."""
    return repository.history(session, section, HISTORY)


def version(session: Session, section: str, number: int) -> ShopEdit:
    """Raises NotFoundError."""
    edit = repository.version(session, section, number)
    if edit is None:
        raise NotFoundError("There is no such version.")
    return edit


def _committed(_session: Session) -> None:
    source.changed()
