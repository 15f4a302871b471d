"""What becomes of one step that is due: all of it in the caller's transaction, with the customer locked.

First what the journey itself says (its exits, its audience, whether it is switched off), then the contact
policy, then whether there is anything to say. Whatever comes of it is written down with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.customers import repository as customers
from rapport.loyalty.offers.models import Coupon
from rapport.loyalty.points import service as ledger
from rapport.outreach.journeys import delivery, entering, giving, repository, rules, still, words
from rapport.outreach.journeys.definition import Journey, Step, waits
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.outreach.policy import repository as decisions
from rapport.outreach.policy import service as policy
from rapport.outreach.policy.rules import Decision
from rapport.shop.facts import get_facts

HANDLED_BY_STAFF = "handled_by_staff"


def decide(
    session: Session, row: JourneyStep, journeys: dict[str, Journey], now: datetime
) -> Decision | None:
    """Decide a claimed step and write down what came of it; None when its turn comes a little later."""
    entry, journey = session.get_one(JourneyEntry, row.entry_id), journeys.get(row.journey)
    decision = look(session, row, entry, journey, now)
    if decision.outcome == "send" and journey is not None and (step := journey.step(row.step)) is not None:
        return _send(session, row, entry, journey, step, decision, now)
    if decision.reason in rules.EXITS:
        decisions.add(session, row, decision)
        entering.end(session, entry.id, decision.reason, now)
        return decision
    return _not_sent(session, row, journey, decision, now)


def look(
    session: Session,
    row: JourneyStep,
    entry: JourneyEntry,
    journey: Journey | None,
    now: datetime,
    also_sent: Sequence[datetime] = (),
) -> Decision:
    """What becomes of the step, as far as it can be told without its words. Changes nothing.

    `also_sent`: see `policy.decide`.
    """
    step = journey.step(row.step) if journey is not None else None
    if journey is None or step is None or not journey.active:
        return Decision("never", rules.SWITCHED_OFF)
    if why := why_left(session, entry, journey):
        return Decision("never", why)
    if rules.is_too_late(row.planned_at, now):
        return Decision("never", rules.TOO_LATE)
    if not entering.is_for(session, journey, row.customer_id, now):
        return Decision("never", rules.NOT_FOR_THEM)
    touch = entering.touch(row.journey, journey, step)
    decision = policy.decide(session, row.customer_id, touch, now, also_sent)
    return rules.in_time(decision, row.planned_at, now) if decision.outcome == "later" else decision


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
        said = said_to(session, entry, journey, step, now, giving.coupon)
        row.reference = delivery.hand_over(session, row, step, said, channel, journey.purpose, now)
    except delivery.NotNowError as error:
        attempt.rollback()
        if error.busy:
            row.due_at = now + rules.SOON
            return None
        busy = Decision("later", HANDLED_BY_STAFF, until=now + rules.STAFF_AGAIN)
        return _not_sent(session, row, journey, rules.in_time(busy, row.planned_at, now), now)
    except (delivery.NoWayError, NothingToSayError) as error:
        attempt.rollback()
        return _not_sent(session, row, journey, Decision("never", error.reason), now)
    attempt.commit()
    row.status, row.channel, row.reason, row.decided_at = "sent", channel, decision.reason, now
    decisions.add(session, row, decision)
    _go_on(session, row, journey, now)
    return decision


class NothingToSayError(Exception):
    """There is no code for this customer, or something the words speak of is not known: `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# The code that goes with a step (giving.coupon), or what it would look like (giving.sample).
Give = Callable[[Session, str | None, giving.Gift, datetime], Coupon | None]


def said_to(
    session: Session, entry: JourneyEntry, journey: Journey, step: Step, now: datetime, give: Give
) -> words.Rendered:
    """What somebody on the journey is told. Raises NothingToSayError."""
    coupon = None
    if step.tells_of_code:
        gift = giving.Gift(entry.customer_id, entry.id, entry.anchor_at, entry.context)
        coupon = give(session, step.offer, gift, now)
        if coupon is None:
            raise NothingToSayError(rules.NO_OFFER)
    language = language_of(session, entry.customer_id)
    try:
        context = still.context(session, journey, entry.customer_id, entry.context, now)
        return words.render(session, step, entry.customer_id, context, language, entry.variant, coupon)
    except words.NoWordsError:
        raise NothingToSayError(rules.NO_WORDS) from None


def failed(
    session: Session, row: JourneyStep, journeys: Mapping[str, Journey], now: datetime
) -> Decision | None:
    """A mistake of ours kept a step from being decided: it is tried again (None), but not for ever."""
    row.failures += 1
    wait = rules.after_failure(row.failures)
    if wait is not None:
        row.due_at = now + wait
        return None
    return _not_sent(session, row, journeys.get(row.journey), Decision("never", rules.FAILED), now)


def _not_sent(
    session: Session, row: JourneyStep, journey: Journey | None, decision: Decision, now: datetime
) -> Decision:
    """Put off, or never."""
    decisions.add(session, row, decision)
    row.reason = decision.reason
    if decision.outcome == "later":
        row.due_at = decision.until or row.due_at
        session.flush()
    else:
        row.status, row.decided_at = "skipped", now
        _go_on(session, row, journey, now)
    return decision


def _go_on(session: Session, row: JourneyStep, journey: Journey | None, now: datetime) -> None:
    """What becomes of the rest of an entry; without any it is finished."""
    session.flush()
    rest = repository.following(session, row)
    if not rest:
        repository.end_entry(session, row.entry_id, now, None)
        return
    move(rest, journey, now)
    session.flush()


def move(rest: Sequence[JourneyStep], journey: Journey | None, now: datetime) -> None:
    """The steps after one that is decided come as long after it as they say."""
    known = {step.key: waits(step) for step in journey.steps} if journey is not None else {}
    pairs = [(one.due_at, known[one.step]) for one in rest if one.step in known]
    for one, due_at in zip([one for one in rest if one.step in known], rules.moved(now, pairs), strict=True):
        if due_at > one.due_at:
            one.due_at = one.planned_at = due_at
