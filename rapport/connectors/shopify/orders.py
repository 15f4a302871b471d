"""What Shopify says of an order, as our events. Pure.

Order topics carry the whole order as it is now, and become all that must have happened; their events' ids are
made of the order's id, so that telling it again changes nothing. Refunds and fulfilments have topics of their
own, which know the order by its id only and may come before it.

Amounts are the shop's own currency (`total_price`, not what another currency was shown as).
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from rapport.connectors import reading, rules
from rapport.connectors.events import OrderEvent
from rapport.kit.errors import InvalidInputError

SOURCE = "shopify"
_event = partial(reading.event, SOURCE)
ORDER_TOPICS = frozenset(
    {
        "orders/create",
        "orders/paid",
        "orders/updated",
        "orders/fulfilled",
        "orders/partially_fulfilled",
        "orders/cancelled",
    }
)
FULFILLMENT_TOPICS = frozenset({"fulfillments/create", "fulfillments/update"})
PAID = frozenset({"paid", "partially_refunded", "refunded"})
# How a shop hands the code of a customer's friend on: a cart attribute.
REFERRAL_KEY = "rapport_referral"


def events(topic: str, payload: dict[str, Any], received_at: datetime) -> list[OrderEvent]:
    """What a webhook tells, oldest first; nothing for what is no order. Raises InvalidInputError."""
    if topic in ORDER_TOPICS:
        return _order(payload, received_at)
    if topic == "orders/delete":
        reference = reading.only_id(payload)
        return [_event("cancelled", reference, None, received_at, event_id=f"{reference}:cancelled")]
    if topic == "refunds/create":
        reference = reading.needed(payload, "order_id")
        return _refund(payload, reference, None, received_at)
    if topic in FULFILLMENT_TOPICS:
        return _fulfillment(payload, received_at)
    return []


def _order(payload: dict[str, Any], received_at: datetime) -> list[OrderEvent]:
    if payload.get("test") is True:
        return []
    reference = reading.needed(payload, "id")
    number = reading.text(payload, "name", 60) or reading.needed(payload, "order_number")
    placed_at = _moment(payload, "processed_at") or _moment(payload, "created_at") or received_at
    changed_at = _moment(payload, "updated_at") or received_at
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
    if payload.get("financial_status") in PAID:
        found.append(_event("paid", reference, number, changed_at, event_id=f"{reference}:paid"))
    found += _shipments(payload, reference, number, changed_at)
    for refund in reading.records(payload, "refunds"):
        found += _refund(refund, reference, number, changed_at)
    if cancelled_at := _moment(payload, "cancelled_at"):
        found.append(_event("cancelled", reference, number, cancelled_at, event_id=f"{reference}:cancelled"))
    return found


def _moment(payload: dict[str, Any], field: str) -> datetime | None:
    return rules.moment(payload[field], field) if payload.get(field) else None


def _details(payload: dict[str, Any], placed_at: datetime) -> dict[str, Any]:
    currency = reading.needed(payload, "currency", 3).upper()
    items = [
        _item(line, currency, f"line_items.{place}")
        for place, line in enumerate(reading.records(payload, "line_items"))
        if reading.whole(line, "quantity") > 0
    ]
    return {
        "currency": currency,
        "total_minor": _amount(payload, "total_price", currency),
        "subtotal_minor": _amount(payload, "total_line_items_price", currency)
        if payload.get("total_line_items_price")
        else None,
        "placed_at": placed_at,
        "items": items,
        "customer": _person(payload),
        "coupons": [
            code
            for line in reading.records(payload, "discount_codes")
            if (code := reading.text(line, "code", 60))
        ],
        "referral": _referral(payload),
    }


def _item(line: dict[str, Any], currency: str, place: str) -> dict[str, Any]:
    number = reading.text(line, "variant_id", 50) or reading.text(line, "product_id", 50)
    return {
        "sku": reading.text(line, "sku", 60) or f"shopify-{number or 'other'}",
        "name": reading.text(line, "name", 300) or reading.text(line, "title", 300),
        "quantity": reading.whole(line, "quantity"),
        "unit_price_minor": _amount(line, "price", currency, f"{place}."),
    }


def _person(payload: dict[str, Any]) -> dict[str, Any] | None:
    """Who ordered: the account with its own address and number, which Shopify vouches for. What was typed at
    the checkout may be anybody's; it counts without an account only.
    """
    customer = reading.record(payload, "customer")
    own_id = reading.text(customer, "id", 60)
    said = customer if own_id else payload
    address = reading.record(payload, "billing_address") or reading.record(payload, "shipping_address")
    names = [reading.text(customer, field, 99) for field in ("first_name", "last_name")]
    language = reading.text(payload, "customer_locale", 35)
    country = (reading.text(address, "country_code", 2) or "").upper()
    person = {
        "id": own_id,
        "email": reading.address(said, "email"),
        "phone": reading.text(said, "phone", 40),
        "name": " ".join(name for name in names if name) or reading.text(address, "name", 200),
        "language": language if language and language.replace("-", "").isalpha() else None,
        "country": country if len(country) == 2 and country.isascii() and country.isalpha() else None,
    }
    return person if any(person.values()) else None


def _referral(payload: dict[str, Any]) -> str | None:
    for attribute in reading.records(payload, "note_attributes"):
        if attribute.get("name") == REFERRAL_KEY:
            return reading.text(attribute, "value", 60)
    return None


def _shipments(
    payload: dict[str, Any], reference: str, number: str, changed_at: datetime
) -> list[OrderEvent]:
    """Shipped once all of it is on its way, delivered once all of it has arrived."""
    if payload.get("fulfillment_status") != "fulfilled":
        return []
    sent = [one for one in reading.records(payload, "fulfillments") if one.get("status") != "cancelled"]
    at = max((_moment(one, "created_at") or changed_at for one in sent), default=changed_at)
    shipment = _shipment(sent[-1]) if sent else None
    found = [_event("shipped", reference, number, at, event_id=f"{reference}:shipped", shipment=shipment)]
    if sent and all(one.get("shipment_status") == "delivered" for one in sent):
        at = max(_moment(one, "updated_at") or changed_at for one in sent)
        found.append(_event("delivered", reference, number, at, event_id=f"{reference}:delivered"))
    return found


def _fulfillment(payload: dict[str, Any], received_at: datetime) -> list[OrderEvent]:
    """One parcel. How much of the order it holds is said with it: a part does not move the order."""
    if payload.get("status") in {"cancelled", "error", "failure"}:
        return []
    own, reference = reading.needed(payload, "id"), reading.needed(payload, "order_id")
    shipment = _shipment(payload)
    units = sum(reading.whole(line, "quantity") for line in reading.records(payload, "line_items"))
    if units > 0:
        shipment["units"] = units
    at = _moment(payload, "created_at") or received_at
    found = [_event("shipped", reference, None, at, event_id=f"fulfillment:{own}", shipment=shipment)]
    if payload.get("shipment_status") == "delivered":
        at = _moment(payload, "updated_at") or received_at
        found.append(
            _event(
                "delivered", reference, None, at, event_id=f"fulfillment:{own}:delivered", shipment=shipment
            )
        )
    return found


def _shipment(fulfillment: dict[str, Any]) -> dict[str, Any]:
    return {
        "carrier": reading.text(fulfillment, "tracking_company", 60),
        "tracking_number": reading.text(fulfillment, "tracking_number", 80),
    }


def _refund(
    refund: dict[str, Any], reference: str, number: str | None, changed_at: datetime
) -> list[OrderEvent]:
    """What was paid back in money: a refund may also be goods taken back for nothing."""
    own = reading.needed(refund, "id", 50)
    at = _moment(refund, "processed_at") or _moment(refund, "created_at") or changed_at
    amount, currency = 0, None
    for place, paid in enumerate(reading.records(refund, "transactions")):
        if paid.get("kind") == "refund" and paid.get("status") == "success":
            currency = reading.needed(paid, "currency", 3).upper()
            amount += _amount(paid, "amount", currency, f"transactions.{place}.")
    if amount == 0:
        return []
    said = {
        "reference": own,
        "amount_minor": amount,
        "currency": currency,
        "reason": reading.text(refund, "note", 200),
    }
    return [_event("refunded", reference, number, at, event_id=f"refund:{own}", refund=said)]


def _amount(payload: dict[str, Any], field: str, currency: str, place: str = "") -> int:
    amount = rules.minor_units(payload.get(field), currency, f"{place}{field}")
    if amount < 0:
        raise InvalidInputError(f"{place}{field}: is below zero")
    return amount
