"""What all sources of mentions have in common: what they tell, what they take, and what they may say to that.

Why something cannot be sent is told as channels do: RefusedError, TryAgainError, InDoubtError.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from rapport.channels.base import Request


@dataclass(frozen=True)
class Said:
    """Something written about us, or what became of it when its author changed it.

    `changed_at`: since when it reads like this, None if it was not changed; what is older than what we know
    changes nothing. `language` is what the source says, if it does. The rest is as in `models.Mention`.
    """

    source_id: str
    author: str
    text: str
    at: datetime
    author_id: str = ""
    url: str | None = None
    language: str | None = None
    visibility: str = "public"
    addressed: bool = True
    changed_at: datetime | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Removed:
    """Its author, or the source, took it away."""

    source_id: str
    at: datetime


Event = Said | Removed


@dataclass(frozen=True)
class Target:
    """What is answered; `key` is the same for the same answer, for sources that can tell."""

    source_id: str
    author: str
    visibility: str
    language: str
    key: str
    details: Mapping[str, Any] = field(default_factory=dict)


class Source(ABC):
    """Somewhere people write about us. Adding one: a subclass, its line in registry.py and its stand-in in
    tests/mentions/fakes/; the shared tests cover it.

    `longest`: characters of an answer. `public`, `private`: whether it takes such answers from us.
    """

    name: ClassVar[str]
    longest: ClassVar[int] = 1000
    public: ClassVar[bool] = True
    private: ClassVar[bool] = True

    def answer(self, to: Target, text: str, private: bool) -> str:
        """Answer a mention, for all to read or (`private`) for its author; returns the source's id of it.

        Raises RefusedError, TryAgainError or InDoubtError.
        """
        raise NotImplementedError

    @abstractmethod
    def check(self) -> str:
        """Whom the source takes us for, in a few words; asks it, where it can be asked.

        Raises RefusedError, TryAgainError or InDoubtError.
        """


@dataclass(frozen=True)
class Fetched:
    """What a source had to tell. `cursor` is how far it was read; `pause`: it wants to be left alone for so
    many seconds, and whatever is still to be read waits.
    """

    events: Sequence[Event]
    cursor: Mapping[str, str]
    pause: float | None = None


class PolledSource(Source):
    """A source that is asked again and again."""

    @abstractmethod
    def fetch(self, cursor: Mapping[str, str]) -> Fetched:
        """What is new since `cursor` ({} the first time), the oldest first.

        Raises RefusedError, TryAgainError or InDoubtError; then nothing of it was read.
        """

    @abstractmethod
    def look_again(self, source_ids: Sequence[str], now: datetime) -> Sequence[Event]:
        """What became of mentions we know. Raises as `fetch`."""


class PostedSource(Source):
    """A source that calls us."""

    @abstractmethod
    def verify(self, request: Request, now: datetime) -> None:
        """Raises UnauthorizedError unless the source sent this. Compares in constant time."""

    @abstractmethod
    def read(self, request: Request) -> Sequence[Event]:
        """What a request tells, in its order. Raises InvalidInputError. Asks nobody."""

    def handshake(self, request: Request) -> str | None:
        """The answer to a source that asks whether this address is ours; None for none.

        Raises UnauthorizedError.
        """
        return None
