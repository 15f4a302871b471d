"""Small talk that needs to know something, and not having understood."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from rasa_sdk.events import FollowupAction

from actions import cases
from actions.asides import words_beside
from actions.base import CrmAction, Event, Turn
from actions.guesses import carried, guesses, misses_before
from actions.knowledge import answer_topic
from actions.showcase import named, show
from actions.words import intent_button, something_else_button
from rapport.conversations import service as conversations
from rapport.customers import service as customers
from rapport.kit import clock
from rapport.shop.facts import get_facts

NOT_UNDERSTOOD = "nlu_fallback"
# What a yes to a journey's words does, by the intent that their button stands for.
OFFERED = {"reorder": "action_reorder", "redeem_points": "action_redeem_points"}
# Words beside a name. "What about the Skur Light" means the jacket, "my tent leaks" no list of tents.
MOST_BESIDE_PRODUCT = 4
MOST_BESIDE_CATEGORY = 1


class Greet(CrmAction):
    """Says hello, by name to whoever is verified."""

    action_name = "action_greet"

    def answer(self, turn: Turn) -> list[Event]:
        name = customers.first_name(turn.session, turn.customer_id) if turn.customer_id else None
        if waits_for_a_person(turn):
            turn.say("utter_greet_waiting")
        elif name:
            turn.say("utter_greet_name", name=name)
        else:
            turn.say("utter_greet")
        return []


class YesToNothing(CrmAction):
    """A yes to no question of the bot's; to one that a person asked, it is theirs. To what a journey said
    unasked it means what that offered.
    """

    action_name = "action_affirm"
    writes = True
    response = "utter_affirm_what"

    def answer(self, turn: Turn) -> list[Event]:
        if (action := self.offered(turn)) is not None:
            return [FollowupAction(action)]
        if last_words_of_a_person(turn) is None:
            turn.say(self.response)
        else:
            pass_on(turn)
        return []

    def offered(self, turn: Turn) -> str | None:
        """The action that does what a journey's words offered, if they were the last the customer heard."""
        meant = _last_heard(turn)
        return OFFERED.get(meant.get("next", "")) if meant.get("said_by") == "journey" else None


class NoToNothing(YesToNothing):
    """The same with a no, which is no yes to any offer."""

    action_name = "action_deny"
    response = "utter_deny"

    def offered(self, turn: Turn) -> str | None:
        return None


class NotServed(CrmAction, ABC):
    """What no other action answers. The shop's own files may, or it is the name of something to buy; who gets
    no answer twice in a row is offered a person.
    """

    writes = True

    def answer(self, turn: Turn) -> list[Event]:
        if cases.asks_after(turn):
            return cases.CaseStatus().perform(turn)
        if answer_topic(turn):
            return []
        if (events := _show_named(turn)) is not None:
            return events
        if "?" in (last_words_of_a_person(turn) or ""):
            pass_on(turn)
        elif waits_for_a_person(turn):
            turn.say("utter_still_waiting", hours=get_facts().opening_hours(turn.language, clock.now()))
        elif misses_before(turn.tracker.events):
            turn.say("utter_fallback_person")
        else:
            self.answer_first(turn)
        return []

    @abstractmethod
    def answer_first(self, turn: Turn) -> None:
        """What is said when the message before was answered."""


class DefaultFallback(NotServed):
    """Offers what the message may have meant, or says what else there is."""

    action_name = "action_default_fallback"

    def answer_first(self, turn: Turn) -> None:
        message = turn.tracker.latest_message or {}
        # Rasa also comes here when no rule says what follows; what was understood then is no guess.
        found = guesses(message.get("intent_ranking") or []) if turn.intent == NOT_UNDERSTOOD else []
        if not found:
            turn.say("utter_fallback")
            return
        named = carried(message.get("entities") or [])
        buttons = [intent_button(intent, turn.language, named) for intent in found]
        turn.say("utter_did_you_mean", buttons=[*buttons, something_else_button(turn.language)])


class OutOfScope(NotServed):
    """Says what the shop's assistant is for."""

    action_name = "action_out_of_scope"

    def answer_first(self, turn: Turn) -> None:
        turn.say("utter_out_of_scope")


def _show_named(turn: Turn) -> list[Event] | None:
    """Shows what the message names and hardly says more about; None when it names nothing, or says more."""
    products = named(turn, "product")
    most = MOST_BESIDE_PRODUCT if products else MOST_BESIDE_CATEGORY
    beside = words_beside(turn, "product", "category")
    if beside is None or beside > most:
        return None
    return show(turn, products, named(turn, "category"))


def waits_for_a_person(turn: Turn) -> bool:
    """Whether a person was asked for and has not come yet; the bot goes on meanwhile."""
    return turn.conversation.status == "waiting"


def last_words_of_a_person(turn: Turn) -> str | None:
    """What somebody of the team said, if that was the last thing the customer heard before this message."""
    heard = _last_heard(turn)
    return str(heard["text"]) if heard.get("said_by") == "staff" else None


def _last_heard(turn: Turn) -> dict[str, Any]:
    """What the customer heard last before this message: its `text`, and what is noted about it."""
    last: dict[str, Any] = {}
    before: dict[str, Any] = {}
    for event in turn.tracker.events:
        if event["event"] == "bot":
            last = {**(event.get("metadata") or {}), "text": event.get("text") or ""}
        elif event["event"] == "user":
            before = last
    return before


def pass_on(turn: Turn) -> None:
    """Gives the answer to a person's question to the people, who may be waited for already."""
    if conversations.hand_over(turn.session, turn.conversation, "answered a person", turn.message_key):
        turn.say("utter_passed_on")
    else:
        turn.say("utter_already_handed_over")
