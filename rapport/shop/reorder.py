"""Ordering the same again: what of an old order can be had today, and for how much."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from rapport.shop import repository, rules
from rapport.shop.service import LineView, OrderView


@dataclass(frozen=True)
class Quote:
    """An order's lines as they are today: `available` with today's prices, `missing` with the old ones.

    `totals` are minor units by currency, of what is available; there is hardly ever more than one.
    """

    available: tuple[LineView, ...]
    missing: tuple[LineView, ...]
    totals: dict[str, int]


def quote(session: Session, order: OrderView) -> Quote:
    """What the order would cost if it were placed again now."""
    products = repository.products_by_sku(session, sorted({line.sku for line in order.items}))
    available: list[LineView] = []
    missing: list[LineView] = []
    totals: dict[str, int] = {}
    for line in order.items:
        product = products.get(line.sku)
        if product is None or not rules.in_stock(product.stock, line.quantity):
            missing.append(line)
            continue
        available.append(LineView(line.sku, line.description, line.quantity, product.price_minor))
        totals[product.currency] = totals.get(product.currency, 0) + line.quantity * product.price_minor
    return Quote(tuple(available), tuple(missing), totals)
