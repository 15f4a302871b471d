"""What each customer is worth: what others may ask for. (The run over all customers: valuation.py.)"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Row
from sqlalchemy.orm import Session

from rapport.customers import service as customers
from rapport.kit import clock
from rapport.shop.facts import get_facts
from rapport.value import counting, fitting, repository, rules
from rapport.value.counting import Currency
from rapport.value.models import ModelRun
from rapport.value.rules import Habits
from rapport.value.segments import get_segments
from rapport.value.valuation import Run, newest_summary, recompute, value_all
from rapport.value.worth import Purchases, Terms, worth

__all__ = [
    "Run",
    "Standing",
    "newest_summary",
    "recompute",
    "standing",
    "update_after_order",
    "value_all",
]


@dataclass(frozen=True)
class Standing:
    """Where a customer stands. Amounts are minor units of the shop's currency over the horizon of shop.yml.

    Scores are 1 (low) to 5. `p_buy` is the probability that they order again within the days shop.yml calls
    soon. At least 80 % of such customers will bring an amount between `clv_low_minor` and `clv_high_minor`.
    `expected_next_at` may lie in the past: then they are overdue. Without orders all but the stage is None,
    and so it is before the first valuation of the shop, but for what was ordered. `run_id`: that valuation.
    """

    stage: str
    segment: str | None
    recency: int | None
    frequency: int | None
    monetary: int | None
    orders: int
    first_order_at: datetime | None
    last_order_at: datetime | None
    revenue_minor: int
    margin_minor: int
    clv_minor: int | None
    clv_low_minor: int | None
    clv_high_minor: int | None
    p_buy: float | None
    expected_next_at: datetime | None
    method: str | None
    computed_at: datetime | None
    run_id: int | None


def standing(session: Session, customer_id: int) -> Standing | None:
    """Where this customer stands, as computed last; None when there is no such customer."""
    found = repository.standing_of(session, customer_id)
    return Standing(**found) if found is not None else None


def update_after_order(session: Session, customer_id: int) -> None:
    """Count this customer again after an order, a refund or a cancellation, and value them.

    Reads the customer's own orders and the newest run's cuts and parameters, however many customers there
    are. Whatever happened to the orders, the result is what a run over all customers would find. The stage
    follows: trust with the first order kept, interest when none is left.
    """
    session.flush()
    if not repository.lock_customer(session, customer_id):
        return
    facts = get_facts()
    money = Currency(facts.currency, rules.day_starts(facts.timezone))
    before = repository.value_of(session, customer_id)
    had_orders = before is not None and before.orders > 0
    totals = counting.totals_of(session, customer_id, money)
    if totals is None:
        if before is not None:
            repository.store(session, customer_id, _nothing(repository.newest_run(session)))
        if had_orders:
            customers.note(session, customer_id, "returned_all")
        return
    values = {name: getattr(totals, name) for name in counting.TOTALS}
    repository.store(session, customer_id, values | _valued(session, totals, money))
    customers.note(session, customer_id, "ordered")


def _nothing(run: ModelRun | None) -> dict[str, Any]:
    """The values of somebody whose every order went back."""
    counts = ("orders", "buying_days", "revenue_minor", "costed_minor", "margin_minor")
    unknown = (
        "first_order_at",
        "last_order_at",
        "recency",
        "frequency",
        "monetary",
        "segment",
        "p_buy",
        "expected_next_at",
        "clv_minor",
        "clv_low_minor",
        "clv_high_minor",
        "method",
    )
    return (
        dict.fromkeys(counts, 0)
        | dict.fromkeys(unknown)
        | {"run_id": run.id if run else None, "computed_at": clock.now()}
    )


def _valued(session: Session, totals: Row[Any], money: Currency) -> dict[str, Any]:
    """Scores and worth by the newest run; nothing but the time when there is none.

    A run over no customers is none: there was nobody to compare this one with.
    """
    run = repository.newest_run(session)
    if run is None:
        return {"computed_at": clock.now()}
    cuts = repository.cuts_of(session, run.id)
    if not all(cuts.values()):
        return {"run_id": run.id, "computed_at": clock.now()}
    recency = rules.score(totals.last_day, cuts["recency"])
    frequency = rules.score(totals.orders, cuts["frequency"])
    monetary = rules.score(totals.revenue_minor, cuts["monetary"])
    person = Purchases(
        *(
            np.array([value], np.int64)
            for value in (totals.buying_days, totals.first_day, totals.last_day, totals.revenue_minor)
        )
    )
    at = clock.now() if run.live else run.as_of
    today = (int(at.timestamp()) + money.day_starts) // counting.SECONDS
    result = worth(person, terms_of(run), max(today, totals.last_day))
    gap = float(result.gap_days[0])
    return {
        "recency": recency,
        "frequency": frequency,
        "monetary": monetary,
        "segment": get_segments().of(recency, frequency, monetary),
        "p_buy": float(result.p_buy[0]),
        "expected_next_at": None if np.isnan(gap) else totals.last_order_at + timedelta(days=gap),
        "clv_minor": round(float(result.clv[0])),
        "clv_low_minor": round(float(result.low[0])),
        "clv_high_minor": round(float(result.high[0])),
        "method": run.method,
        "run_id": run.id,
        "computed_at": clock.now(),
    }


def terms_of(run: ModelRun) -> Terms:
    """How a run looks ahead."""
    stored = dict(run.shop)
    return Terms(habits=Habits(**stored.pop("habits")), models=fitting.from_json(run.model), **stored)
