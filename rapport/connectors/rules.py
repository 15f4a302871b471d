"""Pure rules of what shops send: how an order moves on, what an amount and a time are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from babel.numbers import get_currency_precision, list_currencies

from rapport.kit.errors import InvalidInputError

# What a 32-bit column holds.
LARGEST_MINOR = 2_147_483_647
PROGRESS = ("placed", "paid", "shipped", "delivered")
FINAL = frozenset({"cancelled", "refunded"})

# An order of the same moment is told in this order: an order refunded in full was placed first.
ORDER_OF_KINDS = (*PROGRESS, "refunded", "cancelled")
_MOMENT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.\d+)?\s*(Z|[+-]\d{2}:?\d{2})?", re.I
)


def advance(status: str, kind: str) -> str:
    """The status of an order after an event of a kind.

    Events may come late and in any order: an order never moves back, and what is cancelled or paid back in
    full stays so.
    """
    if status in FINAL or kind == "refunded":  # a refund may be of a part: its sum decides, not its coming
        return status
    if kind == "cancelled":
        return kind
    return max(status, kind, key=PROGRESS.index)


def is_paid(status: str) -> bool:
    """Whether an order counts as paid: what was shipped was, too."""
    return status in PROGRESS[1:]


def is_whole(units: int | None, ordered: Iterable[int]) -> bool:
    """Whether a shipment of so many units is all of an order; without a number it is."""
    return units is None or units >= sum(ordered)


def minor_units(amount: Any, currency: str, field: str) -> int:
    """An amount as shops write it (`"49.90"`, 49.9, `"1200"`) in minor units of its currency.

    Raises InvalidInputError that names the field.
    """
    if currency not in list_currencies():
        raise InvalidInputError(f"currency: {currency!r} is no ISO 4217 currency")
    if isinstance(amount, bool) or not isinstance(amount, str | int | Decimal):
        raise InvalidInputError(f"{field}: is no amount")
    try:
        value = Decimal(amount.strip() if isinstance(amount, str) else amount)
        scaled = value.scaleb(get_currency_precision(currency))
        minor = int(scaled.quantize(Decimal(1), ROUND_HALF_UP))
    except (InvalidOperation, ValueError, OverflowError):
        raise InvalidInputError(f"{field}: is no amount") from None
    if abs(minor) > LARGEST_MINOR:
        raise InvalidInputError(f"{field}: is too large")
    return minor


def moment(text: Any, field: str, zone: ZoneInfo | None = None) -> datetime:
    """A time in UTC; one without an offset is in `zone`, or in UTC.

    Raises InvalidInputError that names the field.
    """
    found = _MOMENT.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise InvalidInputError(f"{field}: is no time")
    day, clock, offset = found.groups()
    try:
        at = datetime.fromisoformat(f"{day}T{clock}{(offset or '').upper()}")
        if at.tzinfo is None:
            at = at.replace(tzinfo=zone or UTC)
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInputError(f"{field}: is no time") from None
