"""Beginning a journey and leaving it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from rapport.customers import repository as customers
from rapport.kit import clock
from rapport.kit.settings import get_settings
from rapport.loyalty.offers import people
from rapport.loyalty.offers.rules import Audience, OfferTerms
from rapport.outreach.journeys import repository, rules
from rapport.outreach.journeys.definition import Journey, Step, waits
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.outreach.policy import service as policy
from rapport.outreach.policy.rules import Touch

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
    if not fits(session, key, journey, customer_id, now):
        return None
    values = values_of(key, journey, customer_id, trigger_key, anchor_at, context, now)
    entry_id = repository.add_entry(session, values)
    if entry_id is None:
        return None
    entry = session.get_one(JourneyEntry, entry_id)
    for step in steps_of(entry, journey) if entry.variant != rules.CONTROL else ():
        session.add(step)
        session.flush()  # one by one: their ids are their order
    return entry


def values_of(
    key: str,
    journey: Journey,
    customer_id: int,
    trigger_key: str,
    anchor_at: datetime,
    context: Mapping[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """The entry of somebody who begins the journey now; what they get is drawn."""
    secret = get_settings().secret_key.get_secret_value()
    variant = rules.variant_of(secret, key, customer_id, journey.control, journey.compares_words)
    control = variant == rules.CONTROL
    return {
        "customer_id": customer_id,
        "journey": key,
        "trigger_key": trigger_key,
        "variant": variant,
        "anchor_at": anchor_at,
        "context": dict(context),
        "status": "finished" if control else "running",
        "entered_at": now,
        "ended_at": now if control else None,
    }


def steps_of(entry: JourneyEntry, journey: Journey) -> list[JourneyStep]:
    """All steps of an entry, with their times; not stored yet."""
    times = rules.due_times(entry.anchor_at, [waits(step) for step in journey.steps])
    return [
        JourneyStep(
            entry_id=entry.id,
            customer_id=entry.customer_id,
            journey=entry.journey,
            step=step.key,
            trigger_key=entry.trigger_key,
            # What somebody is found for late was not put off by anything.
            planned_at=max(due_at, entry.entered_at),
            due_at=due_at,
        )
        for step, due_at in zip(journey.steps, times, strict=True)
    ]


def fits(session: Session, key: str, journey: Journey, customer_id: int, now: datetime) -> bool:
    """Whether the journey is for the customer, and they did not enter it too short a time ago."""
    last = repository.last_entered_at(session, customer_id, key)
    return rules.may_enter_again(last, journey.again_days, now) and is_for(session, journey, customer_id, now)


def barred(
    session: Session, key: str, journey: Journey, customer_ids: Collection[int], now: datetime
) -> dict[int, str]:
    """Those of the customers whom nothing of the journey can reach, and why: they do not enter.

    Nor do they count: of the control group, too, only those count to whom it could have been said.
    """
    touches = [touch(key, journey, step) for step in journey.steps]
    return policy.barred(session, customer_ids, touches, now)


def touch(key: str, journey: Journey, step: Step) -> Touch:
    """The step as the contact policy looks at it."""
    return Touch(
        journey=key,
        step=step.key,
        purpose=journey.purpose,
        channels=step.channels,
        cost=step.cost,
        recovery=journey.recovery,
        template=step.template is not None,
    )


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
