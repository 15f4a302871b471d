"""The run over all customers.

It reads everything once, in a transaction that locks nobody out, does the arithmetic without one, and writes
in short transactions. A customer who orders meanwhile is not written over: each row says which version of it
was read. Those are valued one by one at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.shop.facts import Valuation, get_facts
from rapport.value import counting, fitting, reporting, repository, rules
from rapport.value.counting import SECONDS, Currency
from rapport.value.models import ModelRun
from rapport.value.segments import get_segments
from rapport.value.worth import MONTH_DAYS, Purchases, Terms, worth

# So many customers are valued at a time, and written in one transaction.
PART, BATCH = 20_000, 2_000
# Data whose newest order is older than this is looked at as of its end.
STILL_RUNNING = timedelta(days=180)

Progress = Callable[[str, int, int], None]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Run:
    """What a run found. `margin_share` is None where no costs are known: then value is revenue."""

    id: int
    as_of: datetime
    live: bool
    method: str
    reason: str
    currency: str
    customers: int
    orders: int
    margin_share: float | None
    left_out: dict[str, Any]
    details: dict[str, Any]
    seconds: float | None

    def __str__(self) -> str:
        return f"{self.customers:,} customers valued by {self.method}"


@dataclass(frozen=True)
class _Everyone:
    """All customers with orders, sorted by id: what was read, as columns."""

    ids: Ints
    versions: Ints
    orders: Ints
    costed: Ints
    margin: Ints
    people: Purchases
    first_at: list[datetime]
    last_at: list[datetime]


@dataclass(frozen=True)
class _Counted:
    """What the database counted."""

    everyone: _Everyone
    cuts: dict[str, list[int]]
    newest: datetime | None
    orders: int
    left_out: dict[str, Any]


def recompute(engine: Engine, progress: Progress | None = None, now: datetime | None = None) -> Run:
    """Value every customer as of `now`; safe at any time, again changes nothing but for the time gone by.

    `progress` is told (what, how many are done, of how many).
    """
    tell = progress or _silent
    started = clock.now()
    money = _money()
    with read_scope(engine) as session:
        counting.one_moment(session)
        counted = _count(session, money, tell)
    run, terms, today = _look_ahead(counted, money, started, now or started, tell)
    with session_scope(engine) as session:
        repository.add_run(session, run, counted.cuts)
    for rows in _values(run, counted, terms, today, tell):
        with session_scope(engine) as session:
            repository.write_values(session, rows)
    _catch_up(engine, run.id, tell)
    with session_scope(engine) as session:
        repository.finish_run(session, run.id, clock.now())
    return _summary(run)


def value_all(session: Session, now: datetime) -> Run:
    """The same in one transaction of the caller's, for a small shop that was just made in it."""
    money = _money()
    session.flush()
    counted = _count(session, money, _silent)
    run, terms, today = _look_ahead(counted, money, now, now, _silent)
    repository.add_run(session, run, counted.cuts)
    for rows in _values(run, counted, terms, today, _silent):
        repository.write_values(session, rows)
    repository.finish_run(session, run.id, now)
    return _summary(run)


def newest_summary(session: Session) -> Run | None:
    """What the newest run found; None when there is none yet."""
    run = repository.newest_run(session)
    return _summary(run) if run else None


def _silent(_what: str, _done: int, _all: int) -> None:
    pass


def _money() -> Currency:
    facts = get_facts()
    return Currency(facts.currency, rules.day_starts(facts.timezone))


def _count(session: Session, money: Currency, tell: Progress) -> _Counted:
    tell("Counting orders", 0, 1)
    counting.prepare(session)
    counting.count_rfm(session, money)
    customers, orders, newest = counting.counted(session)
    cuts = counting.cut_points(session)
    counting.count_rest(session, money)
    return _Counted(_read(session, customers, tell), cuts, newest, orders, reporting.left_out(session, money))


def _look_ahead(
    counted: _Counted, money: Currency, started: datetime, now: datetime, tell: Progress
) -> tuple[ModelRun, Terms, int]:
    """The run with its terms, and the day it looks ahead from."""
    people = counted.everyone.people
    as_of, live = _moment(now, counted.newest)
    today = (int(as_of.timestamp()) + money.day_starts) // SECONDS
    tell("Fitting", 0, 1)
    fitted = fitting.fit(people, today)
    terms = _terms(counted.everyone, fitted, get_facts().valuation)
    run = ModelRun(
        started_at=started,
        as_of=as_of,
        live=live,
        method="model" if fitted.models else "rules",
        reason=fitted.reason,
        currency=money.code,
        customers=len(people),
        orders=counted.orders,
        shop={name: value for name, value in asdict(terms).items() if name != "models"},
        model=(fitting.as_json(fitted.models) if fitted.models else {}) | {"details": fitted.details},
        left_out=counted.left_out | {"customers_without_value": int((people.revenue_minor <= 0).sum())},
    )
    return run, terms, today


def _summary(run: ModelRun) -> Run:
    seconds = (run.finished_at - run.started_at).total_seconds() if run.finished_at else None
    return Run(
        id=run.id,
        as_of=run.as_of,
        live=run.live,
        method=run.method,
        reason=run.reason,
        currency=run.currency,
        customers=run.customers,
        orders=run.orders,
        margin_share=run.shop["margin_share"],
        left_out=run.left_out,
        details=run.model["details"],
        seconds=seconds,
    )


def _moment(now: datetime, newest: datetime | None) -> tuple[datetime, bool]:
    """From when to look ahead: now, or the end of data that is long over (an imported file)."""
    if newest is None or now - newest <= STILL_RUNNING:
        return now, True
    return newest, False


def _read(session: Session, customers: int, tell: Progress) -> _Everyone:
    columns: list[list[Any]] = [[] for _ in range(11)]
    for rows in counting.counted_rows(session):
        for column, values in zip(columns, zip(*rows, strict=True), strict=True):
            column.extend(values)
        tell("Reading customers", len(columns[0]), customers)
    ids, orders, first_at, last_at, first, last, revenue, days, costed, margin, versions = columns

    def numbers(column: list[Any]) -> Ints:
        return np.array(column, np.int64)

    return _Everyone(
        ids=numbers(ids),
        versions=numbers(versions),
        orders=numbers(orders),
        costed=numbers(costed),
        margin=numbers(margin),
        people=Purchases(numbers(days), numbers(first), numbers(last), numbers(revenue)),
        first_at=first_at,
        last_at=last_at,
    )


def _terms(everyone: _Everyone, fitted: fitting.Fitted, look: Valuation) -> Terms:
    people = everyone.people
    costed = int(everyone.costed.sum())
    return Terms(
        habits=rules.habits(people.buying_days, people.span_days, people.revenue_minor.astype(float)),
        models=fitted.models,
        horizon_days=look.horizon_months * MONTH_DAYS,
        again_days=float(look.again_days),
        discount_rate=look.discount_rate,
        margin_share=int(everyone.margin.sum()) / costed if costed > 0 else None,
    )


def _values(
    run: ModelRun, counted: _Counted, terms: Terms, today: int, tell: Progress
) -> Iterator[list[dict[str, Any]]]:
    """All customers' new rows, in batches."""
    everyone, cuts, segments = counted.everyone, counted.cuts, get_segments()
    people, total = everyone.people, len(everyone.ids)
    for start in range(0, total, PART):
        part = slice(start, min(start + PART, total))
        values = worth(people.part(part.start, part.stop), terms, today)
        recency = rules.scores(people.last_day[part], cuts["recency"]).tolist()
        frequency = rules.scores(everyone.orders[part], cuts["frequency"]).tolist()
        monetary = rules.scores(people.revenue_minor[part], cuts["monetary"]).tolist()
        columns = zip(
            everyone.ids[part].tolist(),
            everyone.versions[part].tolist(),
            everyone.orders[part].tolist(),
            people.buying_days[part].tolist(),
            everyone.first_at[part],
            everyone.last_at[part],
            people.revenue_minor[part].tolist(),
            everyone.costed[part].tolist(),
            everyone.margin[part].tolist(),
            recency,
            frequency,
            monetary,
            values.p_buy.tolist(),
            values.clv.tolist(),
            values.low.tolist(),
            values.high.tolist(),
            values.gap_days.tolist(),
            strict=True,
        )
        rows = [
            {
                "customer_id": customer_id,
                "version": version,
                "orders": orders,
                "buying_days": days,
                "first_order_at": first_at,
                "last_order_at": last_at,
                "revenue_minor": revenue,
                "costed_minor": costed,
                "margin_minor": margin,
                "recency": r,
                "frequency": f,
                "monetary": m,
                "segment": segments.of(r, f, m),
                "p_buy": p_buy,
                "clv_minor": round(clv),
                "clv_low_minor": round(low),
                "clv_high_minor": round(high),
                "expected_next_at": None if gap != gap else last_at + timedelta(days=gap),
                "method": run.method,
                "run_id": run.id,
                "computed_at": run.started_at,
            }
            for (
                customer_id, version, orders, days, first_at, last_at, revenue, costed, margin,
                r, f, m, p_buy, clv, low, high, gap,
            ) in columns
        ]  # fmt: skip
        for at in range(0, len(rows), BATCH):
            yield rows[at : at + BATCH]
            tell("Valuing customers", start + min(at + BATCH, len(rows)), total)


def _catch_up(engine: Engine, run_id: int, tell: Progress) -> None:
    """Value those the run passed over: who ordered meanwhile, and who has no order left."""
    # service.py offers this run to others, so it cannot be imported before this module is complete.
    from rapport.value.service import update_after_order

    done = 0
    while True:
        with read_scope(engine) as session:
            behind = repository.behind(session, run_id, 500)
        if not behind:
            return
        for customer_id in behind:
            with session_scope(engine) as session:
                update_after_order(session, customer_id)
            done += 1
            tell("Catching up", done, done)
