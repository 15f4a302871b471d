"""Which order a request to the shop's people is about, and the words it was first made with."""

from __future__ import annotations

from rasa_sdk.interfaces import Tracker

from actions.base import Turn
from actions.orders import say_not_found
from rapport.conversations import requests
from rapport.conversations.addresses import is_of_an_address
from rapport.conversations.which_order import newest_named
from rapport.shop import service as shop
from rapport.shop.service import OrderView

# The orders a request without a number is looked for in. Nobody means one before these without saying which.
ORDERS_LOOKED_AT = 50
MOST_BUTTONS = 5


def possible_orders(turn: Turn, customer_id: int, kind: str) -> list[OrderView]:
    """The customer's orders that such a request can be about, newest first."""
    orders = shop.recent_orders(turn.session, customer_id, ORDERS_LOOKED_AT, turn.language)
    return requests.possible(kind, orders)


def orders_meant(turn: Turn, customer_id: int, kind: str) -> list[OrderView]:
    """The order a request is about, or those it may be about; says why when there is none."""
    asked = asked_order(turn, customer_id, kind)
    if asked is not None:
        order = fit_order(turn, customer_id, kind, asked)
        return [order] if order else []
    opening = opening_message(turn.tracker, kind)
    if opening and newest_named(opening) and (newest := shop.newest_order(turn.session, customer_id)):
        order = fit_order(turn, customer_id, kind, newest.number)
        return [order] if order else []
    orders = possible_orders(turn, customer_id, kind)
    if requests.KINDS[kind].newest:
        orders = orders[:1]
    if len(orders) != 1:
        if not orders:
            _say_why_none(turn, customer_id, kind)
        return orders
    return [] if refused(turn, kind, orders[0]) else orders


def asked_order(turn: Turn, customer_id: int, kind: str) -> str | None:
    """The number of the order named, which a postcode is not: "to Calle Toledo 4, 28005 Madrid"."""
    value = turn.tracker.slots.get("order_number")
    named = [str(number) for number in (value if isinstance(value, list) else [value]) if number]
    if requests.KINDS[kind].details == "address":
        said = opening_message(turn.tracker, kind) or ""
        named = [
            number
            for number in named
            if not is_of_an_address(said, number)
            or shop.find_order(turn.session, customer_id, number, turn.language)
        ]
    return named[0] if named else None


def _say_why_none(turn: Turn, customer_id: int, kind: str) -> None:
    newest = shop.newest_order(turn.session, customer_id)
    if newest is None:
        say_not_found(turn, None)
    else:
        refused(turn, kind, newest)


def fit_order(turn: Turn, customer_id: int, kind: str, number: str) -> OrderView | None:
    """The customer's own order of that number, if the request can be about it; else says why not."""
    order = shop.find_order(turn.session, customer_id, number, turn.language)
    if order is None:
        say_not_found(turn, number)
        return None
    return None if refused(turn, kind, order) else order


def refused(turn: Turn, kind: str, order: OrderView) -> bool:
    """Whether the request can't be about this order; if so, says why and what can be done instead."""
    why = requests.refusal(kind, order.status)
    if why == "too_late":
        turn.say(f"utter_request_too_late_{kind}", number=order.number)
    elif why is not None:
        turn.say(f"utter_request_order_{why}", number=order.number)
    return why is not None


def latest_text(turn: Turn) -> str:
    """What the customer just wrote, or the payload of the button they pressed."""
    return str((turn.tracker.latest_message or {}).get("text") or "")


def opening_message(tracker: Tracker, kind: str) -> str | None:
    """What the customer wrote when they first asked for this; None when they pressed a button.

    Not always the latest message: verification may have come in between. Of two wishes in a message, only
    the words of this one.
    """
    intents = {kind, requests.ALSO_OPENED_BY.get(kind)}
    for event in reversed(tracker.events):
        if event["event"] != "user":
            continue
        parsed = event.get("parse_data") or {}
        if (parsed.get("intent") or {}).get("name") in intents:
            own = [wish["text"] for wish in parsed.get("wishes") or () if wish["intent"] in intents]
            text = str(own[0] if own else event.get("text") or "")
            return None if text.startswith("/") else text
    return None
