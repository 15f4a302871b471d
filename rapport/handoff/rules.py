"""Pure rules of stepping in: which step leads where, who is first in the queue, what may be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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


# --- the queue ---------------------------------------------------------------------------------------------

# Head starts, in minutes. Whoever has waited this much longer than another is always before them.
COMPLAINT_HEAD_START = 10
HEAD_START_PER_FIFTH = 2
LONGEST_HEAD_START = COMPLAINT_HEAD_START + 5 * HEAD_START_PER_FIFTH


@dataclass(frozen=True)
class Place:
    """Why a conversation stands where it stands in the queue: points, one for each minute."""

    waited: int
    value: int
    complaint: int

    @property
    def points(self) -> int:
        return self.waited + self.value + self.complaint


def place(waited: timedelta, monetary: int | None, complaint: bool) -> Place:
    """`monetary`: the fifth of all customers they are in by what they spent (5: the highest), if known."""
    return Place(
        max(int(waited.total_seconds() // 60), 0),
        HEAD_START_PER_FIFTH * min(max(monetary or 0, 0), 5),
        COMPLAINT_HEAD_START if complaint else 0,
    )


def is_missed(waiting_since: datetime, now: datetime, patience: timedelta, is_open: bool) -> bool:
    """Whether a customer is to be told that nobody came: at once while the shop is closed."""
    return not is_open or now - waiting_since >= patience


def is_left_alone(
    requested_at: datetime,
    taken_at: datetime,
    written_at: datetime | None,
    now: datetime,
    patience: timedelta,
    is_open: bool,
) -> bool:
    """Whether the customer of somebody who took a conversation and has not said a word waits too long: since
    it was taken if they asked for a person, else since they first wrote to one (`written_at`).
    """
    since = taken_at if taken_at > requested_at else written_at
    return is_open and since is not None and now - since >= patience


def waiting_again(requested_at: datetime, first_answer_at: datetime | None, now: datetime) -> datetime:
    """Since when somebody waits whose conversation was released: who never got a word, from the beginning."""
    return requested_at if first_answer_at is None else now


def to_answer(kept: Sequence[int], told: Sequence[int], answered_up_to: int) -> int | None:
    """Which of the customer's messages nobody answered is the bot's when it goes on: the last.

    `kept` and `told` are sequence numbers of what they said to a person, `told` those the bot knows of;
    `answered_up_to` that of the person's last word.
    """
    last = max(kept, default=0)
    return last if last > answered_up_to and last not in told else None
