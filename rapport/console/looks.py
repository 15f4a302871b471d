"""Every look at a conversation or a customer is kept; a page loaded again soon is no other look."""

from __future__ import annotations

from rapport.console.desk import Desk
from rapport.notes import service

LIST = "list"  # instead of one: all of them in a list


def look(desk: Desk, subject: str, subject_id: object, full: bool, **details: object) -> None:
    """Keeps in the audit log that they looked at this; `full`: with personal data as they are."""
    with desk.reading() as session:
        if not service.is_new_look(session, desk.staff.id, subject, subject_id, full):
            return
    with desk.writing() as session:
        desk.note(session, service.LOOK, subject, subject_id, full=full, **details)
