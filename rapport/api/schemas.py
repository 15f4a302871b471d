"""What the shop API takes and gives, as its OpenAPI document says it. Money is in minor units."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr

from rapport.connectors.events import (
    EVENT_ID,
    SOURCE,
    WHOLE,
    Currency,
    Details,
    Line,
    Minor,
    Moment,
    Number,
    OrderEvent,
    Part,
    Refunded,
    Shipment,
    line,
)
from rapport.loyalty.points.rules import LARGEST as MOST_POINTS

CODE = r"^[A-Za-z0-9-]{1,40}$"
CUSTOMER = r"^(?:id:[1-9][0-9]{0,8}|[a-z0-9][a-z0-9._-]{0,39}:[\x21-\x2e\x30-\x7e]{1,120})$"

CustomerRef = Annotated[
    StrictStr,
    Field(
        pattern=CUSTOMER,
        description="Whom it is about: `id:12` (ours), `email:ann@customer.example`, or `shop:c-1042` (the"
        " source of your order events and your own id of the customer).",
        examples=["shop:c-1042"],
    ),
]
Reason = Annotated[
    StrictStr,
    Field(
        pattern=r"^[a-z0-9][a-z0-9_:.-]{0,39}$",
        description="What for, in one word; it stays in the ledger for ever, so no names.",
        examples=["open-day"],
    ),
]
Basket = Annotated[
    Number,
    Field(description="Your id of the basket or order the code is for.", examples=["basket-77"]),
]
Amount = Annotated[int, Field(ge=1, le=MOST_POINTS, examples=[250]), WHOLE]


Source = Annotated[
    Annotated[StrictStr, Field(pattern=SOURCE)] | None,
    Field(
        description="Which of your systems says it: numbers and ids are its own. A key speaks for one, which"
        " need not be said; another is refused with 403."
    ),
]


class _Event(Part):
    source: Source = None
    event_id: Annotated[
        StrictStr,
        Field(pattern=EVENT_ID, description="Your id of this event: the same one again changes nothing."),
    ]
    number: Annotated[Number, Field(description="The order's number, as its customer sees it.")]
    reference: Annotated[Number | None, Field(description="Your own id of the order, if another.")] = None
    at: Annotated[Moment, Field(description="When it happened. A time ahead of ours counts as now.")]

    def event(self, source: str) -> OrderEvent:
        """The same, in the shape that does not know what it came in."""
        return OrderEvent.model_validate(self.model_dump() | {"source": source})


class Placed(_Event):
    """An order was placed, or changed before it was shipped: the newest details count."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "placed",
                    "event_id": "evt-1",
                    "number": "FJ-20017",
                    "at": "2026-05-04T09:30:00+02:00",
                    "order": {
                        "currency": "NOK",
                        "total_minor": 224910,
                        "items": [{"sku": "FJ-TENT-2", "quantity": 1, "unit_price_minor": 249900}],
                        "customer": {"id": "c-1042", "email": "ann@customer.example", "name": "Ann Berg"},
                        "coupons": ["FJ-7KQM-X2PA"],
                    },
                }
            ]
        }
    )
    kind: Literal["placed"]
    order: Details


class Moved(_Event):
    """It was paid, shipped, delivered or cancelled. With `order` it may also be the first we hear of it."""

    kind: Literal["paid", "shipped", "delivered", "cancelled"]
    order: Details | None = None
    shipment: Shipment | None = None


class PaidBack(_Event):
    """Money was given back, all or a part."""

    kind: Literal["refunded"]
    order: Details | None = None
    refund: Refunded


EventRequest = Annotated[Placed | Moved | PaidBack, Field(discriminator="kind")]


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(from_attributes=True)


class CouponOutcome(Answer):
    """What became of one code."""

    code: str
    outcome: str = Field(description="`redeemed`, `rolled_back`, or why not: `expired`, `not_yours`, …")


class EventAnswer(Answer):
    """What came of an event."""

    status: Literal["applied", "repeated", "waiting"] = Field(
        description="`waiting`: the order is not known yet; the event counts as soon as it is placed."
    )
    number: str | None
    order_status: str | None
    customer: str | None = Field(description="Who ordered, as `id:12`.", examples=["id:12"])
    points: int = Field(description="Points earned by it; below zero: taken back.")
    coupons: list[CouponOutcome]
    notes: list[str] = Field(description="What was passed over, and why.")


class CouponItem(Part):
    """One line of an order a code is to be used on."""

    sku: Annotated[Line, line(60, "The product's SKU, as in the catalogue.", "FJ-TENT-2")]
    quantity: Annotated[int, Field(ge=1, le=100_000), WHOLE]


class CouponRequest(Part):
    """An order a code is to be used on."""

    order_minor: Annotated[
        Minor,
        Field(
            description="What is to be paid for the goods, after the codes in `with_codes`.",
            examples=[249900],
        ),
    ]
    currency: Currency
    customer: CustomerRef | None = None
    with_codes: Annotated[
        list[Annotated[StrictStr, Field(pattern=CODE)]],
        Field(max_length=10, description="Other codes on the same order."),
    ] = []
    items: Annotated[
        list[CouponItem],
        Field(max_length=500, description="The goods: without them, no code can look after your margin."),
    ] = []


class _UseCouponRequest(CouponRequest):
    """The same, where it has to be said whose order it is: each code is for one customer."""

    customer: CustomerRef


class HoldCouponRequest(_UseCouponRequest):
    """An order a code is put aside for: for so many minutes only this basket can use it."""

    basket: Basket
    minutes: Annotated[int, Field(ge=1, le=1440), WHOLE] = 30


class RedeemCouponRequest(_UseCouponRequest):
    """An order a code is used on. `order`: its number, if told of already; else its event links them."""

    basket: Basket | None = None
    order: Number | None = None
    source: Source = None


class ReleaseCouponRequest(Part):
    """Whose hold ends."""

    basket: Basket


class RollbackRequest(Part):
    """Why a redemption is undone."""

    reason: Annotated[Line, line(60, "Why, in your words.", "order cancelled")]


class CouponAnswer(Answer):
    """A code, and what it takes off this order (0 where there is none, and for a present)."""

    code: str
    state: str = Field(description="`issued`: it can be used; `held`, `redeemed`, `expired`, `revoked`.")
    kind: str = Field(description="`percent`, `amount` or `gift`.")
    percent: int
    amount_minor: int
    gift_sku: str | None = Field(description="The product to add to the order, for a present.")
    discount_minor: int
    currency: str
    minimum_minor: int
    expires_at: datetime
    held_until: datetime | None
    depends_on_customer: bool = Field(
        default=False,
        description="No customer was named: it is good for the one it was issued to, and nobody else.",
    )


class EarnRequest(Part):
    """Points for something that is no order."""

    customer: CustomerRef
    points: Amount
    reason: Reason


class BurnRequest(Part):
    """Points spent at once."""

    customer: CustomerRef
    points: Amount
    reason: Reason


class HoldPointsRequest(Part):
    """Points set aside while an order is being paid."""

    customer: CustomerRef
    points: Amount
    minutes: Annotated[int, Field(ge=1, le=10_080), WHOLE] = 60


class HeldRequest(Part):
    """Points that were set aside."""

    hold: Annotated[
        StrictStr, Field(pattern=EVENT_ID, description="The `key` that `POST /points/hold` answered.")
    ]


class MovementAnswer(Answer):
    """A movement of points. `key` names it; of a hold it is what captures or releases it."""

    key: str
    points: int
    balance: int = Field(description="What the customer can spend now.")


class Parcel(Answer):
    """So many points, at that time."""

    points: int
    at: datetime


class TierAnswer(Answer):
    """A level of the club, and the next one."""

    key: str
    window_points: int = Field(description="Points earned within the time that counts.")
    next_key: str | None
    missing: int | None = Field(description="Points to the next one.")


class StatementAnswer(Answer):
    """A customer's points."""

    available: int
    pending: int = Field(description="Earned, but the return period is not over.")
    held: int
    debt: int = Field(description="Points that were spent and then taken back; later ones pay it off first.")
    next_expiry: Parcel | None
    next_pending: Parcel | None
    tier: TierAnswer


class ValueAnswer(Answer):
    """What a customer is worth, and how sure that is. Scores are 1 (low) to 5."""

    stage: str
    segment: str | None
    recency: int | None
    frequency: int | None
    monetary: int | None
    orders: int
    first_order_at: datetime | None
    last_order_at: datetime | None
    revenue_minor: int
    margin_minor: int
    clv_minor: int | None
    clv_low_minor: int | None
    clv_high_minor: int | None
    p_buy: float | None = Field(description="The chance that they buy again soon.")
    expected_next_at: datetime | None
    method: str | None = Field(description="`model`, or `rules` where there is too little to fit one.")
    computed_at: datetime | None
