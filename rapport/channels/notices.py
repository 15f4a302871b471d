"""What is answered without the bot: what it cannot read, limits, STOP, and links from the website."""

from __future__ import annotations

from functools import cache

from rapport.conversations.rasa import Reply
from rapport.conversations.texts import load_variations
from rapport.kit.settings import ROOT

FILE = ROOT / "data" / "responses" / "channels.yml"

# What people send that is no text. "other" is whatever a provider comes up with next.
UNREADABLE = (
    "sticker",
    "voice",
    "image",
    "video",
    "file",
    "location",
    "contact",
    "reaction",
    "edit",
    "delete",
    "other",
)
# Rates, size, consent and links.
TOO_FAST, BUSY, TOO_LONG, STOPPED = "too_fast", "busy", "too_long", "stopped"
LINKED, LINK_EXPIRED, LINK_REFUSED = "linked", "link_expired", "link_refused"
NOTICES = (*UNREADABLE, TOO_FAST, BUSY, TOO_LONG, STOPPED, LINKED, LINK_EXPIRED, LINK_REFUSED)


def reply(notice: str, language: str, turn: int) -> Reply:
    """What answers a notice; another wording with each turn. Raises ConfigurationError when there is none."""
    variations = _variations(notice)[language]
    return variations[turn % len(variations)]


@cache
def _variations(notice: str) -> dict[str, list[Reply]]:
    return load_variations(f"utter_notice_{notice}", FILE)
