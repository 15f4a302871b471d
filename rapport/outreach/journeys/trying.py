"""Looking at what would happen: one step for one customer, and all that is due, without changing anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.kit.errors import NotFoundError
from rapport.outreach.journeys import deciding, finding, giving, repository, rules, words
from rapport.outreach.journeys.definition import Journey
from rapport.outreach.journeys.words import Rendered
from rapport.outreach.policy import service as policy
from rapport.outreach.policy.rules import Decision
from rapport.shop import repository as shop
from rapport.shop.knowledge import get_knowledge

# A dry run looks at so many steps.
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
    decision = policy.decide(session, customer_id, deciding.touch(key, journey, step), now)
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


def dry_run(session: Session, journeys: dict[str, Journey], now: datetime) -> list[Planned]:
    """Who would get what now and why: all of it is really decided, and undone.

    With those who would only begin a journey now.
    """
    attempt = session.begin_nested()
    try:
        for key, journey in journeys.items():
            finding.enter_found(session, key, journey, now)
        return _decided(session, journeys, now)
    finally:
        attempt.rollback()
        session.expire_all()


def _decided(session: Session, journeys: dict[str, Journey], now: datetime) -> list[Planned]:
    planned: list[Planned] = []
    while len(planned) < MOST and (row := repository.claim(session, now)) is not None:
        customer_id, key, step = row.customer_id, row.journey, row.step
        decision = deciding.decide(session, row, journeys, now)
        session.flush()
        if decision is not None:
            planned.append(
                Planned(
                    customer_id,
                    key,
                    step,
                    decision.outcome,
                    decision.reason,
                    decision.channel,
                    decision.until,
                )
            )
    return planned


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
