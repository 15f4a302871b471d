"""What the pages ask about canned replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.kit.errors import ConflictError, NotFoundError
from rapport.replies import repository, rules
from rapport.replies.models import CannedReply

DEFAULTS = Path(__file__).parent / "defaults.yml"


class TakenError(ConflictError):
    """Another reply has the shortcut."""


def offered(session: Session) -> Sequence[CannedReply]:
    """The replies staff may choose from, in their order; `texts` has those languages it exists in."""
    return repository.everything(session)


def archived(session: Session) -> Sequence[CannedReply]:
    """Those that are offered no more."""
    return repository.everything(session, archived=True)


def get(session: Session, reply_id: int) -> CannedReply:
    """Raises NotFoundError."""
    reply = session.get(CannedReply, reply_id)
    if reply is None:
        raise NotFoundError("There is no such canned reply.")
    return reply


def create(
    session: Session, title: str, shortcut: str, texts: Mapping[str, str], staff_id: int | None = None
) -> CannedReply:
    """A new one, at the end. Raises InvalidInputError, PlaceholderError, and TakenError."""
    shortcut = _free(session, shortcut)
    reply = CannedReply(
        title=rules.checked_title(title),
        shortcut=shortcut,
        texts=rules.checked_texts(texts),
        position=repository.last_position(session) + 1,
        used=0,
        version=1,
        changed_by=staff_id,
    )
    session.add(reply)
    session.flush()
    return reply


def change(
    session: Session,
    reply_id: int,
    version: int,
    title: str,
    shortcut: str,
    texts: Mapping[str, str],
    staff_id: int,
) -> None:
    """Saves it, if it still is at `version`. Raises InvalidInputError, PlaceholderError, NotFoundError,
    TakenError, and ConflictError when somebody was faster.
    """
    get(session, reply_id)
    values = {
        "title": rules.checked_title(title),
        "shortcut": _free(session, shortcut, reply_id),
        "texts": rules.checked_texts(texts),
    }
    _change(session, reply_id, version, staff_id, values)


def archive(session: Session, reply_id: int, version: int, staff_id: int) -> None:
    """It is offered no more; nothing is deleted. Raises NotFoundError and ConflictError."""
    get(session, reply_id)
    _change(session, reply_id, version, staff_id, {"archived_at": clock.now()})


def bring_back(session: Session, reply_id: int, version: int, staff_id: int) -> None:
    """It is offered again, at the end. Raises NotFoundError and ConflictError."""
    get(session, reply_id)
    position = repository.last_position(session) + 1
    _change(session, reply_id, version, staff_id, {"archived_at": None, "position": position})


def move_up(session: Session, reply_id: int) -> None:
    """It takes the place of the one before it. Raises NotFoundError."""
    replies = list(offered(session))
    reply = get(session, reply_id)
    place = replies.index(reply) if reply in replies else 0
    if place:
        replies[place - 1 : place + 1] = reversed(replies[place - 1 : place + 1])
    for number, one in enumerate(replies, 1):
        one.position = number
    session.flush()


def used(session: Session, reply_id: int) -> None:
    """It was sent once more."""
    repository.count_use(session, reply_id)


def seed(session: Session) -> int:
    """Fills an empty table with the replies that come with Rapport; how many."""
    if not repository.is_empty(session):
        return 0
    for default in _defaults():
        create(session, default["title"], default["shortcut"], default["texts"])
    return len(_defaults())


@cache
def _defaults() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(DEFAULTS.read_text("utf-8"))
    return found


def _free(session: Session, shortcut: str, reply_id: int | None = None) -> str:
    shortcut = rules.checked_shortcut(shortcut)
    other = repository.by_shortcut(session, shortcut)
    if other is not None and other.id != reply_id:
        raise TakenError(f"Another canned reply has the shortcut /{shortcut} already.")
    return shortcut


def _change(
    session: Session, reply_id: int, version: int, staff_id: int, values: Mapping[str, object]
) -> None:
    kept = {**values, "changed_by": staff_id, "changed_at": clock.now()}
    if not repository.change(session, reply_id, version, kept):
        raise ConflictError("Somebody else has changed this meanwhile; nothing was saved. Look at it again.")
    session.expire_all()
