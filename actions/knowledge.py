"""What the shop's own files answer (`knowledge/`)."""

from __future__ import annotations

from actions.base import CrmAction, Event, Turn
from actions.words import intent_button
from rapport.shop.knowledge import get_knowledge

# Two topics of one message are answered; more would be a guess about a text that is long.
MOST_TOPICS = 2


class Answer(CrmAction):
    """The entry of the message's intent, or else of a topic the message names."""

    action_name = "action_answer"

    def answer(self, turn: Turn) -> list[Event]:
        if turn.intent in get_knowledge().entries:
            say_entry(turn, turn.intent)
        elif not answer_topic(turn):
            # Every intent with a rule for this action has an entry: the files are not read without.
            raise LookupError(f"no entry of the knowledge answers {turn.intent}")
        return []


def answer_topic(turn: Turn) -> bool:
    """Answers what topics the message names by the words for it in `knowledge/`; False when it names none."""
    named = dict.fromkeys(turn.tracker.get_latest_entity_values("topic"))
    # A file may have changed since the message was looked at.
    known = [topic for topic in named if topic in get_knowledge().entries]
    for topic in known[:MOST_TOPICS]:
        say_entry(turn, topic)
    return bool(known)


def say_entry(turn: Turn, key: str) -> None:
    """Says an entry of the knowledge, with its buttons."""
    entry = get_knowledge().entries[key]
    buttons = [intent_button(intent, turn.language) for intent in entry.next]
    turn.say("utter_knowledge", buttons=buttons, answer=entry.answer.of(turn.language))
