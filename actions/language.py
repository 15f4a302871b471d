"""Going on in the language the customer asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rasa_sdk.events import FollowupAction, SlotSet

from actions.base import CrmAction, Event, Turn
from rapport.conversations import service as conversations
from rapport.kit import languages

# What stands before a language that is named but not wanted: "Spanish, not Norwegian", "i stedet for norsk".
_NOT_WANTED = re.compile(
    r"(?:n't|\b(?:not|no|ikke|ikkje|nu|nici|sin|uten|without|fără|fara"
    r"|instead of|rather than|en vez del?|en lugar del?|i ?stedet? for|în loc de|in loc de))(?:\s+\w+)?\s+$",
    re.IGNORECASE,
)


class ChangeLanguage(CrmAction):
    """Goes on in the language the customer named.

    The sentence about it is the rule's next step: only then the slot holds the new language.
    """

    action_name = "action_change_language"
    writes = True

    def answer(self, turn: Turn) -> list[Event]:
        forget = SlotSet("requested_language", None)
        message = turn.tracker.latest_message or {}
        named = wanted(str(message.get("text") or ""), message.get("entities") or [])
        language = languages.normalise(named or turn.slot("requested_language"))
        if language is None:
            return [forget, FollowupAction("utter_language_which")]
        conversations.set_language(turn.session, turn.conversation, language)
        return [forget, SlotSet("language", language)]


def wanted(text: str, entities: Iterable[dict[str, Any]]) -> str | None:
    """The first of the languages named in `text` (as Rasa's entities) that is not named as unwanted."""
    named = [entity for entity in entities if entity.get("entity") == "requested_language"]
    for entity in sorted(named, key=lambda entity: entity.get("start", 0)):
        before = text[: entity.get("start", 0)]
        if languages.normalise(entity["value"]) and not _NOT_WANTED.search(before):
            return str(entity["value"])
    return None
