"""Notes, tags and who looks after a conversation, for the console. Nothing of it leaves the console."""

from __future__ import annotations

from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.kit.errors import ForbiddenError, InvalidInputError, NotFoundError
from rapport.notes import repository, rules
from rapport.notes.models import Note
from rapport.staff import service as staff_service

LOOK = "look"


class TooManyError(InvalidInputError):
    """The conversation has as many tags as it may."""


def add_note(session: Session, conversation_id: str, staff_id: int, text: str) -> Note:
    """Raises InvalidInputError."""
    note = Note(conversation_id=conversation_id, staff_id=staff_id, text=rules.note(text), at=clock.now())
    session.add(note)
    session.flush()
    return note


def change_note(session: Session, conversation_id: str, staff_id: int, note_id: int, text: str) -> Note:
    """One's own note in other words. Raises NotFoundError, ForbiddenError or InvalidInputError."""
    note = _own(session, conversation_id, staff_id, note_id)
    note.text, note.edited_at = rules.note(text), clock.now()
    session.flush()
    return note


def delete_note(session: Session, conversation_id: str, staff_id: int, note_id: int) -> None:
    """Raises NotFoundError or ForbiddenError."""
    session.delete(_own(session, conversation_id, staff_id, note_id))
    session.flush()


def _own(session: Session, conversation_id: str, staff_id: int, note_id: int) -> Note:
    note = repository.note(session, conversation_id, note_id)
    if note is None:
        raise NotFoundError("There is no such note.")
    if note.staff_id != staff_id:
        raise ForbiddenError("Only who wrote a note may change it.")
    return note


def add_tag(session: Session, conversation_id: str, staff_id: int, text: str) -> str | None:
    """The tag as it is kept; None when the conversation has it already. Raises InvalidInputError, of which
    TooManyError is one.
    """
    tag = rules.tag(text)
    if len(repository.tags(session, conversation_id)) >= rules.MOST_TAGS:
        raise TooManyError(f"A conversation has at most {rules.MOST_TAGS} tags.")
    return tag if repository.add_tag(session, conversation_id, tag, staff_id, clock.now()) else None


def remove_tag(session: Session, conversation_id: str, tag: str) -> bool:
    """False when the conversation does not have it."""
    return repository.remove_tag(session, conversation_id, tag)


def assign(session: Session, conversation_id: str, staff_id: int | None) -> None:
    """Lets somebody, or nobody, look after it. Raises NotFoundError, and InvalidInputError for an account
    that is switched off.
    """
    if staff_id is not None and staff_service.get(session, staff_id).disabled_at is not None:
        raise InvalidInputError("That account is switched off.")
    repository.assign(session, conversation_id, staff_id)


def is_new_look(session: Session, staff_id: int, subject: str, subject_id: object, full: bool) -> bool:
    """Whether their look at this belongs into the audit log now; `full`: with personal data as they are."""
    last = repository.last_look(session, staff_id, LOOK, subject, str(subject_id))
    known = (last.at, bool(last.details.get("full"))) if last else None
    return rules.is_new_look(known, clock.now(), full)
