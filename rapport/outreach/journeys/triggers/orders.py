"""What triggers on orders read: orders that were kept, and what is in them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, distinct, exists, func, select
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.outreach.journeys.triggers.base import Search, batches
from rapport.shop.models import Order, OrderItem, Product, Refund
from rapport.shop.repository import AVAILABLE, PAID

# Nothing of it was paid back, and nobody has asked to send it back.
KEPT: tuple[ColumnElement[bool], ...] = (
    ~exists().where(Refund.order_id == Order.id),
    ~exists().where(
        Case.order_number == Order.number, Case.topic == "get_refund", Case.customer_id == Order.customer_id
    ),
)


@dataclass(frozen=True)
class Delivered:
    """An order that arrived; it was due for the trigger at `due_at`. `lines`: what cost most comes first."""

    order_id: int
    customer_id: int
    due_at: datetime
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Line:
    """One thing in an order; only what the shop still knows as a product has a category."""

    sku: str
    category: str | None


def delivered(session: Session, search: Search) -> Iterator[list[Delivered]]:
    """Orders delivered the trigger's days before, and kept."""
    query = select(Order.id, Order.customer_id, Order.delivered_at.label("at")).where(
        Order.delivered_at > search.since - search.days,
        Order.delivered_at <= search.now - search.days,
        Order.status == "delivered",
        Order.customer_id.is_not(None),
        *KEPT,
    )
    for rows in batches(session, query, Order.delivered_at, Order.id):
        lines = lines_of(session, [row.id for row in rows])
        yield [
            Delivered(row.id, row.customer_id, row.at + search.days, tuple(lines.get(row.id, ())))
            for row in rows
        ]


def lines_of(session: Session, order_ids: Collection[int]) -> dict[int, list[Line]]:
    """What is in these orders, what cost most first."""
    rows = session.execute(
        select(OrderItem.order_id, OrderItem.sku, Product.category)
        .outerjoin(Product, Product.id == OrderItem.product_id)
        .where(OrderItem.order_id.in_(order_ids))
        .order_by(OrderItem.order_id, OrderItem.unit_price_minor.desc(), OrderItem.line)
    )
    found: dict[int, list[Line]] = {}
    for row in rows:
        found.setdefault(row.order_id, []).append(Line(row.sku, row.category))
    return found


def bought_by(session: Session, customer_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """What each of these customers bought and kept, and in how many orders."""
    rows = session.execute(
        select(Order.customer_id, OrderItem.sku, func.count(distinct(Order.id)).label("times"))
        .join(OrderItem, OrderItem.order_id == Order.id)
        .where(Order.customer_id.in_(customer_ids), PAID)
        .group_by(Order.customer_id, OrderItem.sku)
    )
    found: dict[int, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row.customer_id, {})[row.sku] = row.times
    return found


def to_be_had(session: Session, skus: Collection[str]) -> dict[str, str | None]:
    """The category by SKU of those products that are in stock, or whose stock is not counted."""
    rows = session.execute(select(Product.sku, Product.category).where(Product.sku.in_(skus), AVAILABLE))
    return {row.sku: row.category for row in rows}
