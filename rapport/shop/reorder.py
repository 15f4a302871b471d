"""Ordering the same again: what of an old order can be had today, and for how much."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy.orm import Session

from rapport.shop import repository, rules
from rapport.shop.service import LineView, OrderView


@dataclass(frozen=True)
class Quote:
    """An order's lines as they are today: `available` at today's prices, `missing` at the old ones.

    `total_minor` is what the available ones come to, in minor units of the order's currency.
    """

    available: tuple[LineView, ...]
    missing: tuple[LineView, ...]
    total_minor: int


def quote(session: Session, order: OrderView) -> Quote:
    """What the order would cost if it were placed again now.

    Missing is what is no longer sold, not in stock in that number, or sold in another currency now.
    """
    products = repository.products_by_sku(session, sorted({line.sku for line in order.items}))
    available: list[LineView] = []
    missing: list[LineView] = []
    taken: Counter[str] = Counter()
    for line in order.items:
        product = products.get(line.sku)
        wanted = taken[line.sku] + line.quantity
        if product is None or product.currency != order.currency or not rules.in_stock(product.stock, wanted):
            missing.append(line)
            continue
        taken[line.sku] = wanted
        available.append(LineView(line.sku, line.description, line.quantity, product.price_minor))
    total = sum(line.quantity * line.unit_price_minor for line in available)
    return Quote(tuple(available), tuple(missing), total)
