"""What all channels have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from fastapi import APIRouter

MAX_TEXT = 4000


@dataclass(frozen=True)
class InboundMessage:
    """What a customer sent, on whatever channel, once the channel has made sure who sent it.

    `provider_id` is unique on the channel: a second message with the same one changes nothing. `payload`
    is what a pressed button stands for: it comes from the stored reply, never from the client. `text` is
    then the button's title.
    """

    channel: str
    provider_id: str
    text: str
    payload: str | None = None


class Channel(ABC):
    """One way customers reach us."""

    name: str

    @abstractmethod
    def router(self) -> APIRouter:
        """The channel's addresses. They store what comes in before they acknowledge it."""
