"""Whether, when and on which channel somebody may hear from us unasked. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

# Why something is not sent, or not now; and "allowed".
REASONS = (
    "allowed",
    "no_consent",
    "refused_channel",
    "no_channel",
    "window_closed",
    "unreachable",
    "open_complaint",
    "bad_mention",
    "paused",
    "quiet_hours",
    "too_many",
    "too_costly",
    "handled_by_staff",
)


@dataclass(frozen=True)
class Touch:
    """Something we would like to say to somebody unasked.

    `purpose` is what they must have agreed to (`customers.rules.PURPOSES`), None for what needs no consent.
    `channels`: those it can go out on. `cost` of the touch: low, medium or high; who is worth little gets no
    costly one. `recovery`: it is part of making good again, so an open complaint does not stop it.
    `template`: it can be sent where only templates may.
    """

    journey: str
    step: str
    purpose: str | None
    channels: tuple[str, ...]
    cost: Literal["low", "medium", "high"] = "low"
    recovery: bool = False
    template: bool = False


@dataclass(frozen=True)
class Decision:
    """Send it on `channel`, or later (not before `until`), or never; why; and the facts it rests on."""

    outcome: Literal["send", "later", "never"]
    reason: str
    channel: str | None = None
    until: datetime | None = None
