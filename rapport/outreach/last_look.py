"""Whether what nobody asked for may still leave: asked again of the contact policy right before.

It may have waited since it was decided, because the server was away or others came first. Meanwhile night may
have come, or a complaint.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from rapport.channels.models import ContactPoint, Delivery
from rapport.conversations.models import Message
from rapport.customers import repository as customers
from rapport.outreach.journeys.definition import load_all
from rapport.outreach.journeys.models import JourneyStep
from rapport.outreach.journeys.rules import SWITCHED_OFF
from rapport.outreach.models import OutboxMessage
from rapport.outreach.policy import repository, rules, service
from rapport.outreach.policy.rules import Decision, Touch

EMAIL, OTHER = "email", "other"
# How the keys of what a journey wrote begin (journeys/delivery.py).
JOURNEY = "journey"
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
    if message.recipient not in customers.addresses_of(session, customer_id):
        return _noted(session, step, Decision("never", "no_channel"))  # it is not theirs any more
    touch = Touch(
        journey=step.journey if step else "",
        step=step.step if step else "",
        purpose=None if message.purpose == OTHER else message.purpose,
        channels=(EMAIL,),
        # What needs no consent is part of making good.
        recovery=message.purpose == OTHER,
    )
    return _again(session, customer_id, touch, step, now)


def of_delivery(session: Session, delivery: Delivery, now: datetime) -> Decision:
    """The same of a journey's message in a messaging app; what no journey wrote is sent."""
    fresh = Decision("send", "allowed", delivery.channel)
    if now - delivery.created_at < FRESH:
        return fresh
    found = session.execute(
        select(Message.provider_id, Message.content, ContactPoint.customer_id)
        .join(ContactPoint, ContactPoint.conversation_id == Message.conversation_id)
        .where(Message.conversation_id == delivery.conversation_id, Message.sequence == delivery.sequence)
    ).one_or_none()
    kind, _, number = ((found.provider_id if found else None) or "").partition(":")
    number = number.partition(":")[0]  # after it: how often it was called back
    step = session.get(JourneyStep, int(number)) if kind == JOURNEY and number.isdecimal() else None
    if found is None or step is None:
        return fresh
    journey = load_all().get(step.journey)
    if journey is None:  # its file is gone, and with it what somebody must have agreed to
        return _noted(session, step, Decision("never", SWITCHED_OFF))
    touch = Touch(
        journey=step.journey,
        step=step.step,
        purpose=journey.purpose,
        channels=(delivery.channel,),
        recovery=journey.recovery,
        template="template" in (found.content or {}),
    )
    return _again(session, found.customer_id, touch, step, now)


def _again(
    session: Session, customer_id: int, touch: Touch, step: JourneyStep | None, now: datetime
) -> Decision:
    facts = replace(service.facts_of(session, customer_id, now), sent=(), worth_minor=_ANY_WORTH)
    return _noted(session, step, rules.decide(facts, touch, now))


def _noted(session: Session, step: JourneyStep | None, decision: Decision) -> Decision:
    """What is not sent now is written down; what never is, was not sent."""
    if decision.outcome != "send" and step is not None:
        repository.add(session, step, decision, {"waited": True})
        if decision.outcome == "never":
            step.status, step.reason = "skipped", decision.reason
    return decision
