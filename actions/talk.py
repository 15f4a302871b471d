"""Small talk that needs to know something, and not having understood."""

from __future__ import annotations

from abc import ABC, abstractmethod

from actions.base import CrmAction, Event, Turn
from actions.guesses import carried, guesses, misses_before
from actions.knowledge import answer_topic
from actions.words import intent_button, something_else_button
from rapport.customers import service as customers
from rapport.shop.facts import get_facts

NOT_UNDERSTOOD = "nlu_fallback"


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


class NotServed(CrmAction, ABC):
    """What no other action answers. The shop's own files may; who gets no answer twice in a row is offered a
    person.
    """

    def answer(self, turn: Turn) -> list[Event]:
        if answer_topic(turn):
            return []
        if waits_for_a_person(turn):
            turn.say("utter_still_waiting", hours=get_facts().contact.hours.of(turn.language))
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


def waits_for_a_person(turn: Turn) -> bool:
    """Whether a person was asked for and has not come yet; the bot goes on meanwhile."""
    return turn.conversation.status == "waiting"
