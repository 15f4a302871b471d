"""Pure rules of what a transcript shows: how well something was understood, what of it is hidden."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Literal

from rapport.conversations.answers import NOT_UNDERSTOOD
from rapport.privacy.personal import HIDDEN, Span
from rapport.privacy.sight import merged

# Below this the bot was rather guessing: of what it took for an intent, every other one is another.
UNSURE_BELOW = 0.5
# Entities that are personal by what they are, whatever they look like.
PERSONAL = frozenset({"email", "phone", "name", "address", "code"})

Understanding = Literal["none", "unsure", "sure"]
Sent = Literal["queued", "sent", "delivered", "read", "failed", "cancelled", "unknown"]


@dataclass(frozen=True)
class Part:
    """A piece of a text. `entity` and `value`: what the bot found in it."""

    text: str
    entity: str | None = None
    value: str | None = None


def understanding(intent: str | None, confidence: float | None) -> Understanding | None:
    """How well a message was understood; None when nobody tried to."""
    if intent is None:
        return None
    if intent in NOT_UNDERSTOOD:
        return "none"
    return "unsure" if confidence is not None and confidence < UNSURE_BELOW else "sure"


def parts(text: str, entities: Iterable[Mapping[str, Any]], hidden: Sequence[Span]) -> list[Part]:
    """The text in pieces: those in which the bot found something, and what is hidden, once for each."""
    marks = [
        (span.start, span.end, entity)
        for entity in entities
        if (span := span_of(entity, len(text))) is not None
    ]
    cuts = sorted(
        {0, len(text)}
        | {place for start, end, _ in marks for place in (start, end)}
        | {place for span in hidden for place in (span.start, span.end)}
    )
    found: list[Part] = []
    for start, end in pairwise(cuts):
        veil = next((span for span in hidden if span.start <= start < span.end), None)
        entity = next((entity for first, last, entity in marks if first <= start < last), None)
        if veil is not None:
            if start == veil.start:
                found.append(
                    Part(HIDDEN, str(entity["entity"]) if entity else None, HIDDEN if entity else None)
                )
        elif entity is not None:
            found.append(Part(text[start:end], str(entity["entity"]), str(entity.get("value", ""))))
        else:
            found.append(Part(text[start:end]))
    return found


def span_of(entity: Mapping[str, Any], length: int) -> Span | None:
    """Where in a text of that length an entity stands; None for one that was not found by its words."""
    start, end = entity.get("start"), entity.get("end")
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= length):
        return None
    return Span(start, end, str(entity["entity"]))


def veiled(hidden: Sequence[Span], entities: Iterable[Mapping[str, Any]], length: int) -> list[Span]:
    """What is hidden of a text, with the entities that are personal; in order, none overlapping."""
    personal = [span_of(entity, length) for entity in entities if entity.get("entity") in PERSONAL]
    return merged([*hidden, *filter(None, personal)])


def sent_state(status: str, delivered_at: datetime | None, read_at: datetime | None) -> Sent:
    """What became of something sent to a messaging app, in one word."""
    match status:
        case "failed" | "cancelled" | "unknown":
            return status
        case "sent":
            return "read" if read_at else "delivered" if delivered_at else "sent"
        case _:
            return "queued"
