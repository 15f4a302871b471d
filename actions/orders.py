"""Where an order is, which orders there were, what they came to, and where money paid back stays."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rasa_sdk.events import SlotSet

from actions import cases
from actions.base import Event, PrivateAction, Turn
from actions.knowledge import answer_topic, misses_confirmation
from rapport.cases import asking
from rapport.cases import service as work
from rapport.conversations import service as conversations
from rapport.kit.format import day, money, number
from rapport.shop import service as shop
from rapport.shop.facts import get_facts
from rapport.shop.service import LineView, OrderView, RefundView

UNKNOWN = "–"
# A number that is not found is repeated to the customer; nobody's order number is longer.
LONGEST_NUMBER = 40


class TrackOrder(PrivateAction):
    """Where the order with the number asked for is, or else the newest one."""

    action_name = "action_track_order"

    def perform(self, turn: Turn) -> list[Event]:
        if cases.asks_after(turn) and cases.tell_if_any(turn):
            return []
        if not turn.named("order_number") and misses_confirmation(turn) and answer_topic(turn):
            return []
        return super().perform(turn)

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        order = order_asked_for(turn, customer_id)
        if order is not None:
            turn.say(f"utter_order_{order.status}", **order_details(order, turn.language))
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


class CheckInvoice(PrivateAction):
    """What the order asked for, or else the newest one, came to: each line with its price, and the total."""

    action_name = "action_check_invoice"

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        order = order_asked_for(turn, customer_id)
        if order is not None:
            turn.say(
                "utter_invoice_part_refunded" if order.refunded_minor else "utter_invoice",
                number=order.number,
                placed=written_day(order.placed_at, turn.language),
                items=priced(order.items, order.currency, turn.language),
                total=_total(order, turn.language),
                refunded=money(order.refunded_minor, order.currency, turn.language),
            )
        return [SlotSet("order_number", None)]


class TrackRefund(PrivateAction):
    """What was paid back, and what was asked for and is being looked at: on one order, or on all of them."""

    action_name = "action_track_refund"

    def perform(self, turn: Turn) -> list[Event]:
        # "Any news on my complaint" easily sounds like this; a request for money back is told of below.
        if asking.asks_after(turn.text) == ("complaint",) and cases.tell_if_any(turn):
            return []
        return super().perform(turn)

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        of_order = None
        if turn.slot("order_number") is not None:
            order = order_asked_for(turn, customer_id)
            of_order = order.number if order else None
            if order is None:
                return [SlotSet("order_number", None)]
        paid = shop.refunds(turn.session, customer_id, of_order)
        waiting = conversations.open_requests(turn.session, customer_id, "get_refund", of_order)
        if paid:
            turn.say("utter_refunds", refunds="\n".join(_refund(refund, turn.language) for refund in paid))
        for case in waiting:
            turn.say(
                "utter_refund_waiting",
                number=case.order_number or UNKNOWN,
                date=written_day(case.opened_at, turn.language),
                case=case.id,
            )
        decided = work.answered_requests(turn.session, customer_id, "get_refund", of_order)
        # What was paid back is told of already.
        told = [case for case in decided if case.order_number not in {refund.number for refund in paid}]
        cases.tell(turn, told)
        if not paid and not waiting and not told:
            turn.say("utter_no_refund")
        return [SlotSet("order_number", None)]


def order_asked_for(turn: Turn, customer_id: int) -> OrderView | None:
    """The customer's order that the slot names, else the newest; says so when there is no such order."""
    asked = turn.slot("order_number")
    if asked is None:
        order = shop.newest_order(turn.session, customer_id, turn.language)
    else:
        order = shop.find_order(turn.session, customer_id, asked, turn.language)
    if order is None:
        say_not_found(turn, asked)
    return order


def say_not_found(turn: Turn, asked: str | None) -> None:
    """That there is no order of that number, or none at all."""
    if asked is None:
        turn.say("utter_no_orders")
    else:
        turn.say("utter_order_not_found", number=asked[:LONGEST_NUMBER])


def order_details(order: OrderView, language: str) -> dict[str, Any]:
    """What the responses about one order can say."""
    return {
        "number": order.number,
        "placed": written_day(order.placed_at, language),
        "total": _total(order, language),
        "items": counted_lines(order.items, language),
        "expected": written_day(order.expected_at, language),
        "delivered": written_day(order.delivered_at, language),
        "carrier": order.carrier or UNKNOWN,
        "tracking": order.tracking_number or UNKNOWN,
    }


def counted_lines(lines: tuple[LineView, ...], language: str) -> str:
    """A line for each thing: how many of what."""
    return "\n".join(f"• {number(line.quantity, language)} × {line.description}" for line in lines)


def priced(lines: tuple[LineView, ...], currency: str, language: str) -> str:
    """A line for each thing: what it is, how many at which price, and what that makes."""
    return "\n".join(
        f"• {line.description}: {number(line.quantity, language)} × "
        f"{money(line.unit_price_minor, currency, language)} = "
        f"{money(line.quantity * line.unit_price_minor, currency, language)}"
        for line in lines
    )


def written_day(at: datetime | None, language: str) -> str:
    """A date in the shop's timezone, or a dash where there is none."""
    return UNKNOWN if at is None else day(at, language, get_facts().timezone)


def _line(order: OrderView, language: str) -> str:
    return f"{order.number} · {written_day(order.placed_at, language)} · {_total(order, language)}"


def _refund(refund: RefundView, language: str) -> str:
    amount = money(refund.amount_minor, refund.currency, language)
    return f"• {refund.number or UNKNOWN} · {written_day(refund.at, language)} · {amount}"


def _row(order: OrderView, language: str) -> dict[str, str]:
    """The card's row: whoever shows it puts date and status into words."""
    return {
        "number": order.number,
        "placed": order.placed_at.isoformat(),
        "total": _total(order, language),
        "status": order.status,
    }


def _total(order: OrderView, language: str) -> str:
    return money(order.total_minor, order.currency, language)
