"""What orders come to: recency, frequency, amounts, buying days and margins, of one customer or of all.

All customers are counted into temporary tables of the session.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from typing import cast as cast_type

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Date,
    Double,
    Integer,
    Row,
    Select,
    Subquery,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.orm import Session

from rapport.kit.database import UtcDateTime
from rapport.shop.models import Order, OrderItem, Product, Refund
from rapport.shop.repository import PAID
from rapport.value import rules
from rapport.value.models import CustomerValue

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
# All customers' totals while a run looks at them, in temporary tables.
RFM = table(
    "value_rfm",
    column("customer_id", Integer),
    column("orders", Integer),
    column("first_order_at", UtcDateTime()),
    column("last_order_at", UtcDateTime()),
    column("first_day", Integer),
    column("last_day", Integer),
    column("revenue_minor", BigInteger),
)
DAYS = table("value_days", column("customer_id", Integer), column("buying_days", Integer))
MARGINS = table(
    "value_margins",
    column("customer_id", Integer),
    column("costed_minor", BigInteger),
    column("margin_minor", BigInteger),
)


@dataclass(frozen=True)
class Currency:
    """What counts: orders in this currency, on days that begin so many seconds before midnight UTC."""

    code: str
    day_starts: int


def day_number(at: ColumnElement[Any], day_starts: int, dialect: str) -> ColumnElement[int]:
    """The day of a time, counted from 1970."""
    if dialect == "sqlite":
        seconds: ColumnElement[int] = cast(func.strftime("%s", at), Integer)
        return (seconds + day_starts).op("/", precedence=8, return_type=Integer())(SECONDS)
    local = func.timezone("UTC", at).op("+")(literal_column(f"INTERVAL '{int(day_starts)} seconds'"))
    return cast(local, Date).op("-", return_type=Integer())(literal_column("DATE '1970-01-01'"))


def kept_orders(money: Currency, customer: BindParameter[int] | None) -> Subquery:
    """Each order that counts with what was paid back of it, of one customer or of all.

    An order counts when it was paid: what nobody has paid yet may never be. Sums by order are looked up for
    one customer and joined for all; both say the same.
    """
    back: ColumnElement[Any]
    if customer is not None:
        paid_back = select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(Refund.order_id == Order.id)
        back = paid_back.correlate(Order).scalar_subquery()
        orders, whose = select(Order.id), Order.customer_id == customer
    else:
        refunds = (
            select(Refund.order_id, func.sum(Refund.amount_minor).label("amount"))
            .where(Refund.order_id.is_not(None))
            .group_by(Refund.order_id)
            .subquery()
        )
        back = func.coalesce(refunds.c.amount, 0)
        orders = select(Order.id).outerjoin(refunds, refunds.c.order_id == Order.id)
        whose = Order.customer_id.is_not(None)
    each = (
        orders.add_columns(
            Order.customer_id, Order.placed_at, Order.total_minor.label("total"), back.label("back")
        )
        .where(whose, Order.currency == money.code, PAID)
        .subquery("each")
    )
    return select(each).where(or_(each.c.back == 0, each.c.back < each.c.total)).subquery("kept")


def rfm(money: Currency, dialect: str, customer: BindParameter[int] | None = None) -> Select[Any]:
    """RFM's columns: what each customer (or one) ordered and kept."""
    kept = kept_orders(money, customer)
    # Sums of whole numbers as floats: exact up to 2 ** 53, and PostgreSQL adds them three times faster.
    by_customer = (
        select(
            kept.c.customer_id,
            func.count().label("orders"),
            func.min(kept.c.placed_at).label("first_at"),
            func.max(kept.c.placed_at).label("last_at"),
            func.sum(cast(kept.c.total - kept.c.back, Double)).label("net"),
        )
        .group_by(kept.c.customer_id)
        .subquery("by_customer")
    )
    # Money given back on no order in particular.
    loose = select(Refund.customer_id, func.sum(Refund.amount_minor).label("amount")).where(
        Refund.order_id.is_(None),
        Refund.customer_id.is_not(None) if customer is None else Refund.customer_id == customer,
        Refund.currency == money.code,
    )
    unlinked = loose.group_by(Refund.customer_id).subquery("unlinked")
    net = cast(by_customer.c.net, BigInteger) - cast(func.coalesce(unlinked.c.amount, 0), BigInteger)
    return select(
        by_customer.c.customer_id,
        cast(by_customer.c.orders, Integer).label("orders"),
        by_customer.c.first_at.label("first_order_at"),
        by_customer.c.last_at.label("last_order_at"),
        day_number(by_customer.c.first_at, money.day_starts, dialect).label("first_day"),
        day_number(by_customer.c.last_at, money.day_starts, dialect).label("last_day"),
        net.label("revenue_minor"),
    ).outerjoin(unlinked, unlinked.c.customer_id == by_customer.c.customer_id)


def buying_days(money: Currency, dialect: str, customer: BindParameter[int] | None = None) -> Select[Any]:
    """DAYS' columns: on how many days each customer (or one) bought."""
    kept = kept_orders(money, customer)
    day = day_number(kept.c.placed_at, money.day_starts, dialect)
    return select(
        kept.c.customer_id, cast(func.count(day.distinct()), Integer).label("buying_days")
    ).group_by(kept.c.customer_id)


def margins(money: Currency, dialect: str, customer: BindParameter[int] | None = None) -> Select[Any]:
    """MARGINS' columns: what was paid for lines whose cost is known, and what of it is left after that cost.

    A discount on the order is one on each line: lines count for what they cost together, unless less was paid
    in all. (What was paid beyond the goods was for sending them.) What was paid back takes its share of both
    the price and the cost with it. Each order's sums are in whole minor units.
    """
    kept = kept_orders(money, customer)
    # Widened before they are multiplied: a large line does not fit into 32 bits, nor a share of it into 64.
    price = cast(OrderItem.quantity, Double) * cast(OrderItem.unit_price_minor, Double)
    cost = cast(OrderItem.quantity, Double) * cast(Product.cost_minor, Double)
    known = Product.cost_minor.is_not(None)
    of_order = (kept.c.id, kept.c.customer_id, kept.c.total, kept.c.back)
    sums = (
        select(
            *of_order,
            func.sum(price).label("goods"),
            func.sum(case((known, price), else_=0.0)).label("price"),
            func.sum(case((known, cost), else_=0.0)).label("cost"),
        )
        .join(OrderItem, OrderItem.order_id == kept.c.id)
        .outerjoin(Product, Product.id == OrderItem.product_id)
        .group_by(*of_order)
        .having(func.count(Product.cost_minor) > 0)
        .subquery("sums")
    )
    total, left = cast(sums.c.total, Double), cast(sums.c.total - sums.c.back, Double)
    whole = case((sums.c.goods > total, sums.c.goods), else_=total)
    paid = _floor(sums.c.price * left / func.nullif(whole, 0.0), dialect)
    spent = _floor(sums.c.cost * left / func.nullif(total, 0.0), dialect)
    paid = case((left == whole, sums.c.price), else_=func.coalesce(paid, 0.0))
    spent = case((sums.c.back == 0, sums.c.cost), else_=spent)
    return select(
        sums.c.customer_id,
        cast(func.sum(paid), BigInteger).label("costed_minor"),
        cast(func.sum(paid - spent), BigInteger).label("margin_minor"),
    ).group_by(sums.c.customer_id)


def _floor(value: ColumnElement[Any], dialect: str) -> ColumnElement[Any]:
    """The whole part of an amount that is not below zero."""
    # Not every SQLite has floor(), and PostgreSQL's cast to a whole number rounds.
    return cast(cast(value, BigInteger) if dialect == "sqlite" else func.floor(value), Double)


def totals_of(session: Session, customer_id: int, money: Currency) -> Row[Any] | None:
    """One customer's totals as they are now, named as in TOTALS, with first_day and last_day.

    None without any kept order.
    """
    query = _totals_query(money, session.get_bind().dialect.name)
    return session.execute(query, {"customer_id": customer_id}).one_or_none()


@cache
def _totals_query(money: Currency, dialect: str) -> Select[Any]:
    """Built once: that takes longer than the database needs to answer."""
    customer = bindparam("customer_id", type_=Integer)
    ordered = rfm(money, dialect, customer).subquery("ordered")
    days = buying_days(money, dialect, customer).subquery("days")
    margin = margins(money, dialect, customer).subquery("margin")
    columns: list[Any] = [
        *ordered.c,
        days.c.buying_days,
        func.coalesce(margin.c.costed_minor, 0).label("costed_minor"),
        func.coalesce(margin.c.margin_minor, 0).label("margin_minor"),
    ]
    return (
        select(*columns)
        .join(days, days.c.customer_id == ordered.c.customer_id)
        .outerjoin(margin, margin.c.customer_id == ordered.c.customer_id)
    )


def one_moment(session: Session) -> None:
    """Let all that this session reads be of one moment; to be called before it reads anything.

    On SQLite every transaction is like that. On PostgreSQL each statement would see what was committed until
    then: totals of before an order, with the version of after it.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def prepare(session: Session) -> None:
    """Let PostgreSQL sort and hash ten million orders in memory; the default of 4 MB would use the disk."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL work_mem = '256MB'"))
        session.execute(text("SET LOCAL jit = off"))


def count_rfm(session: Session, money: Currency) -> None:
    """Count all customers' RFM into its temporary table, which ends with the session.

    Nothing is written that others see and nobody is locked out, on SQLite neither.
    """
    _into(session, RFM.name, rfm(money, session.get_bind().dialect.name))


def count_rest(session: Session, money: Currency) -> None:
    """The same for the days on which they bought and, where costs are known, for their margins."""
    _into(session, DAYS.name, buying_days(money, session.get_bind().dialect.name))
    known = session.scalar(select(Product.id).where(Product.cost_minor.is_not(None)).limit(1)) is not None
    columns: list[Any] = [literal_column("0").label(column.name) for column in MARGINS.c]
    nothing = select(*columns).where(literal_column("1 = 0"))
    _into(session, MARGINS.name, margins(money, session.get_bind().dialect.name) if known else nothing)


def _into(session: Session, name: str, query: Select[Any]) -> None:
    # A statement that makes a table takes no parameters.
    sql = query.compile(dialect=session.get_bind().dialect, compile_kwargs={"literal_binds": True})
    connection = session.connection()
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {name} AS {sql}")


def cut_points(session: Session) -> dict[str, list[int]]:
    """The cuts of each measure over the counted, as `rules.cut_points` has them; empty without customers."""
    values = {
        "recency": RFM.c.last_day,
        "frequency": RFM.c.orders,
        "monetary": RFM.c.revenue_minor,
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


def counted(session: Session) -> tuple[int, int, datetime | None]:
    """How many customers and orders were counted, and the time of the newest order."""
    row = session.execute(
        select(func.count(), func.sum(RFM.c.orders), func.max(RFM.c.last_order_at)).select_from(RFM)
    ).one()
    return row[0], int(row[1] or 0), row[2]


def counted_rows(session: Session) -> Iterator[Sequence[Sequence[Any]]]:
    """RFM's columns, buying days, costed value, margin and version of each customer, in large parts by id.

    The version is that of the row in customer_value, 0 where there is none.
    """
    query = (
        select(
            *RFM.c,
            DAYS.c.buying_days,
            func.coalesce(MARGINS.c.costed_minor, 0),
            func.coalesce(MARGINS.c.margin_minor, 0),
            func.coalesce(CustomerValue.version, 0),
        )
        .join(DAYS, DAYS.c.customer_id == RFM.c.customer_id)
        .outerjoin(MARGINS, MARGINS.c.customer_id == RFM.c.customer_id)
        .outerjoin(CustomerValue, CustomerValue.customer_id == RFM.c.customer_id)
        .order_by(RFM.c.customer_id)
    )
    result = session.execute(query, execution_options={"stream_results": True, "yield_per": 50_000})
    yield from cast_type("Iterator[Sequence[Sequence[Any]]]", result.partitions())
