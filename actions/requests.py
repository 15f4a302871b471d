"""Requests to the shop's people: each action begins one kind; request_form.py asks for what is missing."""

from __future__ import annotations

from abc import ABC, abstractmethod

from rasa_sdk.events import ActiveLoop, FollowupAction, SlotSet

from actions import cases, point_codes
from actions.asides import answer_instead
from actions.base import Event, PrivateAction, Turn
from actions.orders import counted_lines, written_day
from actions.request_orders import asked_order, latest_text, opening_message, orders_meant, possible_orders
from rapport.cases import service as work
from rapport.conversations import decisions, details, point_amounts, requests
from rapport.conversations import service as conversations
from rapport.shop import reorder
from rapport.shop import rules as shop_rules
from rapport.shop.service import OrderView

# Done at once and by nobody: no colleague looks at them.
WITHOUT_CASE = {point_codes.KIND}
# Asked for again for the same order, what was decided is told. (All else may be wanted once more.)
DECIDED_ONCE = {"cancel_order", "get_refund", "get_invoice"}
SLOTS = ("request", "request_order", "request_details", "request_confirmed")


class RequestAction(PrivateAction, ABC):
    """Begins a request, unless its order is unknown or not fit for it, or the same was requested already."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """A key of `requests.KINDS`."""

    def perform(self, turn: Turn) -> list[Event]:
        if cases.asks_after(turn) and cases.tell_if_any(turn):
            return []
        return [] if answer_instead(turn, self.kind) else super().perform(turn)

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        if self._was_to_be_confirmed(turn):
            return _confirm(turn, self.kind)
        # The next request without a number is not about this order.
        forget = SlotSet("order_number", None)
        order: OrderView | None = None
        if requests.KINDS[self.kind].statuses is not None:
            orders = orders_meant(turn, customer_id, self.kind)
            if not orders:
                return [forget]
            if len(orders) > 1:
                return [forget, *self._begin(turn, None, ask_order=True)]
            order = orders[0]
        number = order.number if order else None
        if hindered(turn, customer_id, self.kind, order):
            return [forget]
        if self.kind not in WITHOUT_CASE and already_open(turn, customer_id, self.kind, number):
            return [forget]
        return [forget, *self._begin(turn, number)]

    def _was_to_be_confirmed(self, turn: Turn) -> bool:
        """Whether this says again, of the same order, what a yes was just asked for: "yes, cancel it"."""
        number, wanted = turn.slot("order_number"), turn.slot("request_order")
        return (
            turn.tracker.active_loop_name == "request_form"
            and turn.slot("requested_slot") == "request_confirmed"
            and turn.slot("request") == self.kind
            and (number is None or shop_rules.same_number(number, wanted or ""))
            and not latest_text(turn).startswith("/")
        )

    def _begin(self, turn: Turn, number: str | None, ask_order: bool = False) -> list[Event]:
        """Fills the form's slots: with what is known, "" for what is not needed, None for what is asked."""
        needs = requests.KINDS[self.kind]
        opening = opening_message(turn.tracker, self.kind)
        slots = {
            "request": self.kind,
            "request_order": None if ask_order else number or "",
            "request_details": _told(turn, self.kind, opening, number) if needs.details else "",
            "request_confirmed": None if needs.confirm else "",
        }
        events = [SlotSet(name, value) for name, value in slots.items()]
        if None in slots.values():
            return [*events, FollowupAction("request_form")]
        # This request may have taken the place of another one, whose form would go on asking.
        return [*events, *leave_form(turn), FollowupAction("action_take_request")]


class CancelOrder(RequestAction):
    """An order that was not sent yet shall not be."""

    action_name = "action_cancel_order"
    kind = "cancel_order"


class ChangeOrder(RequestAction):
    """Something in an order that was not sent yet shall be different."""

    action_name = "action_change_order"
    kind = "change_order"


class SetUpShippingAddress(RequestAction):
    """An address for orders to come."""

    action_name = "action_set_up_shipping_address"
    kind = "set_up_shipping_address"


class ChangeShippingAddress(RequestAction):
    """An order that was not sent yet shall go elsewhere; without one, it is about those to come."""

    action_name = "action_change_shipping_address"
    kind = "change_shipping_address"

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        if asked_order(turn, customer_id, self.kind) is None and not possible_orders(
            turn, customer_id, self.kind
        ):
            turn.say("utter_request_no_open_order")
            return SetUpShippingAddress().answer_customer(turn, customer_id)
        return super().answer_customer(turn, customer_id)


class GetRefund(RequestAction):
    """Something is sent back, or was paid wrongly, and the money shall come back."""

    action_name = "action_get_refund"
    kind = "get_refund"


class GetInvoice(RequestAction):
    """The invoice of an order."""

    action_name = "action_get_invoice"
    kind = "get_invoice"


class Reorder(RequestAction):
    """The same again as an earlier order, as far as it can be had."""

    action_name = "action_reorder"
    kind = "reorder"


class EditAccount(RequestAction):
    """Something in the customer's own data shall be different."""

    action_name = "action_edit_account"
    kind = "edit_account"


class DeleteAccount(RequestAction):
    """The account shall be closed."""

    action_name = "action_delete_account"
    kind = "delete_account"


class ExportData(RequestAction):
    """A copy of all that is held."""

    action_name = "action_export_data"
    kind = "export_data"


class RedeemPoints(RequestAction):
    """Points shall become a code; "make it 200" chooses anew."""

    action_name = "action_redeem_points"
    kind = "redeem_points"

    def _was_to_be_confirmed(self, turn: Turn) -> bool:
        names_amount = point_amounts.wanted(latest_text(turn)) is not None
        return not names_amount and super()._was_to_be_confirmed(turn)


def _confirm(turn: Turn, kind: str) -> list[Event]:
    """A request said again instead of a yes is one, unless it is said with a "not"."""
    forget = SlotSet("order_number", None)
    wanted = decisions.decided(kind, latest_text(turn))
    if wanted is None:
        turn.say("utter_request_yes_or_no")  # and the form asks again
        return [forget]
    if not wanted:
        turn.say("utter_request_left")
        return [forget, *leave_form(turn)]
    return [
        forget,
        SlotSet("request_confirmed", "yes"),
        *leave_form(turn),
        FollowupAction("action_take_request"),
    ]


def leave_form(turn: Turn) -> list[Event]:
    """Ends the form of requests, where it is active."""
    if turn.tracker.active_loop_name != "request_form":
        return []
    return [ActiveLoop(None), SlotSet("requested_slot", None)]


def _told(turn: Turn, kind: str, opening: str | None, number: str | None) -> str | None:
    """The details, if they were told with the request itself."""
    if kind == point_codes.KIND:
        said = turn.text if turn.intent == kind else opening
        return point_codes.chosen(turn, turn.customer_id, said) if said and turn.customer_id else None
    found = {entity.get("entity") for entity in (turn.tracker.latest_message or {}).get("entities") or ()}
    product = latest_text(turn) == opening and bool(found & {"product", "category"})
    return details.told(kind, opening, number, product)


def hindered(turn: Turn, customer_id: int, kind: str, order: OrderView | None) -> bool:
    """Whether something else than the order's status stands in the way; if so, it is said."""
    if kind == point_codes.KIND:
        return point_codes.hindered(turn, customer_id)
    if kind == "reorder" and order is not None:
        quote = reorder.quote(turn.session, order)
        if not quote.available:
            missing = counted_lines(quote.missing, turn.language)
            turn.say("utter_reorder_none", number=order.number, missing=missing)
            return True
    return False


def already_open(
    turn: Turn, customer_id: int, kind: str, number: str | None, text: str | None = None
) -> bool:
    """Whether a colleague is looking at the same request, or has decided on it lately; if so, it is said."""
    case = conversations.same_request(turn.session, customer_id, kind, number, text, turn.message_key)
    if case is None and kind in DECIDED_ONCE and number is not None:
        decided = work.answered_requests(turn.session, customer_id, kind, number)
        if decided and decided[0].outcome in cases.RESOLVED:
            cases.tell(turn, decided[:1])
            return True
    if case is not None:
        taken_back = kind in decisions.VERBS and decisions.decided(kind, latest_text(turn)) is False
        response = "utter_request_take_back" if taken_back else "utter_request_open"
        turn.say(response, case=case.id, date=written_day(case.opened_at, turn.language))
    return case is not None
