"""Journeys: what others may ask for.

The way through one: a trigger finds somebody (finding.py), they enter once for each reason (entering.py) with
all steps and their due times; each step is decided when it is due (deciding.py) and handed over with the
decision (delivery.py). Then the outbox and the channels have it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from rapport.edits import repository as edits
from rapport.kit.errors import NotFoundError
from rapport.outreach.journeys import edited, entering, trying, words
from rapport.outreach.journeys.definition import Journey, load_all
from rapport.outreach.journeys.entering import leave
from rapport.outreach.journeys.models import JourneyEntry
from rapport.outreach.journeys.trying import Planned, Preview
from rapport.outreach.journeys.words import NoWordsError, Rendered

__all__ = [
    "NoWordsError",
    "Planned",
    "Preview",
    "Rendered",
    "broken",
    "dry_run",
    "enter",
    "journey",
    "journeys",
    "leave",
    "preview",
    "render",
]


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


def enter(
    session: Session,
    key: str,
    customer_id: int,
    trigger_key: str,
    anchor_at: datetime,
    context: Mapping[str, Any],
    now: datetime,
) -> JourneyEntry | None:
    """The customer begins a journey; None when they don't: see `entering.enter`. Raises NotFoundError."""
    found = journey(session, key)
    return entering.enter(session, key, found, customer_id, trigger_key, anchor_at, context, now)


def render(
    session: Session,
    journey: Journey,
    step: str,
    customer_id: int,
    context: Mapping[str, Any],
    language: str,
    variant: str,
) -> Rendered:
    """A step's words for a customer, without an offer's code. Raises NotFoundError and NoWordsError."""
    found = journey.step(step)
    if found is None:
        raise NotFoundError("There is no such step.")
    return words.render(session, found, customer_id, context, language, variant)


def preview(session: Session, key: str, step: str, customer_id: int) -> Preview:
    """What the customer would get at this moment, and what the contact policy says to it. Changes nothing.

    Raises NotFoundError.
    """
    return trying.preview(session, key, journey(session, key), step, customer_id)


def dry_run(session: Session, now: datetime) -> Sequence[Planned]:
    """Who would get what now, and why. Changes nothing, but holds the write lock while it looks."""
    return trying.dry_run(session, journeys(session), now)
