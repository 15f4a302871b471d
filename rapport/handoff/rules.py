"""Pure rules of stepping in: which step leads where, what may be said."""

from __future__ import annotations

from enum import StrEnum

from rapport.channels.base import MAX_TEXT
from rapport.kit.errors import ConflictError, InvalidInputError


class Step(StrEnum):
    """What can happen to a conversation that a person is wanted for, or has."""

    ASK = "ask"  # the customer wants a person
    TAKE = "take"  # somebody takes it over
    PASS_ON = "pass on"  # noqa: S105 - who has it gives it to a colleague
    RELEASE = "release"  # who has it gives it to nobody: it waits again
    HAND_BACK = "hand back"  # the bot goes on
    MISS = "miss"  # nobody came in time, and the customer is told


# (status of the conversation, step) → status afterwards. What is not here cannot happen.
STEPS: dict[tuple[str, Step], str] = {
    ("bot", Step.ASK): "waiting",
    ("bot", Step.TAKE): "human",
    ("waiting", Step.ASK): "waiting",
    ("waiting", Step.TAKE): "human",
    ("waiting", Step.HAND_BACK): "bot",
    ("waiting", Step.MISS): "bot",
    ("human", Step.ASK): "human",
    ("human", Step.TAKE): "human",
    ("human", Step.PASS_ON): "human",
    ("human", Step.RELEASE): "waiting",
    ("human", Step.HAND_BACK): "bot",
}


def after(status: str, step: Step) -> str:
    """The status after a step. Raises ConflictError when it cannot be taken (any more)."""
    try:
        return STEPS[status, step]
    except KeyError:
        raise ConflictError(f"The conversation is {status!r}: {step} is not possible any more.") from None


def checked_text(text: str) -> str:
    """What a person says, trimmed. Raises InvalidInputError."""
    text = text.replace("\r\n", "\n").replace("\0", "").strip()
    if not text:
        raise InvalidInputError("There is nothing to send.")
    if len(text) > MAX_TEXT:
        raise InvalidInputError(f"A message has at most {MAX_TEXT} characters.")
    return text


def key_of(conversation_id: str, client_id: str) -> str:
    """What makes a message of a person's unique on its channel, however often the button is pressed."""
    return f"staff:{conversation_id}:{client_id}"[:200]
