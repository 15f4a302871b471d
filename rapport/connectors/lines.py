"""What the order readers hand to the order writer, whatever the file's format."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Who:
    """What a row says about the customer: the other system's reference, an address or both."""

    reference: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of an order, or of money given back (`refund`; `order` is then the cancellation's own number).

    `unit_price_minor` in minor units; `goods` is False for postage, fees and the like. `row` is the line in
    the file.
    """

    row: int
    order: str
    placed_at: datetime
    sku: str
    description: str
    quantity: int
    unit_price_minor: int
    who: Who | None
    country: str | None
    refund: bool
    returned_from: str | None
    goods: bool
