"""What happened to an order, in one shape whatever shop it comes from.

The same classes are the bodies of the REST API, so each field says what it means and shows an example.
Money is in minor units (øre, cents) of the order's currency.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal

from babel.numbers import list_currencies
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictStr,
    WithJsonSchema,
    model_validator,
)

from rapport.connectors.rules import LARGEST_MINOR
from rapport.customers.rules import normalise_email
from rapport.loyalty.points.rules import LARGEST as MOST_POINTS

Kind = Literal["placed", "paid", "shipped", "delivered", "refunded", "cancelled"]

_DAY = (
    "20(?:[0-9]{2}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:[02468][048]|[13579][26])-02-29)"
)
_CLOCK = "T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?"
_OFFSET = "(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])"
MOMENT = re.compile(f"^{_DAY}{_CLOCK}{_OFFSET}$")
# Printable, no blanks around it: what a person can read out.
NUMBER = r"^[\x21-\x7e](?:[\x20-\x7e]{0,58}[\x21-\x7e])?$"
EVENT_ID = r"^[\x21-\x7e]{1,120}$"
SOURCE = r"^[a-z0-9][a-z0-9._-]{0,39}$"
# At least one letter or sign; no control characters (and no half surrogate pairs, see `_line`).
LINE = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0][^\x00-\x1f\x7f-\x9f]*$"


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("needs an offset, such as Z or +01:00")
        return value.astimezone(UTC)
    if not isinstance(value, str) or not MOMENT.match(value):
        raise ValueError("is no RFC 3339 time with an offset, such as 2026-05-04T09:30:00+02:00")
    return datetime.fromisoformat(value).astimezone(UTC)


def _line(value: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError("contains half a surrogate pair, which is no character")
    if not re.fullmatch(LINE[1:-1], value):
        raise ValueError("is empty or contains a control character")
    return value.strip(" \xa0")


def _email(value: str) -> str:
    normal = normalise_email(value)
    if normal is None:
        raise ValueError("is no e-mail address")
    return normal


@cache
def currencies() -> list[str]:
    """The codes of ISO 4217, also those of the past: old orders have them."""
    return sorted(list_currencies())


def _currency(value: str) -> str:
    if value not in currencies():
        raise ValueError("is no ISO 4217 currency")
    return value


def _whole(value: Any) -> Any:
    # To JSON 5.0 is the same number as 5; a text or a truth value is none.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("is no whole number")
    return value


# Stands after the bounds, so that these are in the document.
WHOLE = BeforeValidator(_whole)
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": MOMENT.pattern,
            "description": "An RFC 3339 time with an offset.",
            "examples": ["2026-05-04T09:30:00+02:00"],
        }
    ),
]
Minor = Annotated[int, Field(ge=0, le=LARGEST_MINOR), WHOLE]
Positive = Annotated[int, Field(ge=1, le=LARGEST_MINOR), WHOLE]
Line = Annotated[StrictStr, AfterValidator(_line)]
Number = Annotated[StrictStr, Field(pattern=NUMBER)]
Currency = Annotated[
    StrictStr,
    AfterValidator(_currency),
    WithJsonSchema({"type": "string", "enum": currencies(), "description": "An ISO 4217 code."}),
]


def line(longest: int, description: str, example: str) -> Any:
    """The field of a text on one line."""
    return Field(
        min_length=1, max_length=longest, description=description, examples=[example],
        json_schema_extra={"pattern": LINE},
    )  # fmt: skip


class Part(BaseModel):
    """Base of all parts: a misspelt field is refused rather than passed over, and nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Person(Part):
    """Who ordered. `id` is the shop's own for the customer and counts first, the address second."""

    id: Annotated[Line, line(120, "The shop's own id of the customer.", "c-1042")] | None = None
    email: (
        Annotated[
            StrictStr,
            Field(max_length=320, description="The customer's address.", examples=["ann@customer.example"]),
            AfterValidator(_email),
            Field(json_schema_extra={"format": "email"}),
        ]
        | None
    ) = None
    phone: (
        Annotated[Line, line(40, "With its country code; else `country` is used.", "+47 912 34 567")] | None
    ) = None
    name: Annotated[Line, line(200, "First and family name.", "Ann Berg")] | None = None
    language: (
        Annotated[
            StrictStr,
            Field(pattern=r"^[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}$", examples=["nb-NO"]),
        ]
        | None
    ) = None
    country: Annotated[StrictStr, Field(pattern="^[A-Z]{2}$", examples=["NO"])] | None = None


class Item(Part):
    """One line of an order. `unit_price_minor` is before discounts of the whole order."""

    sku: Annotated[Line, line(60, "The product's SKU, as in the catalogue.", "FJ-TENT-2")]
    name: Annotated[Line, line(300, "What the line says.", "Tunnel tent for two")] | None = None
    quantity: Annotated[int, Field(ge=1, le=100_000), WHOLE]
    unit_price_minor: Annotated[Minor, Field(examples=[249900])]


class PointsUsed(Part):
    """Points the customer paid with: those of a hold, which are captured, or a number, which is burnt."""

    hold: Annotated[StrictStr, Field(pattern=EVENT_ID, description="The `key` of a hold.")] | None = None
    points: Annotated[int, Field(ge=1, le=MOST_POINTS), WHOLE] | None = None


class Details(Part):
    """What was ordered, as it stands now."""

    currency: Currency
    total_minor: Annotated[Minor, Field(description="What the customer pays in all.", examples=[264800])]
    subtotal_minor: (
        Annotated[Minor, Field(description="The goods before discounts; else the sum of the items.")] | None
    ) = None
    placed_at: Annotated[Moment, Field(description="When it was placed; else the event's time.")] | None = (
        None
    )
    items: Annotated[list[Item], Field(max_length=500)]
    customer: Person | None = None
    coupons: Annotated[
        list[Annotated[Line, line(60, "A code as the customer typed it.", "FJ-7KQM-X2PA")]],
        Field(
            max_length=20, description="Codes used at the checkout. Ours are redeemed, others passed over."
        ),
    ] = []
    basket: Annotated[
        Number | None, Field(description="The basket codes were held for, if not the order's number.")
    ] = None
    points: PointsUsed | None = None
    referral: (
        Annotated[Line, line(60, "The code of the friend who sent the customer.", "ANN-4F7K")] | None
    ) = None


class Shipment(Part):
    """How it goes to the customer. `units`: how many units it holds, when that is not all of the order."""

    carrier: Annotated[Line, line(60, "Who carries it.", "Posten")] | None = None
    tracking_number: Annotated[Line, line(80, "Where to look for it.", "70730259042")] | None = None
    expected_at: Moment | None = None
    units: Annotated[int, Field(ge=1, le=100_000_000), WHOLE] | None = None


class Refunded(Part):
    """Money given back. `reference` makes it arrive once."""

    reference: Annotated[Number, Field(description="The shop's own id of the refund.", examples=["r-881"])]
    amount_minor: Annotated[Positive, Field(examples=[99900])]
    currency: Currency | None = None
    reason: Annotated[Line, line(200, "Why, in the shop's words.", "Too small")] | None = None


class OrderEvent(Part):
    """Something that happened to an order. `source` and `event_id` together are its name.

    `number` is what the customer sees, `reference` the shop's own id of the order; one of them is needed.
    """

    kind: Kind
    source: Annotated[StrictStr, Field(pattern=SOURCE)] = "shop"
    event_id: Annotated[StrictStr, Field(pattern=EVENT_ID)]
    number: Number | None = None
    reference: Number | None = None
    at: Moment
    order: Details | None = None
    shipment: Shipment | None = None
    refund: Refunded | None = None

    @model_validator(mode="after")
    def _complete(self) -> OrderEvent:
        if self.number is None and self.reference is None:
            raise ValueError("number: is missing")
        if self.kind == "placed" and self.order is None:
            raise ValueError("order: is missing; what was placed must be said")
        if self.order is not None and self.number is None:
            raise ValueError("number: is missing; a new order needs one")
        if (self.refund is None) == (self.kind == "refunded"):
            raise ValueError("refund: belongs to the kind refunded, and to no other")
        return self

    def digest(self) -> str:
        """The same for the same content."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()
