"""Pure rules about orders."""

from __future__ import annotations

import re


def effective_status(status: str, total_minor: int, refunded_minor: int) -> str:
    """The status a customer should hear: an order paid back in full is `refunded`, if not cancelled."""
    if status == "cancelled":
        return status
    if refunded_minor > 0 and refunded_minor >= total_minor:
        return "refunded"
    return status


def in_stock(stock: int | None, quantity: int) -> bool:
    """Whether so many can be had; where the stock is not counted (None), they can."""
    return stock is None or stock >= quantity


def plain_number(number: str) -> str:
    """An order number without what people add or leave out: `#fj-10 234` → `FJ10234`."""
    return re.sub(r"[\W_]", "", number).upper()


def same_number(asked: str, number: str) -> bool:
    """Whether someone asking for `asked` can mean the order `number`; its digits alone will do."""
    wanted, have = plain_number(asked), plain_number(number)
    if not wanted:
        return False
    return wanted == have or (wanted.isdigit() and wanted == re.sub(r"\D", "", have))
