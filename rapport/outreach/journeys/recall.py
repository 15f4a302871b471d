"""What was handed over and is called back before it left: then the step was not sent.

It takes no place under the frequency cap. What only a pause called back is decided again when the pause ends.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from rapport.customers import repository as customers
from rapport.kit import clock
from rapport.outreach.journeys import repository, rules
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.outreach.policy import repository as policy
from rapport.outreach.policy.rules import Decision

# What was handed over longer ago left long since, or counts no more.
LOOK_BACK = timedelta(days=30)


def call_back(session: Session, customer_id: int, since: datetime, pause: datetime | None = None) -> None:
    """The customer's steps of which everything was cancelled, from `since` on, before it left.

    `pause`: they want nothing until then, and what waits for it already waits until then as well. Without it
    they want nothing more of it.
    """
    now = clock.now()
    handed_over = repository.sent_steps(session, customer_id, now - LOOK_BACK)
    steps = {step.reference: step for step in handed_over if step.reference}
    for reference in repository.called_back(session, steps, since) if steps else ():
        step = steps[reference]
        if pause is None:
            decision = Decision("never", rules.CALLED_BACK)
        else:
            later = Decision("later", repository.PAUSED, until=pause)
            decision = rules.in_time(later, step.planned_at, now)
        _take_back(session, step, decision, now)
    if pause is not None:
        repository.move_paused(session, customer_id, pause)


def did_not_leave(session: Session, customer_id: int, since: datetime) -> None:
    """What was on its way when it was cancelled, from `since` on, was put back instead. The caller took the
    customer's lock before that.
    """
    policy = customers.policy_of(session, customer_id)
    end = policy.paused_until if policy is not None else None
    call_back(session, customer_id, since, end if end is not None and end > clock.now() else None)


def go_on(session: Session, customer_id: int) -> None:
    """The pause is over before its time: what waited for its end is decided now."""
    repository.move_paused(session, customer_id, clock.now())


def _take_back(session: Session, step: JourneyStep, decision: Decision, now: datetime) -> None:
    entry = session.get_one(JourneyEntry, step.entry_id, populate_existing=True)
    if decision.until is not None and entry.status != "left":
        step.status, step.due_at, step.decided_at = "waiting", decision.until, None
        step.channel = step.reference = None
        step.repeats += 1
        entry.status, entry.ended_at = "running", None
    else:
        step.status, step.decided_at = "skipped", now
    step.reason = decision.reason
    policy.add(session, step, decision, {"called_back": True})
