"""The second wish of a message, as in "where is my order and how many points do I have?".

It waits in a slot until the first is done with. That is at once, unless the first one began a form: then the
customer is told that their other question comes after it.
"""

from typing import Any

from rasa.core.channels.channel import OutputChannel, UserMessage
from rasa.shared.core.events import BotUttered, Event, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import INTENT

from bot.messages import escape_typed_text
from bot.nlu.intent import WISHES
from bot.nlu.wishes import in_order

SLOT = "also_asked"
LATER = "utter_also_later"
# Whoever leaves a form like this is done with what was asked beside it as well.
LEAVING = {"deny", "goodbye", "contact_human_agent"}
GIVEN_UP = {"utter_code_too_many"}


def first_in_order(parsed: dict[str, Any], known: bool) -> dict[str, Any]:
    """What Rasa understood of a message, as that of its two wishes that is to be answered first.

    `known`: who the customer is has been made sure of, so that nothing has to be asked for that.
    """
    wishes = parsed.get(WISHES)
    if not wishes:
        return parsed
    wishes = in_order(wishes, known)
    return {**parsed, WISHES: wishes, INTENT: {**parsed[INTENT], "name": wishes[0]["intent"]}}


def note(tracker: DialogueStateTracker) -> SlotSet | None:
    """Keeps the second wish of the message just logged, if there is one, with what the app found in it."""
    message = tracker.latest_message
    wishes = (message.parse_data or {}).get(WISHES) if message else None
    if not wishes or SLOT not in tracker.slots:
        return None
    words = wishes[1]["text"]
    named = (message.metadata or {}).get("entities") or []
    own = [entity for entity in named if str(entity.get("text") or "").lower() in words.lower()]
    return SlotSet(SLOT, {"text": words, "entities": own})


def waiting(tracker: DialogueStateTracker) -> dict[str, Any] | None:
    """The wish whose turn it is: none while a form is being filled."""
    if tracker.active_loop_name is not None or SLOT not in tracker.slots:
        return None
    return tracker.get_slot(SLOT)


def dropped(turn: list[Event]) -> bool:
    """Whether this turn (its events) ended the talk about what the customer had asked."""
    return any(
        (isinstance(event, UserUttered) and event.intent_name in LEAVING)
        or (isinstance(event, BotUttered) and event.metadata.get("utter_action") in GIVEN_UP)
        for event in turn
    )


def as_message(wish: dict[str, Any], first: UserMessage, tracker: DialogueStateTracker) -> UserMessage:
    """The wish as a message of the same turn; its key differs, so that what it writes is written as well."""
    metadata = {
        **(first.metadata or {}),
        "message_id": f"{first.message_id}+",
        "entities": wish["entities"],
        "verified": bool(tracker.get_slot("verified")),
    }
    return UserMessage(
        # A half may begin with a slash though the whole did not.
        escape_typed_text(wish["text"]),
        first.output_channel,
        first.sender_id,
        input_channel=first.input_channel,
        message_id=first.message_id,
        metadata=metadata,
    )


async def announce(nlg: Any, tracker: DialogueStateTracker, output: OutputChannel) -> BotUttered | None:
    """Says that the second wish comes later. No action for Rasa's policies: the form goes on as it was."""
    said = await nlg.generate(LATER, tracker, output.name())
    if said is None:
        return None
    return BotUttered(text=said.get("text"), data={}, metadata={"utter_action": LATER})
