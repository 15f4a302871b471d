"""The form of all requests: asks for the order, the details and a yes, checks them, and opens the case."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from rasa_sdk.events import ActionExecutionRejected, FollowupAction, SlotSet

from actions import point_codes
from actions.asides import only_remarks
from actions.base import (
    Button,
    Check,
    CrmAction,
    Event,
    FormValidation,
    PrivateAction,
    Turn,
    start_verification,
)
from actions.knowledge import answer_topic
from actions.orders import counted_lines, order_details, priced, say_not_found
from actions.request_answers import (
    asked_slot,
    before_this_message,
    corrected_order,
    given_details,
    may_be_details,
    reconsidered,
    taken_back,
)
from actions.request_orders import (
    MOST_BUTTONS,
    fit_order,
    latest_text,
    opening_message,
    possible_orders,
    refused,
)
from actions.requests import SLOTS, already_open, hindered
from rapport.conversations import decisions, requests
from rapport.conversations import details as rules
from rapport.conversations import service as conversations
from rapport.kit.format import counted, money, short_day
from rapport.loyalty.points import service as ledger
from rapport.shop import reorder
from rapport.shop import service as shop
from rapport.shop.facts import get_facts
from rapport.shop.service import OrderView

LONGEST_TITLE = 24  # the messaging apps' limit

# Rasa ends a form that finds no slot requested; without a request, action_take_request then does nothing.
END_FORM: dict[str, Any] = {"request": None, "request_order": None, "requested_slot": None}


class AskOrder(CrmAction):
    """Which order it is about, with a button for each that it can be about."""

    action_name = "action_ask_request_order"

    def answer(self, turn: Turn) -> list[Event]:
        kind = turn.slot("request") or ""
        if turn.customer_id is None:
            return verify_again(turn, kind)
        orders = possible_orders(turn, turn.customer_id, kind)[:MOST_BUTTONS]
        turn.say(f"utter_request_which_{kind}", buttons=[_order_button(o, turn.language) for o in orders])
        return []


class AskDetails(CrmAction):
    """What a colleague has to know."""

    action_name = "action_ask_request_details"

    def answer(self, turn: Turn) -> list[Event]:
        kind = turn.slot("request") or ""
        if kind == point_codes.KIND:
            if turn.customer_id is None:
                return verify_again(turn, kind)
            point_codes.ask(turn, turn.customer_id)
            return []
        turn.say(f"utter_request_details_{kind}", number=turn.slot("request_order"))
        return []


class AskConfirmed(CrmAction):
    """Whether it is really wanted, with what hangs on it."""

    action_name = "action_ask_request_confirmed"

    def answer(self, turn: Turn) -> list[Event]:
        kind = turn.slot("request") or ""
        if turn.customer_id is None:
            return verify_again(turn, kind)
        number = turn.slot("request_order")
        order = shop.find_order(turn.session, turn.customer_id, number, turn.language) if number else None
        CONFIRM[kind](turn, turn.customer_id, order)
        return []


class ValidateRequestForm(FormValidation):
    """The order must be the customer's own and fit, and the details must say something."""

    action_name = "validate_request_form"

    def checks(self) -> dict[str, Check]:
        return {
            "request_order": self._check_order,
            "request_details": self._check_details,
            "request_confirmed": self._check_yes,
        }

    def answer(self, turn: Turn) -> list[Event]:
        kind = turn.slot("request")
        if kind is None or asked_slot(turn) is None:
            return []  # the form just began, and what the request's action filled in is checked
        if taken_back(turn, kind):
            turn.say("utter_request_left")
            return [SlotSet(slot, value) for slot, value in {**END_FORM, "order_number": None}.items()]
        corrected = corrected_order(turn, kind)
        if corrected is not None:
            # The number belongs to this request, so the next one is not about it.
            checked = self._check_named(turn, kind, corrected)
            return [SlotSet("order_number", None), *(SlotSet(slot, value) for slot, value in checked.items())]
        if asked_slot(turn) == "request_confirmed" and turn.intent == "deny":
            return reconsidered(turn, kind) or super().answer(turn)
        if given_details(turn) and (only_remarks(turn, kind) or not may_be_details(turn, kind)):
            forget = [
                SlotSet("request_order", before_this_message(turn.tracker, "request_order")),
                SlotSet("request_details", None),
            ]
            if (turn.intent in rules.NO_WISH or only_remarks(turn, kind)) and answer_topic(turn):
                return forget
            # Rasa then lets the rules answer, as it does when nothing was extracted.
            return [*forget, ActionExecutionRejected("request_form")]
        return super().answer(turn)

    def _check_order(self, turn: Turn) -> dict[str, Any]:
        kind, named = turn.slot("request"), turn.slot("request_order")
        before = before_this_message(turn.tracker, "request_order")
        details = given_details(turn)
        assert kind is not None
        if named is None or not requests.KINDS[kind].statuses or turn.customer_id is None:
            # A request without an order: the number is a postcode or a phone's.
            return {"request_order": before}
        if details and not rules.only_names_an_order(details, named):
            return {"request_order": before}
        postcode = details and requests.KINDS[kind].details == "address"  # "28013 Madrid"
        if postcode and not shop.find_order(turn.session, turn.customer_id, named, turn.language):
            return {"request_order": before}
        return self._check_named(turn, kind, named)

    def _check_named(self, turn: Turn, kind: str, named: str) -> dict[str, Any]:
        """The slots to set when a message names the order this request is about."""
        assert turn.customer_id is not None
        before, details = before_this_message(turn.tracker, "request_order"), given_details(turn)
        order = shop.find_order(turn.session, turn.customer_id, named, turn.language)
        # What only names an order describes nothing, and a yes was for the order before.
        checked: dict[str, Any] = {"request_details": None} if details else {}
        if order is None:
            say_not_found(turn, named)
            return {**checked, "request_order": None}
        if (
            refused(turn, kind, order)
            or hindered(turn, turn.customer_id, kind, order)
            or already_open(turn, turn.customer_id, kind, order.number)
        ):
            return END_FORM
        if order.number != before and requests.KINDS[kind].confirm:
            checked["request_confirmed"] = None
        return {**checked, "request_order": order.number}

    def _check_details(self, turn: Turn) -> dict[str, Any]:
        kind, details = turn.slot("request") or "", given_details(turn)
        needs = requests.KINDS[kind].details
        if needs == "points":
            return self._check_points(turn)
        if details is None:
            # A number of points beside the answer to another question.
            return {"request_details": before_this_message(turn.tracker, "request_details")}
        if turn.intent == "inform_email" and needs != "data":
            turn.say("utter_form_unclear")  # it was meant for the verification before
        elif not rules.usable(kind, details):
            turn.say("utter_request_address_short" if needs == "address" else "utter_request_details_short")
        else:
            return {"request_details": details}
        return {"request_details": None}

    def _check_points(self, turn: Turn) -> dict[str, Any]:
        """How many, also when it is said instead of a yes."""
        before = before_this_message(turn.tracker, "request_details")
        if turn.customer_id is None:
            return {"request_details": None}
        number = point_codes.chosen(turn, turn.customer_id, latest_text(turn))
        if number is None and asked_slot(turn) == "request_confirmed":
            number = before
        return {"request_details": number}

    def _check_yes(self, turn: Turn) -> dict[str, Any]:
        kind, text = turn.slot("request") or "", latest_text(turn)
        if decisions.decided(kind, text) is False and decisions.speaks_of_it(kind, text):
            turn.say("utter_request_yes_or_no")  # "yes, don't cancel it"
            return {"request_confirmed": None}
        return {"request_confirmed": turn.slot("request_confirmed")}


class TakeRequest(PrivateAction):
    """Opens the case, and says that it is requested: it is done only when a colleague has done it."""

    action_name = "action_take_request"
    writes = True

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        kind = turn.slot("request")
        if kind is None:
            return []  # the form said why not
        if _missing(turn, requests.KINDS[kind]):
            return [FollowupAction("request_form")]
        if kind == point_codes.KIND:
            events = point_codes.give(turn, customer_id)
            return [*events, *(SlotSet(name, None) for name in (*SLOTS, "order_number"))]
        number = turn.slot("request_order")
        # It may have been sent while the form was being filled in.
        if number is None or fit_order(turn, customer_id, kind, number):
            self._take(turn, customer_id, kind, number)
        return [SlotSet(name, None) for name in (*SLOTS, "order_number")]

    def _take(self, turn: Turn, customer_id: int, kind: str, number: str | None) -> None:
        text = requests.case_text(opening_message(turn.tracker, kind), turn.slot("request_details"))
        if already_open(turn, customer_id, kind, number, text):
            return
        case = conversations.open_request(
            turn.session, turn.conversation, kind, text, turn.message_key, number
        )
        turn.say(f"utter_requested_{kind}", case=case.id, number=number)


def verify_again(turn: Turn, kind: str) -> list[Event]:
    """The verification ran out in the middle: begin again with the same order once it is renewed."""
    number = SlotSet("order_number", turn.slot("request_order"))
    return [number, *start_verification(turn, f"action_{kind}")]


def _missing(turn: Turn, needs: requests.Kind) -> bool:
    wanted = {
        "request_order": needs.statuses is not None,
        "request_details": needs.details is not None,
        "request_confirmed": needs.confirm,
    }
    return any(needed and turn.slot(name) is None for name, needed in wanted.items())


def _order_button(order: OrderView, language: str) -> Button:
    title = f"{order.number} · {short_day(order.placed_at, language, get_facts().timezone)}"
    payload = json.dumps({"order_number": order.number}, ensure_ascii=False)
    return title if len(title) <= LONGEST_TITLE else order.number, f"/inform_order_number{payload}"


def _confirm_cancel(turn: Turn, _customer_id: int, order: OrderView | None) -> None:
    assert order is not None
    turn.say("utter_request_confirm_cancel_order", **order_details(order, turn.language))


def _confirm_reorder(turn: Turn, _customer_id: int, order: OrderView | None) -> None:
    assert order is not None
    quote = reorder.quote(turn.session, order)
    turn.say(
        "utter_request_confirm_reorder_part" if quote.missing else "utter_request_confirm_reorder",
        number=order.number,
        items=priced(quote.available, order.currency, turn.language),
        missing=counted_lines(quote.missing, turn.language),
        total=money(quote.total_minor, order.currency, turn.language),
    )


def _confirm_delete(turn: Turn, customer_id: int, _order: OrderView | None) -> None:
    held = ledger.statement(turn.session, customer_id)
    points = held.available + held.pending + held.held
    turn.say("utter_request_confirm_delete_account", points=counted(points, turn.language))


def _confirm_redeem(turn: Turn, _customer_id: int, _order: OrderView | None) -> None:
    point_codes.confirm(turn)


# A request that needs a yes, and what is said before it. `order` is there if the request is about one.
CONFIRM: dict[str, Callable[[Turn, int, OrderView | None], None]] = {
    "cancel_order": _confirm_cancel,
    "reorder": _confirm_reorder,
    "delete_account": _confirm_delete,
    "redeem_points": _confirm_redeem,
}
