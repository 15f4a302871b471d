"""What WooCommerce says of an order, as our events. Pure.

Its webhooks always carry the whole order as it is now (API v2 and v3 alike). So each of them becomes all
that must have happened: the order with its details, its payment, its dispatch, each refund. The ids of these
events are made of the order's id, so that telling it again changes nothing.

WooCommerce's `completed` means that the shop is done with the order: sent, for all we know, not arrived.
`pending` and `failed` are checkouts that were not paid, no orders yet; `processing` may also be an order that
will be paid at the door, so only `date_paid` (or `completed`) says that it was.
"""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import Any

from rapport.connectors import reading, rules
from rapport.connectors.events import OrderEvent
from rapport.kit.errors import InvalidInputError

SOURCE = "woocommerce"
_event = partial(reading.event, SOURCE)
TOPICS = frozenset({"order.created", "order.updated", "order.deleted", "order.restored"})
NOT_ORDERED = frozenset({"pending", "failed", "checkout-draft", "auto-draft", "draft"})
GONE = frozenset({"cancelled", "trash"})
# How a shop hands the code of a customer's friend on: an order's meta data.
REFERRAL_KEY = "rapport_referral"


def events(topic: str, payload: dict[str, Any], received_at: datetime) -> list[OrderEvent]:
    """What a webhook tells, oldest first; nothing for what is no order. Raises InvalidInputError."""
    if topic not in TOPICS:
        return []
    if topic == "order.deleted":
        reference = reading.only_id(payload)
        return [_event("cancelled", reference, None, received_at, event_id=f"{reference}:cancelled")]
    reference = reading.needed(payload, "id")
    status = reading.needed(payload, "status").removeprefix("wc-")
    if status in NOT_ORDERED:
        return []
    number = reading.text(payload, "number", 60) or reference
    placed_at = _moment(payload, "date_created") or received_at
    changed_at = _moment(payload, "date_modified") or received_at
    details = _details(payload, placed_at)
    found = [
        _event(
            "placed",
            reference,
            number,
            changed_at,
            event_id=reading.state_id(reference, changed_at, details),
            order=details,
        )
    ]
    paid_at = _moment(payload, "date_paid")
    if paid_at is not None or status == "completed":
        found.append(_event("paid", reference, number, paid_at or changed_at, event_id=f"{reference}:paid"))
    if status == "completed":
        sent_at = _moment(payload, "date_completed") or changed_at
        found.append(_event("shipped", reference, number, sent_at, event_id=f"{reference}:shipped"))
    found += _refunds(payload, reference, number, changed_at)
    if status in GONE:
        found.append(_event("cancelled", reference, number, changed_at, event_id=f"{reference}:cancelled"))
    return found


def _moment(payload: dict[str, Any], field: str) -> datetime | None:
    """The time in `<field>_gmt`, which says no zone and is UTC; the other is in the shop's own."""
    name = f"{field}_gmt"
    return rules.moment(payload[name], name) if payload.get(name) else None


def _details(payload: dict[str, Any], placed_at: datetime) -> dict[str, Any]:
    currency = reading.needed(payload, "currency", 3).upper()
    with_tax = payload.get("prices_include_tax") is True
    items = [
        _item(line, currency, with_tax, f"line_items.{place}")
        for place, line in enumerate(reading.records(payload, "line_items"))
        if reading.whole(line, "quantity") > 0
    ]
    return {
        "currency": currency,
        "total_minor": _positive(rules.minor_units(payload.get("total"), currency, "total"), "total"),
        "placed_at": placed_at,
        "items": items,
        "customer": _person(payload),
        "coupons": [
            code
            for line in reading.records(payload, "coupon_lines")
            if (code := reading.text(line, "code", 60))
        ],
        "referral": _referral(payload),
    }


def _item(line: dict[str, Any], currency: str, with_tax: bool, place: str) -> dict[str, Any]:
    """One line. `subtotal` is before coupons and without tax; where prices have it in them, we add it."""
    quantity = reading.whole(line, "quantity")
    amount = rules.minor_units(line.get("subtotal") or line.get("total"), currency, f"{place}.subtotal")
    if with_tax and line.get("subtotal_tax"):
        amount += rules.minor_units(line["subtotal_tax"], currency, f"{place}.subtotal_tax")
    each = (Decimal(amount) / quantity).quantize(Decimal(1), ROUND_HALF_UP)
    name = reading.text(line, "name", 300)
    # Many shops give their products no SKU: then its number in the shop is what tells it from others.
    own = reading.text(line, "variation_id", 60) or "0"
    number = own if own != "0" else reading.text(line, "product_id", 50)
    sku = reading.text(line, "sku", 60) or f"woo-{number or 'other'}"
    return {
        "sku": sku,
        "name": name,
        "quantity": quantity,
        "unit_price_minor": _positive(int(each), f"{place}.subtotal"),
    }


def _person(payload: dict[str, Any]) -> dict[str, Any] | None:
    billing = reading.record(payload, "billing")
    own_id = reading.text(payload, "customer_id", 60)
    country = (reading.text(billing, "country", 2) or "").upper()
    names = [reading.text(billing, field, 99) for field in ("first_name", "last_name")]
    person = {
        "id": own_id if own_id and own_id != "0" else None,  # 0 is a guest
        "email": reading.address(billing, "email"),
        "phone": reading.text(billing, "phone", 40),
        "name": " ".join(name for name in names if name) or None,
        "country": country if len(country) == 2 and country.isascii() and country.isalpha() else None,
    }
    return person if any(person.values()) else None


def _referral(payload: dict[str, Any]) -> str | None:
    for meta in reading.records(payload, "meta_data"):
        if meta.get("key") == REFERRAL_KEY:
            return reading.text(meta, "value", 60)
    return None


def _refunds(payload: dict[str, Any], reference: str, number: str, changed_at: datetime) -> list[OrderEvent]:
    """Each refund; its `total` is negative and has no time of its own."""
    currency = reading.needed(payload, "currency", 3).upper()
    found = []
    for place, refund in enumerate(reading.records(payload, "refunds")):
        amount = abs(rules.minor_units(refund.get("total"), currency, f"refunds.{place}.total"))
        if amount == 0:  # nothing but goods that came back
            continue
        own = reading.needed(refund, "id", 50)
        said = {
            "reference": own,
            "amount_minor": amount,
            "reason": reading.text(refund, "reason", 200),
        }
        found.append(_event("refunded", reference, number, changed_at, event_id=f"refund:{own}", refund=said))
    return found


def _positive(amount: int, field: str) -> int:
    if amount < 0:
        raise InvalidInputError(f"{field}: is below zero")
    return amount
