"""What a message that was not understood may have meant. Pure: it is only offered, as buttons, never done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from actions.words import button_intents

# Of 187 wishes the model was too unsure of (held-out messages in four languages), its first guess was right
# in 71 of the 172 it was at least this sure of, and in 1 of the 15 others: those would only be in the way.
DID_YOU_MEAN = 0.15
# The second guess is right in every fifth case, and below this in every tenth.
SECOND_GUESS = 0.1
# What the app says of every message anyway, and what belongs to this message alone.
NOT_CARRIED = {"language", "verified", "insult", "code"}
# The responses that leave somebody where they were.
MISSES = {"utter_fallback", "utter_did_you_mean", "utter_fallback_person", "utter_out_of_scope"}


def guesses(ranking: Iterable[dict[str, Any]]) -> list[str]:
    """The one or two intents worth offering, the likeliest first; `ranking` is sorted like that."""
    offered = [(guess["name"], guess["confidence"]) for guess in ranking if guess["name"] in button_intents()]
    if not offered or offered[0][1] < DID_YOU_MEAN:
        return []
    return [intent for intent, sure in offered[:2] if sure >= SECOND_GUESS]


def carried(entities: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What a button must bring along of the message it stands for: the values of entities by name."""
    found: dict[str, list[Any]] = {}
    for entity in entities:
        values = found.setdefault(entity["entity"], [])
        if entity["entity"] not in NOT_CARRIED and entity["value"] not in values:
            values.append(entity["value"])
    return {name: values[0] if len(values) == 1 else values for name, values in found.items() if values}


def misses_before(events: Iterable[dict[str, Any]]) -> int:
    """How many answers in a row, up to now, were none."""
    misses = 0
    for event in reversed(list(events)):
        response = (event.get("metadata") or {}).get("utter_action") if event["event"] == "bot" else None
        if response in MISSES:
            misses += 1
        elif response:
            break
    return misses
