"""Looking at what would happen: one step for one customer, and all that is due. It only reads."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Any

from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.kit.errors import NotFoundError
from rapport.outreach.journeys import deciding, entering, finding, giving, repository, rules, triggers, words
from rapport.outreach.journeys.definition import Journey
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.outreach.journeys.words import Rendered
from rapport.outreach.policy import service as policy
from rapport.outreach.policy.rules import Decision
from rapport.shop import repository as shop
from rapport.shop.knowledge import get_knowledge

# A dry run looks at so many steps, and at so many people for each journey.
MOST = 2000


@dataclass(frozen=True)
class Preview:
    """What a customer would get at this moment. `words` None: nothing could be said, because of `missing`."""

    decision: Decision
    words: Rendered | None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Planned:
    """What would become of a step: `outcome` send, later or never, and why."""

    customer_id: int
    journey: str
    step: str
    outcome: str
    reason: str
    channel: str | None
    until: datetime | None = None


@dataclass
class Trial:
    """What would happen now: the steps in the order in which they would be decided; how many would begin a
    journey and get nothing, to compare with (`control`); by journey, how many fit but cannot be reached, and
    so do not begin it, by the reason. `cut`: there were more than were looked at.
    """

    planned: list[Planned] = field(default_factory=list)
    control: int = 0
    cut: bool = False
    barred: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


def preview(
    session: Session, key: str, journey: Journey, step_key: str, customer_id: int, variant: str = rules.A
) -> Preview:
    """What this customer would get: about what they were on the journey for last, else about their newest
    order. Nothing is stored or given.

    Raises NotFoundError for a step or customer there is none of.
    """
    step = journey.step(step_key)
    if step is None:
        raise NotFoundError("There is no such step.")
    now = clock.now()
    decision = policy.decide(session, customer_id, entering.touch(key, journey, step), now)
    context = _example(session, key, customer_id, now)
    coupon = None
    if step.tells_of_code:
        coupon = giving.sample(session, step.offer, giving.Gift(customer_id, 0, now, context), now)
        if coupon is None and step.offer is None:
            coupon = giving.sample_present(session, journey.trigger.on, now)
        if coupon is None:
            return Preview(Decision("never", rules.NO_OFFER), None, ("code",))
    language = deciding.language_of(session, customer_id)
    try:
        said = words.render(session, step, customer_id, context, language, variant, coupon)
    except words.NoWordsError as error:
        return Preview(decision, None, tuple(sorted(error.names)))
    return Preview(decision, said)


def dry_run(session: Session, journeys: dict[str, Journey], now: datetime) -> Trial:
    """Who would get what now and why, with those who would only begin a journey now.

    It only reads, so that nobody waits for it. What it says of codes does not count those it tells of itself.
    """
    trial = Trial()
    walks = [_walk_of(session, row) for row in repository.due(session, now, MOST + 1)]
    for key, journey in journeys.items():
        for entry in _entering(session, key, journey, trial, now):
            steps = entering.steps_of(entry, journey)
            walks.append(_Walk(steps[0].due_at, entry, steps))
    _walk(session, journeys, walks, trial, now)
    return trial


@dataclass
class _Walk:
    """Somebody on a journey: the steps that are still to be decided, and when the first of them is due."""

    due_at: datetime
    entry: JourneyEntry
    steps: list[JourneyStep]


def _walk_of(session: Session, row: JourneyStep) -> _Walk:
    steps = [row, *repository.following(session, row)]
    for step in steps:
        session.expunge(step)  # what is changed of them is for looking only
    return _Walk(row.due_at, session.get_one(JourneyEntry, row.entry_id), steps)


def _entering(
    session: Session, key: str, journey: Journey, trial: Trial, now: datetime
) -> Iterator[JourneyEntry]:
    """Those who would begin the journey; who fits but cannot be reached is counted."""
    room, seen = triggers.room(session, key, journey, now), set[int]()
    found = ((one, barred) for batch, barred in finding.found(session, key, journey, now) for one in batch)
    for number, (one, barred) in enumerate(found):
        if number == MOST:
            trial.cut = True
            break
        who = one.customer_id
        again = who in seen and journey.again_days > 0
        if again or not entering.fits(session, key, journey, who, now):
            continue
        seen.add(who)
        if who in barred:
            trial.barred[key][barred[who]] += 1
            continue
        if room is not None and (room := room - 1) < 0:
            break
        values = entering.values_of(key, journey, who, one.trigger_key, one.anchor_at, one.context, now)
        entry = JourneyEntry(id=0, **values)
        if entry.variant == rules.CONTROL:
            trial.control += 1
        else:
            yield entry


def _walk(
    session: Session, journeys: dict[str, Journey], walks: list[_Walk], trial: Trial, now: datetime
) -> None:
    """Each is decided in the order in which it is due, knowing what was decided of the same person before."""
    sent: defaultdict[int, list[datetime]] = defaultdict(list)
    queue = [(walk.due_at, number, walk) for number, walk in enumerate(walks) if walk.due_at <= now]
    heapify(queue)
    while queue:
        if len(trial.planned) == MOST:
            trial.cut = True
            break
        _, number, walk = heappop(queue)
        row, journey = walk.steps.pop(0), journeys.get(walk.entry.journey)
        decision = _decide(session, row, walk.entry, journey, sent[row.customer_id], now)
        trial.planned.append(
            Planned(
                row.customer_id,
                row.journey,
                row.step,
                decision.outcome,
                decision.reason,
                decision.channel,
                decision.until,
            )
        )
        if decision.outcome == "send":
            sent[row.customer_id].append(now)
        if decision.outcome == "later" or decision.reason in rules.EXITS:
            continue
        deciding.move(walk.steps, journey, now)
        if walk.steps and walk.steps[0].due_at <= now:
            heappush(queue, (walk.steps[0].due_at, number, walk))


def _decide(
    session: Session,
    row: JourneyStep,
    entry: JourneyEntry,
    journey: Journey | None,
    sent: Sequence[datetime],
    now: datetime,
) -> Decision:
    decision = deciding.look(session, row, entry, journey, now, sent)
    if decision.outcome != "send" or journey is None or (step := journey.step(row.step)) is None:
        return decision
    try:
        deciding.said_to(session, entry, journey, step, now, giving.sample)
    except deciding.NothingToSayError as error:
        return Decision("never", error.reason)
    return decision


def _example(session: Session, key: str, customer_id: int, now: datetime) -> dict[str, Any]:
    """What it was about for them the last time; what that does not tell comes from their newest order."""
    orders = shop.recent_orders(session, customer_id, 1)
    found: dict[str, Any] = {"points": 100, "expires_at": now.isoformat(), "years": 1}
    if orders:
        found["order_id"] = orders[0].id
    skus = [item.sku for order in orders for item in order.items] or repository.some_sku(session)
    if skus:
        found["sku"] = skus[0]
        product = shop.product_by_sku(session, skus[0])
        tips = get_knowledge().care
        found["care"] = next((name for name in (skus[0], product and product.category) if name in tips), "")
    return found | repository.last_context(session, customer_id, key)
