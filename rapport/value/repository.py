"""All queries about what customers are worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from typing import cast as cast_type

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Dialect,
    Double,
    Integer,
    Row,
    Select,
    and_,
    case,
    cast,
    column,
    func,
    literal_column,
    or_,
    select,
    table,
    text,
    update,
)
from sqlalchemy.orm import Session

from rapport.customers.models import Customer
from rapport.kit.database import UtcDateTime
from rapport.kit.upsert import insert
from rapport.shop.models import Order, OrderItem, Product, Refund
from rapport.shop.repository import KEPT
from rapport.value import rules
from rapport.value.models import CustomerValue, ModelRun, RfmCut

SECONDS = 86_400
# What of a customer comes from their orders, as the columns are called.
TOTALS = (
    "orders",
    "buying_days",
    "first_order_at",
    "last_order_at",
    "revenue_minor",
    "costed_minor",
    "margin_minor",
)
# All customers' totals while a run looks at them.
SNAPSHOT = table(
    "value_now",
    column("customer_id", Integer),
    column("orders", Integer),
    column("buying_days", Integer),
    column("first_order_at", UtcDateTime()),
    column("last_order_at", UtcDateTime()),
    column("first_day", Integer),
    column("last_day", Integer),
    column("revenue_minor", BigInteger),
    column("costed_minor", BigInteger),
    column("margin_minor", BigInteger),
    column("version", Integer),
)


@dataclass(frozen=True)
class Currency:
    """What counts: orders in this currency, on days that begin so many seconds before midnight UTC."""

    code: str
    day_starts: int


def day_number(at: ColumnElement[Any], day_starts: int, dialect: Dialect) -> ColumnElement[int]:
    """The day of a time, counted from 1970."""
    if dialect.name == "sqlite":
        seconds: ColumnElement[int] = cast(func.strftime("%s", at), Integer)
        return (seconds + day_starts).op("/")(SECONDS)
    local = func.timezone("UTC", at).op("+")(literal_column(f"INTERVAL '{int(day_starts)} seconds'"))
    return cast(local, Date).op("-", return_type=Integer())(literal_column("DATE '1970-01-01'"))


def totals(
    money: Currency, dialect: Dialect, customer_id: int | None = None, costs: bool = True
) -> Select[Any]:
    """What each customer bought and kept: SNAPSHOT's columns but `version`, of one customer or of all.

    Both forms count alike; sums by order are looked up for one customer and joined for all. Without `costs`
    nothing is said to have a known cost.
    """
    orders = _orders_of_all(costs) if customer_id is None else _orders_of(customer_id)
    kept = orders.where(Order.currency == money.code, KEPT).subquery("kept")
    net = kept.c.total - kept.c.back
    # Sums of whole numbers as floats: exact up to 2 ** 53, and PostgreSQL adds them three times faster.
    by_day = (
        select(
            kept.c.customer_id,
            day_number(kept.c.placed_at, money.day_starts, dialect).label("day"),
            func.count().label("orders"),
            func.min(kept.c.placed_at).label("first_at"),
            func.max(kept.c.placed_at).label("last_at"),
            func.sum(cast(net, Double)).label("net"),
            *(
                [
                    func.sum(cast(_share(kept.c.costed, net, kept.c.total), Double)).label("costed"),
                    func.sum(cast(_share(kept.c.margin, net, kept.c.total), Double)).label("margin"),
                ]
                if costs
                else []
            ),
        )
        .where(or_(kept.c.back == 0, kept.c.back < kept.c.total))
        .group_by(kept.c.customer_id, text("2"))
        .subquery("by_day")
    )
    loose = select(Refund.customer_id, func.sum(Refund.amount_minor).label("amount")).where(
        Refund.order_id.is_(None), Refund.customer_id.is_not(None), Refund.currency == money.code
    )
    if customer_id is not None:
        loose = loose.where(Refund.customer_id == customer_id)
    unlinked = loose.group_by(Refund.customer_id).subquery("unlinked")
    paid_back = func.coalesce(func.max(unlinked.c.amount), 0)
    return (
        select(
            by_day.c.customer_id,
            cast(func.sum(by_day.c.orders), Integer).label("orders"),
            cast(func.count(), Integer).label("buying_days"),
            func.min(by_day.c.first_at).label("first_order_at"),
            func.max(by_day.c.last_at).label("last_order_at"),
            func.min(by_day.c.day).label("first_day"),
            func.max(by_day.c.day).label("last_day"),
            (cast(func.sum(by_day.c.net), BigInteger) - cast(paid_back, BigInteger)).label("revenue_minor"),
            (cast(func.sum(by_day.c.costed), BigInteger) if costs else literal_column("0")).label(
                "costed_minor"
            ),
            (cast(func.sum(by_day.c.margin), BigInteger) if costs else literal_column("0")).label(
                "margin_minor"
            ),
        )
        .outerjoin(unlinked, unlinked.c.customer_id == by_day.c.customer_id)
        .group_by(by_day.c.customer_id)
    )


_COSTED = OrderItem.quantity * OrderItem.unit_price_minor
_MARGIN = OrderItem.quantity * (OrderItem.unit_price_minor - Product.cost_minor)


def _orders_of(customer_id: int) -> Select[Any]:
    lines = (
        select(func.coalesce(func.sum(_COSTED), 0))
        .join(Product, Product.id == OrderItem.product_id)
        .where(OrderItem.order_id == Order.id, Product.cost_minor.is_not(None))
        .correlate(Order)
    )
    refunds = select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(Refund.order_id == Order.id)
    margin = lines.with_only_columns(func.coalesce(func.sum(_MARGIN), 0))
    return select(
        Order.customer_id,
        Order.placed_at,
        Order.total_minor.label("total"),
        refunds.correlate(Order).scalar_subquery().label("back"),
        lines.scalar_subquery().label("costed"),
        margin.scalar_subquery().label("margin"),
    ).where(Order.customer_id == customer_id)


def _orders_of_all(costs: bool) -> Select[Any]:
    refunds = (
        select(Refund.order_id, func.sum(Refund.amount_minor).label("amount"))
        .where(Refund.order_id.is_not(None))
        .group_by(Refund.order_id)
        .subquery()
    )
    columns: tuple[Any, ...] = (
        Order.customer_id,
        Order.placed_at,
        Order.total_minor.label("total"),
        func.coalesce(refunds.c.amount, 0).label("back"),
    )
    query = (
        select(*columns)
        .outerjoin(refunds, refunds.c.order_id == Order.id)
        .where(Order.customer_id.is_not(None))
    )
    if not costs:
        return query
    lines = (
        select(OrderItem.order_id, func.sum(_COSTED).label("costed"), func.sum(_MARGIN).label("margin"))
        .join(Product, Product.id == OrderItem.product_id)
        .where(Product.cost_minor.is_not(None))
        .group_by(OrderItem.order_id)
        .subquery()
    )
    return query.outerjoin(lines, lines.c.order_id == Order.id).add_columns(
        func.coalesce(lines.c.costed, 0).label("costed"), func.coalesce(lines.c.margin, 0).label("margin")
    )


def _share(
    value: ColumnElement[Any], net: ColumnElement[Any], total: ColumnElement[Any]
) -> ColumnElement[Any]:
    """The part of an order's `value` that was not paid back, in whole minor units, towards zero."""
    part = cast(value, BigInteger) * cast(net, BigInteger)
    return case((total > 0, part.op("/")(func.nullif(total, 0))), else_=0)


def take_snapshot(session: Session, money: Currency) -> None:
    """Count all customers' totals into a temporary table, which ends with the session.

    It writes nothing that others see and locks nobody out, on SQLite neither.
    """
    dialect = session.get_bind().dialect
    if dialect.name == "postgresql":
        # Ten million orders are sorted or hashed; the default of 4 MB would do it all on disk.
        session.execute(text("SET LOCAL work_mem = '256MB'"))
    costs = session.scalar(select(Product.id).where(Product.cost_minor.is_not(None)).limit(1)) is not None
    query = totals(money, dialect, costs=costs).compile(
        dialect=dialect, compile_kwargs={"literal_binds": True}
    )
    session.execute(text(f"DROP TABLE IF EXISTS {SNAPSHOT.name}"))
    session.execute(text(f"CREATE TEMPORARY TABLE {SNAPSHOT.name} AS {query}".replace(":", r"\:")))


def cut_points(session: Session) -> dict[str, list[int]]:
    """The cuts of each measure over the snapshot, as `rules.cut_points` has them; empty without customers."""
    values = {
        "recency": SNAPSHOT.c.last_day,
        "frequency": SNAPSHOT.c.orders,
        "monetary": SNAPSHOT.c.revenue_minor,
    }
    return {measure: _cuts(session, values[measure], rules.FLOORS.get(measure)) for measure in rules.MEASURES}


def _cuts(session: Session, value: ColumnElement[int], floor: int | None) -> list[int]:
    groups = select(value.label("value"), func.count().label("n")).group_by(value).subquery("groups")
    places = select(
        groups.c.value,
        groups.c.n,
        func.sum(groups.c.n).over(order_by=groups.c.value).label("upto"),
        func.sum(groups.c.n).over().label("total"),
    ).subquery("places")
    middle = (2 * places.c.upto - places.c.n) * rules.HIGHEST
    least = [
        func.min(places.c.value).filter(middle >= 2 * places.c.total * (score - 1))
        for score in range(2, rules.HIGHEST + 1)
    ]
    *found, highest = session.execute(select(*least, func.max(places.c.value))).one()
    if highest is None:
        return []
    cuts = [highest + 1 if cut is None else cut for cut in found]
    return [max(cut, floor) if floor is not None else cut for cut in cuts]


def snapshot_size(session: Session) -> tuple[int, int, datetime | None]:
    """Customers, orders and the newest order in the snapshot."""
    row = session.execute(
        select(func.count(), func.sum(SNAPSHOT.c.orders), func.max(SNAPSHOT.c.last_order_at)).select_from(
            SNAPSHOT
        )
    ).one()
    return row[0], int(row[1] or 0), row[2]


def snapshot_rows(session: Session) -> Iterator[Sequence[Row[Any]]]:
    """SNAPSHOT's rows by customer, in large parts; `version` is 0 where nobody was valued before."""
    query = (
        select(
            *(column for column in SNAPSHOT.c if column.name != "version"),
            func.coalesce(CustomerValue.version, 0),
        )
        .outerjoin(CustomerValue, CustomerValue.customer_id == SNAPSHOT.c.customer_id)
        .order_by(SNAPSHOT.c.customer_id)
    )
    result = session.execute(query, execution_options={"stream_results": True, "yield_per": 50_000})
    yield from cast_type("Iterator[Sequence[Row[Any]]]", result.partitions())


def left_out(session: Session, money: Currency) -> dict[str, Any]:
    """What a valuation cannot count: orders by why, and the currencies of those in another."""
    kept = and_(Order.customer_id.is_not(None), KEPT)
    others = session.execute(
        select(Order.currency, func.count())
        .where(kept, Order.currency != money.code)
        .group_by(Order.currency)
    ).all()
    nobody, gone = session.execute(
        select(
            func.count().filter(Order.customer_id.is_(None)),
            func.count().filter(Order.customer_id.is_not(None), Order.status.in_(["cancelled", "refunded"])),
        ).select_from(Order)
    ).one()
    return {
        "other_currencies": {row[0]: row[1] for row in others},
        "orders_of_nobody": nobody,
        "orders_cancelled_or_refunded": gone,
    }


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
    """Customers whose values are older than this run: changed while it ran, or without an order by now."""
    other = or_(CustomerValue.run_id.is_(None), CustomerValue.run_id < run_id)
    return list(session.scalars(select(CustomerValue.customer_id).where(other).limit(limit)))


def lock_customer(session: Session, customer_id: int) -> bool:
    """Keep others from counting the same customer until this session ends; False if there is none.

    (On SQLite the session's write transaction does that already.)
    """
    query = select(Customer.id).where(Customer.id == customer_id).with_for_update(key_share=True)
    return session.scalar(query) is not None


def totals_of(session: Session, customer_id: int, money: Currency) -> Row[Any] | None:
    """One customer's totals as they are now; None without any kept order."""
    return session.execute(totals(money, session.get_bind().dialect, customer_id)).one_or_none()


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


def standing_of(session: Session, customer_id: int) -> tuple[str, CustomerValue | None] | None:
    """Stage and values of a customer, by two look-ups of a key in one question; None if there is none."""
    row = session.execute(
        select(Customer.stage, CustomerValue)
        .outerjoin(CustomerValue, CustomerValue.customer_id == Customer.id)
        .where(Customer.id == customer_id)
        .execution_options(populate_existing=True)
    ).first()
    return (row[0], row[1]) if row else None
