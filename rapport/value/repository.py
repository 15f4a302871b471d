"""All queries about runs and the values they stored.

Those over orders are in counting.py, those for reports and pictures in reporting.py.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    and_,
    bindparam,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from rapport.customers.models import Customer
from rapport.kit.upsert import insert
from rapport.value import rules
from rapport.value.models import CustomerValue, ModelRun, RfmCut

# Built once: everyone who chats waits for it. What is counted is 0 for somebody who was never valued.
_COUNTED = (CustomerValue.orders, CustomerValue.revenue_minor, CustomerValue.margin_minor)
_FOUND = (
    CustomerValue.segment,
    CustomerValue.recency,
    CustomerValue.frequency,
    CustomerValue.monetary,
    CustomerValue.first_order_at,
    CustomerValue.last_order_at,
    CustomerValue.clv_minor,
    CustomerValue.clv_low_minor,
    CustomerValue.clv_high_minor,
    CustomerValue.p_buy,
    CustomerValue.expected_next_at,
    CustomerValue.method,
    CustomerValue.computed_at,
    CustomerValue.run_id,
)
_STANDING = (
    select(Customer.stage, *(func.coalesce(column, 0).label(column.key) for column in _COUNTED), *_FOUND)
    .outerjoin(CustomerValue, CustomerValue.customer_id == Customer.id)
    .where(Customer.id == bindparam("customer"))
)


def add_run(session: Session, run: ModelRun, cuts: dict[str, list[int]]) -> None:
    """Store a run with its cuts; from the commit on it is the one that counts."""
    session.add(run)
    session.flush()
    session.add_all(
        RfmCut(run_id=run.id, measure=measure, score=score, at_least=value)
        for measure, values in cuts.items()
        for score, value in enumerate(values, 2)
    )
    session.flush()


def newest_run(session: Session) -> ModelRun | None:
    return session.scalar(select(ModelRun).order_by(ModelRun.id.desc()).limit(1))


def cuts_of(session: Session, run_id: int) -> dict[str, list[int]]:
    """A run's cuts by measure, ascending."""
    rows = session.execute(
        select(RfmCut.measure, RfmCut.at_least).where(RfmCut.run_id == run_id).order_by(RfmCut.score)
    )
    cuts: dict[str, list[int]] = {measure: [] for measure in rules.MEASURES}
    for measure, at_least in rows:
        cuts[measure].append(at_least)
    return cuts


def finish_run(session: Session, run_id: int, at: datetime) -> None:
    session.execute(update(ModelRun).where(ModelRun.id == run_id).values(finished_at=at))


def write_values(session: Session, rows: list[dict[str, Any]]) -> None:
    """Store what a run found about customers, except where somebody has changed a row since it was read.

    `version` of each is that of the row read, 0 when there was none.
    """
    statement = insert(session, CustomerValue)
    columns = {name: statement.excluded[name] for name in rows[0] if name not in ("customer_id", "version")}
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["customer_id"],
            set_=columns,
            where=CustomerValue.version == statement.excluded.version,
        ),
        rows,
    )


def behind(session: Session, run_id: int, limit: int) -> list[int]:
    """Customers whose values are older than this run: changed while it ran, or without an order by now.

    Whoever was known to have no order has nothing to be valued.
    """
    other = and_(or_(CustomerValue.run_id.is_(None), CustomerValue.run_id < run_id), CustomerValue.orders > 0)
    return list(session.scalars(select(CustomerValue.customer_id).where(other).limit(limit)))


def lock_customer(session: Session, customer_id: int) -> bool:
    """Keep others from counting the same customer until this session ends; False if there is none.

    (On SQLite the session's write transaction does that already.)
    """
    query = select(Customer.id).where(Customer.id == customer_id).with_for_update(key_share=True)
    return session.scalar(query) is not None


def value_of(session: Session, customer_id: int) -> CustomerValue | None:
    return session.get(CustomerValue, customer_id, populate_existing=True)


def store(session: Session, customer_id: int, values: dict[str, Any]) -> None:
    """Set a customer's values and count the change."""
    statement = insert(session, CustomerValue).values(customer_id=customer_id, version=1, **values)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["customer_id"], set_={**values, "version": CustomerValue.version + 1}
        )
    )


def standing_of(session: Session, customer_id: int) -> dict[str, Any] | None:
    """Stage and values of a customer, by two look-ups of a key in one question; None if there is none."""
    row = session.execute(_STANDING, {"customer": customer_id}).mappings().first()
    return dict(row) if row else None
