"""Whether a mail that nobody asked for may still leave: asked again of the contact policy right before.

It may have waited since it was decided, because the server was away or others came first. Meanwhile night may
have come, or a complaint.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from rapport.outreach.journeys.models import JourneyStep
from rapport.outreach.models import OutboxMessage
from rapport.outreach.policy import rules, service
from rapport.outreach.policy.rules import Decision, Touch

EMAIL, OTHER = "email", "other"
# What was decided so recently is still right; a refusal counts all the same, it cancels what waits.
FRESH = timedelta(minutes=1)
# It counts among those sent already, and what it may cost was decided with it.
_ANY_WORTH = 10**12


def decide(session: Session, message: OutboxMessage, now: datetime) -> Decision:
    """Send it, later (not before `until`) or never. What is not sent is written down with its reason."""
    customer_id = message.customer_id
    if customer_id is None or now - message.created_at < FRESH:
        return Decision("send", "allowed", EMAIL)
    step = session.get(JourneyStep, message.step_id) if message.step_id is not None else None
    touch = Touch(
        journey=step.journey if step else "",
        step=step.step if step else "",
        purpose=None if message.purpose == OTHER else message.purpose,
        channels=(EMAIL,),
        # What needs no consent is part of making good.
        recovery=message.purpose == OTHER,
    )
    facts = replace(service.facts_of(session, customer_id, now), sent=(), worth_minor=_ANY_WORTH)
    decision = rules.decide(facts, touch, now)
    if decision.outcome != "send" and step is not None:
        service.record(session, step, decision, {"waited": True})
    return decision
