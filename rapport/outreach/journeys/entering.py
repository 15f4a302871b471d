"""Beginning a journey and leaving it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from rapport.customers import repository as customers
from rapport.kit import clock
from rapport.kit.settings import get_settings
from rapport.loyalty.offers import people
from rapport.loyalty.offers.rules import Audience, OfferTerms
from rapport.outreach.journeys import repository, rules
from rapport.outreach.journeys.definition import Journey, waits
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep

EVERYBODY = Audience()


def enter(
    session: Session,
    key: str,
    journey: Journey,
    customer_id: int,
    trigger_key: str,
    anchor_at: datetime,
    context: Mapping[str, Any],
    now: datetime,
) -> JourneyEntry | None:
    """The customer begins the journey, once for each `trigger_key`, with all its steps.

    None when the journey is switched off or not for them, when they are on it for that already, or entered it
    not long enough ago. Who is of the control group gets no steps.
    """
    if not journey.active:
        return None
    customers.lock_customer(session, customer_id)
    last = repository.last_entered_at(session, customer_id, key)
    if not rules.may_enter_again(last, journey.again_days, now):
        return None
    if not is_for(session, journey, customer_id, now):
        return None
    secret = get_settings().secret_key.get_secret_value()
    variant = rules.variant_of(secret, key, customer_id, journey.control, journey.compares_words)
    control = variant == rules.CONTROL
    entry_id = repository.add_entry(
        session,
        {
            "customer_id": customer_id,
            "journey": key,
            "trigger_key": trigger_key,
            "variant": variant,
            "anchor_at": anchor_at,
            "context": dict(context),
            "status": "finished" if control else "running",
            "entered_at": now,
            "ended_at": now if control else None,
        },
    )
    if entry_id is None:
        return None
    if not control:
        _add_steps(session, entry_id, key, journey, customer_id, trigger_key, anchor_at, now)
    return session.get_one(JourneyEntry, entry_id)


def _add_steps(
    session: Session,
    entry_id: int,
    key: str,
    journey: Journey,
    customer_id: int,
    trigger_key: str,
    anchor_at: datetime,
    now: datetime,
) -> None:
    times = rules.due_times(anchor_at, [waits(step) for step in journey.steps])
    for step, due_at in zip(journey.steps, times, strict=True):
        session.add(
            JourneyStep(
                entry_id=entry_id,
                customer_id=customer_id,
                journey=key,
                step=step.key,
                trigger_key=trigger_key,
                # What somebody is found for late was not put off by anything.
                planned_at=max(due_at, now),
                due_at=due_at,
            )
        )
        session.flush()  # one by one: their ids are their order


def leave(session: Session, customer_id: int, why: str, journeys: Sequence[str] | None = None) -> int:
    """Nothing more comes of these journeys (or of any) for the customer; returns how many were left.

    What was handed over already is not called back: `customers.silence.cancel_unasked` does that.
    """
    customers.lock_customer(session, customer_id)
    now = clock.now()
    found = repository.running(session, customer_id, journeys)
    for entry in found:
        end(session, entry.id, why, now)
    return len(found)


def end(session: Session, entry_id: int, why: str, now: datetime) -> None:
    """One entry is left, with all its steps that wait."""
    repository.leave_steps(session, entry_id, now, why)
    repository.end_entry(session, entry_id, now, why)


def is_for(session: Session, journey: Journey, customer_id: int, now: datetime) -> bool:
    """Whether the customer is one of those the journey is for."""
    audience = journey.audience.audience()
    if audience == EVERYBODY:  # then nothing need be known of them
        return True
    asks = OfferTerms(id=0, audience=audience)
    return audience.matches(people.known(session, customer_id, [asks], now).person)
