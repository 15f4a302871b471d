"""What a message says while the form of requests asks for something: an answer, or a change of mind."""

from __future__ import annotations

from rasa_sdk.events import SlotSet
from rasa_sdk.interfaces import Tracker

from actions.base import Event, Turn
from actions.request_orders import MOST_BUTTONS, latest_text, possible_orders
from actions.requests import SLOTS
from rapport.conversations import decisions, details, requests
from rapport.conversations.which_order import place_named


def before_this_message(tracker: Tracker, slot: str) -> str | None:
    """What a slot held before the latest message filled it."""
    before = value = None
    for event in tracker.events:
        if event["event"] == "user":
            before = value
        elif event["event"] == "slot" and event["name"] == slot:
            value = event["value"]
    return before


def asked_slot(turn: Turn) -> str | None:
    """The slot of this form that was asked for; None while the form begins."""
    asked = turn.slot("requested_slot")
    return asked if asked in SLOTS else None


def given_details(turn: Turn) -> str | None:
    """What this message answered to the question for details."""
    if asked_slot(turn) != "request_details" or "request_details" not in turn.tracker.slots_to_validate():
        return None
    return turn.slot("request_details")


def may_be_details(turn: Turn, kind: str) -> bool:
    """Whether the latest message is what was asked for, rather than a wish, a question or an insult."""
    message = turn.tracker.latest_message or {}
    sure = float((message.get("intent") or {}).get("confidence") or 0)
    text = latest_text(turn)
    if turn.intent in details.NO_WISH and any(turn.tracker.get_latest_entity_values("insult")):
        return details.is_long(text)
    return details.may_be_details(kind, turn.intent, text, sure)


def corrected_order(turn: Turn, kind: str) -> str | None:
    """The order this request is about after all: by its place ("the second one"), or by "sorry, I meant …",
    which may be understood as any request about an order.
    """
    text = latest_text(turn)
    if turn.customer_id is None or not requests.KINDS[kind].statuses or text.startswith("/"):
        return None
    number = next(turn.tracker.get_latest_entity_values("order_number"), None)
    if number is not None:
        another = turn.intent in requests.WISHES and turn.intent != kind
        return str(number) if another and details.corrects_the_order(text, str(number)) else None
    if asked_slot(turn) != "request_order":
        return None
    orders = possible_orders(turn, turn.customer_id, kind)[:MOST_BUTTONS]
    place = place_named(text, len(orders))
    return None if place is None else orders[place].number


def taken_back(turn: Turn, kind: str) -> bool:
    """Whether "don't cancel it" or "no, keep it" is said; the latter is easily understood as another wish."""
    text = latest_text(turn)
    if kind not in decisions.VERBS or turn.intent == "deny" or text.startswith("/"):
        return False
    return decisions.decided(kind, text) is False and (turn.intent == kind or decisions.keeps(text))


def reconsidered(turn: Turn, kind: str) -> list[Event]:
    """What a "no" that speaks of the request itself comes to: "I don't need it, cancel it" is a yes."""
    text = latest_text(turn)
    wanted = decisions.decided(kind, text)
    if "request_order" in turn.tracker.slots_to_validate():
        return []  # "no, order 10002"
    if text.startswith("/") or not decisions.speaks_of_it(kind, text) or wanted is False:
        return []
    if wanted and decisions.is_bare_verb(kind, text):
        wanted = None  # "cancel" alone may mean the form or the order
    if wanted is None:
        turn.say("utter_request_yes_or_no")
    return [SlotSet("request_confirmed", "yes" if wanted else None)]
