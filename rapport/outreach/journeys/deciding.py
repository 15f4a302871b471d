"""What becomes of one step that is due: all of it in the caller's transaction, with the customer locked.

First what the journey itself says (its exits, its audience, whether it is switched off), then the contact
policy, then whether there is anything to say. Whatever comes of it is written down with its reason.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from rapport.customers import repository as customers
from rapport.loyalty.points import service as ledger
from rapport.outreach.journeys import delivery, entering, giving, repository, rules, still, words
from rapport.outreach.journeys.definition import Journey, Step, waits
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.outreach.policy import service as policy
from rapport.outreach.policy.rules import Decision, Touch
from rapport.shop.facts import get_facts

HANDLED_BY_STAFF = "handled_by_staff"


def decide(
    session: Session, row: JourneyStep, journeys: dict[str, Journey], now: datetime
) -> Decision | None:
    """Decide a claimed step and write down what came of it; None when its turn comes a little later."""
    entry = session.get_one(JourneyEntry, row.entry_id)
    journey = journeys.get(row.journey)
    step = journey.step(row.step) if journey is not None else None
    if journey is None or step is None or not journey.active:
        return _never(session, row, journey, rules.SWITCHED_OFF, now)
    if why := why_left(session, entry, journey):
        policy.record(session, row, Decision("never", why), {})
        entering.end(session, entry.id, why, now)
        return Decision("never", why)
    if rules.is_too_late(row.planned_at, now):
        return _never(session, row, journey, rules.TOO_LATE, now)
    if not entering.is_for(session, journey, row.customer_id, now):
        return _never(session, row, journey, rules.NOT_FOR_THEM, now)
    decision = policy.decide(session, row.customer_id, touch(row.journey, journey, step), now)
    if decision.outcome == "send":
        return _send(session, row, entry, journey, step, decision, now)
    if decision.outcome == "later":
        return _later(session, row, journey, decision, now)
    return _never(session, row, journey, decision.reason, now, decision)


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


def why_left(session: Session, entry: JourneyEntry, journey: Journey) -> str | None:
    """Which of the journey's exits the customer has taken since; None when they are still on it."""
    return next((way for way in journey.exits if _has_left(session, entry, journey, way)), None)


def language_of(session: Session, customer_id: int) -> str:
    """The customer's language, else that of their last conversation, else the shop's."""
    person = customers.get_customer(session, customer_id)
    return rules.language(
        person.language if person is not None else None,
        repository.newest_language(session, customer_id),
        of_shop=get_facts().language,
    )


def _has_left(session: Session, entry: JourneyEntry, journey: Journey, way: str) -> bool:
    context = entry.context
    match way:
        case "bought":
            since = min(entry.anchor_at, entry.entered_at)
            return repository.has_ordered_since(session, entry.customer_id, since, context.get("order_id"))
        case "lost_interest":
            return journey.purpose is not None and repository.has_withdrawn(
                session, entry.customer_id, journey.purpose
            )
        case "returned":
            order_id = context.get("order_id")
            return order_id is not None and repository.is_returned(session, order_id)
        case _:
            return _has_used(session, entry)


def _has_used(session: Session, entry: JourneyEntry) -> bool:
    """The code they were given, or the points that were to end."""
    coupon_id = entry.context.get("coupon_id")
    if repository.is_used(session, [coupon_id] if coupon_id is not None else [], entry.id):
        return True
    end = entry.context.get("expires_at")
    if end is None:
        return False
    until = datetime.fromisoformat(end)
    lots = ledger.open_lots(session, entry.customer_id)
    return not any(ends is not None and ends <= until for _, ends in lots)


def _send(
    session: Session,
    row: JourneyStep,
    entry: JourneyEntry,
    journey: Journey,
    step: Step,
    decision: Decision,
    now: datetime,
) -> Decision | None:
    channel = decision.channel or delivery.EMAIL
    # Undone as a whole when it comes to nothing: no code is given then.
    attempt = session.begin_nested()
    try:
        said = _words(session, row, entry, journey, step, now)
        row.reference = delivery.hand_over(session, row, step, said, channel, journey.purpose, now)
    except delivery.NotNowError as error:
        attempt.rollback()
        if error.busy:
            row.due_at = now + rules.SOON
            return None
        again = now + rules.STAFF_AGAIN
        return _later(session, row, journey, Decision("later", HANDLED_BY_STAFF, until=again), now)
    except (delivery.NoWayError, words.NoWordsError, _NoOfferError) as error:
        attempt.rollback()
        reason = error.reason if isinstance(error, delivery.NoWayError) else _reason(error)
        return _never(session, row, journey, reason, now)
    attempt.commit()
    row.status, row.channel, row.reason, row.decided_at = "sent", channel, decision.reason, now
    policy.record(session, row, decision, {})
    _go_on(session, row, journey, now)
    return decision


class _NoOfferError(Exception):
    """There is no code for this customer."""


def _reason(error: Exception) -> str:
    return rules.NO_OFFER if isinstance(error, _NoOfferError) else rules.NO_WORDS


def _words(
    session: Session, row: JourneyStep, entry: JourneyEntry, journey: Journey, step: Step, now: datetime
) -> words.Rendered:
    context = still.context(session, journey, row.customer_id, entry.context, now)
    coupon = None
    if step.tells_of_code:
        gift = giving.Gift(row.customer_id, entry.id, entry.anchor_at, entry.context)
        coupon = giving.coupon(session, step.offer, gift, now)
        if coupon is None:
            raise _NoOfferError
    language = language_of(session, row.customer_id)
    return words.render(session, step, row.customer_id, context, language, entry.variant, coupon)


def _later(
    session: Session, row: JourneyStep, journey: Journey, decision: Decision, now: datetime
) -> Decision:
    """Put off, unless it would come too late then."""
    until = max(decision.until or now, now + rules.SOON)
    if rules.is_too_late(row.planned_at, until):
        return _never(session, row, journey, decision.reason, now)
    policy.record(session, row, decision, {})
    row.due_at, row.reason = until, decision.reason
    session.flush()
    return decision


def _never(
    session: Session,
    row: JourneyStep,
    journey: Journey | None,
    reason: str,
    now: datetime,
    decision: Decision | None = None,
) -> Decision:
    decision = decision or Decision("never", reason)
    policy.record(session, row, decision, {})
    row.status, row.reason, row.decided_at = "skipped", reason, now
    _go_on(session, row, journey, now)
    return decision


def _go_on(session: Session, row: JourneyStep, journey: Journey | None, now: datetime) -> None:
    """The steps after it come as long after it as they say; an entry without any is finished."""
    session.flush()
    rest = repository.following(session, row)
    if not rest:
        repository.end_entry(session, row.entry_id, now, None)
        return
    known = {step.key: waits(step) for step in journey.steps} if journey is not None else {}
    pairs = [(one.due_at, known[one.step]) for one in rest if one.step in known]
    for one, due_at in zip([one for one in rest if one.step in known], rules.moved(now, pairs), strict=True):
        if due_at > one.due_at:
            one.due_at = one.planned_at = due_at
    session.flush()
