"""Where an order is, and which orders there were."""

from __future__ import annotations

from datetime import datetime

from rasa_sdk.events import SlotSet

from actions.base import Event, PrivateAction, Turn
from rapport.kit.format import day, money, number
from rapport.shop import service as shop
from rapport.shop.facts import get_facts
from rapport.shop.service import OrderView

UNKNOWN = "–"
# A number that is not found is repeated to the customer; nobody's order number is longer.
LONGEST_NUMBER = 40


class TrackOrder(PrivateAction):
    """Where the order with the number asked for is, or else the newest one."""

    action_name = "action_track_order"

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        asked = turn.slot("order_number")
        if asked is None:
            order = shop.newest_order(turn.session, customer_id, turn.language)
        else:
            order = shop.find_order(turn.session, customer_id, asked, turn.language)
        if order is not None:
            turn.say(f"utter_order_{order.status}", **_details(order, turn.language))
        elif asked is not None:
            turn.say("utter_order_not_found", number=asked[:LONGEST_NUMBER])
        else:
            turn.say("utter_no_orders")
        # The next "where is my order" means the newest one again.
        return [SlotSet("order_number", None)]


class ListOrders(PrivateAction):
    """The last five orders, as lines of text and as a card."""

    action_name = "action_list_orders"

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        orders = shop.recent_orders(turn.session, customer_id, limit=5)
        if not orders:
            turn.say("utter_no_orders")
            return []
        turn.say("utter_orders_list", orders="\n".join(_line(order, turn.language) for order in orders))
        turn.card({"type": "orders", "orders": [_row(order, turn.language) for order in orders]})
        return []


def _details(order: OrderView, language: str) -> dict[str, str]:
    items = (f"• {number(item.quantity, language)} × {item.description}" for item in order.items)
    return {
        "number": order.number,
        "placed": _day(order.placed_at, language),
        "total": _total(order, language),
        "items": "\n".join(items),
        "expected": _day(order.expected_at, language),
        "delivered": _day(order.delivered_at, language),
        "carrier": order.carrier or UNKNOWN,
        "tracking": order.tracking_number or UNKNOWN,
    }


def _line(order: OrderView, language: str) -> str:
    return f"{order.number} · {_day(order.placed_at, language)} · {_total(order, language)}"


def _row(order: OrderView, language: str) -> dict[str, str]:
    """The card's row: whoever shows it puts date and status into words."""
    return {
        "number": order.number,
        "placed": order.placed_at.isoformat(),
        "total": _total(order, language),
        "status": order.status,
    }


def _day(at: datetime | None, language: str) -> str:
    return UNKNOWN if at is None else day(at, language, get_facts().timezone)


def _total(order: OrderView, language: str) -> str:
    return money(order.total_minor, order.currency, language)
