"""Journeys: what others may ask for.

The way through one: a trigger finds somebody (finding.py), they enter once for each reason (entering.py) with
all steps and their due times; each step is decided when it is due (deciding.py) and handed over with the
decision (delivery.py). Then the outbox and the channels have it.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from rapport.edits import repository as edits
from rapport.kit.errors import NotFoundError
from rapport.outreach.journeys import edited, trying
from rapport.outreach.journeys.definition import Journey, load_all
from rapport.outreach.journeys.entering import leave
from rapport.outreach.journeys.trying import Preview, Trial

__all__ = ["Preview", "Trial", "broken", "dry_run", "journey", "journeys", "leave", "preview"]


def journeys(session: Session | None = None) -> dict[str, Journey]:
    """The journeys by key: the files' with what the shop's owner changed.

    With a session, as the database says at this moment; else as this process knows. Raises
    ConfigurationError when a file is wrong.
    """
    if session is None:
        return edited.get_journeys()
    return edited.edited(load_all(), edits.values(session))[0]


def broken(session: Session) -> dict[str, list[str]]:
    """Which edits don't fit the files any more, and why."""
    return edited.edited(load_all(), edits.values(session))[1]


def journey(session: Session | None, key: str) -> Journey:
    """One of them. Raises NotFoundError."""
    found = journeys(session).get(key)
    if found is None:
        raise NotFoundError("There is no such journey.")
    return found


def preview(session: Session, key: str, step: str, customer_id: int) -> Preview:
    """What the customer would get at this moment, and what the contact policy says to it. Changes nothing.

    Raises NotFoundError.
    """
    return trying.preview(session, key, journey(session, key), step, customer_id)


def dry_run(session: Session, now: datetime) -> Trial:
    """Who would get what now, and why. It only reads: a `read_scope` will do."""
    return trying.dry_run(session, journeys(session), now)
