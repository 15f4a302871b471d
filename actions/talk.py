"""Small talk that changes something, and not having understood."""

from __future__ import annotations

from rasa_sdk.events import FollowupAction, SlotSet

from actions.base import CrmAction, Event, Turn
from rapport.conversations import service as conversations
from rapport.kit import languages


class ChangeLanguage(CrmAction):
    """Goes on in the language the customer named.

    The sentence about it is the rule's next step: only then the slot holds the new language.
    """

    action_name = "action_change_language"
    writes = True

    def answer(self, turn: Turn) -> list[Event]:
        forget = SlotSet("requested_language", None)
        language = languages.normalise(turn.slot("requested_language"))
        if language is None:
            return [forget, FollowupAction("utter_language_which")]
        conversations.set_language(turn.session, turn.conversation, language)
        return [forget, SlotSet("language", language)]


class DefaultFallback(CrmAction):
    """Says that it did not understand, and what it can do."""

    action_name = "action_default_fallback"

    def answer(self, turn: Turn) -> list[Event]:
        turn.say("utter_fallback")
        return []
