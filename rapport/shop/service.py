"""What others ask about orders and products. Orders are only ever looked up for one customer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.shop import repository, rules
from rapport.shop.facts import get_facts
from rapport.shop.models import Order, Product

UNDER_WAY = ("placed", "paid", "shipped")


@dataclass(frozen=True)
class LineView:
    """One line of an order; `unit_price_minor` in the order's currency."""

    sku: str
    description: str
    quantity: int
    unit_price_minor: int


@dataclass(frozen=True)
class OrderView:
    """An order as its customer may see it; `status` counts refunds in, amounts are minor units."""

    id: int
    number: str
    status: str
    currency: str
    total_minor: int
    refunded_minor: int
    placed_at: datetime
    shipped_at: datetime | None
    delivered_at: datetime | None
    expected_at: datetime | None
    carrier: str | None
    tracking_number: str | None
    items: tuple[LineView, ...]


@dataclass(frozen=True)
class RefundView:
    """Money a customer got back, in minor units; `number` is the order's, where it is known."""

    number: str | None
    amount_minor: int
    currency: str
    at: datetime


def newest_order(session: Session, customer_id: int, language: str | None = None) -> OrderView | None:
    """The customer's last order. With `language`, products are named in it where they have such a name."""
    orders = recent_orders(session, customer_id, 1, language)
    return orders[0] if orders else None


def recent_orders(
    session: Session, customer_id: int, limit: int = 5, language: str | None = None
) -> list[OrderView]:
    """The customer's last orders, newest first."""
    orders = repository.recent_orders(session, customer_id, limit)
    return _views(session, orders, language)


def find_order(
    session: Session, customer_id: int, number: str, language: str | None = None
) -> OrderView | None:
    """The customer's own order of that number, however spelt (`#10234`, `fj 10234`); never another's."""
    numbers = repository.order_numbers(session, customer_id)
    wanted = rules.plain_number(number)
    # The full number wins over one that shares only its digits.
    numbers.sort(key=lambda row: rules.plain_number(row[1]) != wanted)
    for order_id, candidate in numbers:
        if rules.same_number(number, candidate):
            order = repository.order_of_customer(session, customer_id, order_id)
            return _views(session, [order], language)[0] if order else None
    return None


def refunds(session: Session, customer_id: int, number: str | None = None) -> list[RefundView]:
    """What the customer got back, newest first: on the order of exactly that number, or on all of them."""
    return [
        RefundView(order_number, refund.amount_minor, refund.currency, refund.at)
        for refund, order_number in repository.refunds_of(session, customer_id)
        if number is None or order_number == number
    ]


def next_delivery(session: Session, customer_id: int) -> OrderView | None:
    """The order under way that is expected first; None when no date is known or all have gone by."""
    zone = ZoneInfo(get_facts().timezone)
    today = clock.now().astimezone(zone).date()
    ahead = [
        (order.expected_at, order)
        for order in recent_orders(session, customer_id)
        if order.status in UNDER_WAY
        and order.expected_at is not None
        and order.expected_at.astimezone(zone).date() >= today
    ]
    return min(ahead, key=lambda pair: pair[0])[1] if ahead else None


def product(session: Session, sku: str) -> Product | None:
    """The product with its texts."""
    return repository.product_by_sku(session, sku)


def topic_name(session: Session, topic: str, language: str) -> str | None:
    """What a category key or a sku is called in `language` (else in the shop's), or None if it is neither."""
    facts = get_facts()
    if name := facts.category_name(topic, language):
        return name
    for spoken in (language, facts.language):
        if name := repository.product_names(session, spoken, [topic]).get(topic):
            return name
    return None


def _views(session: Session, orders: Sequence[Order], language: str | None) -> list[OrderView]:
    skus = sorted({item.sku for order in orders for item in order.items})
    names = repository.product_names(session, language, skus) if language and skus else {}
    return [_view(order, names) for order in orders]


def _view(order: Order, names: dict[str, str]) -> OrderView:
    refunded = sum(refund.amount_minor for refund in order.refunds)
    return OrderView(
        id=order.id,
        number=order.number,
        status=rules.effective_status(order.status, order.total_minor, refunded),
        currency=order.currency,
        total_minor=order.total_minor,
        refunded_minor=refunded,
        placed_at=order.placed_at,
        shipped_at=order.shipped_at,
        delivered_at=order.delivered_at,
        expected_at=order.expected_at,
        carrier=order.carrier,
        tracking_number=order.tracking_number,
        items=tuple(
            LineView(
                item.sku,
                names.get(item.sku) or item.description or item.sku,
                item.quantity,
                item.unit_price_minor,
            )
            for item in order.items
        ),
    )
