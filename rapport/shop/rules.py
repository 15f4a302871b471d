"""Pure rules about orders and products."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from rapport.shop.phrases import SHORT_NAME_WORDS, shared_words

Stock = Literal["in_stock", "few_left", "out_of_stock"]
FEW = 5


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


def stock_state(stock: int | None) -> Stock | None:
    """A stock in words, or None where it is not counted."""
    if stock is None:
        return None
    if stock <= 0:
        return "out_of_stock"
    return "few_left" if stock <= FEW else "in_stock"


def label(name: str, names: Sequence[str]) -> str:
    """What a product is called for short: the words all its `names` share, whatever the language."""
    return shared_words([name, *names], SHORT_NAME_WORDS) or name


def clipped(text: str, longest: int) -> str:
    """A text for a button: whole words as far as there is room, beginning with a capital letter."""
    text = text[:1].upper() + text[1:]
    if len(text) <= longest:
        return text
    words = text[: longest + 1].rsplit(" ", 1)[0]
    return words if len(words) <= longest else f"{text[: longest - 1]}…"


def plain_number(number: str) -> str:
    """An order number without what people add or leave out: `#fj-10 234` → `FJ10234`."""
    return re.sub(r"[\W_]", "", number).upper()


def same_number(asked: str, number: str) -> bool:
    """Whether someone asking for `asked` can mean the order `number`; its digits alone will do."""
    wanted, have = plain_number(asked), plain_number(number)
    if not wanted:
        return False
    return wanted == have or (wanted.isdigit() and wanted == re.sub(r"\D", "", have))
