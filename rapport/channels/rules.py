"""How a reply fits a channel, what stops everything, and when to try again. Pure functions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from rapport.channels.base import Button, Limits, Part, Template

STOP_WORDS = Path(__file__).parent / "stop_words.yml"
LONGEST_STOP = 40

# Longer than the slowest send, so that a lease only runs out when its process is gone.
LEASE = timedelta(seconds=30)
FIRST_DELAY = timedelta(seconds=1)
LONGEST_DELAY = timedelta(minutes=10)
# An answer that comes a day late answers nobody.
GIVE_UP_AFTER = timedelta(hours=24)
# What nobody waits for may be held back for some days (CAPPED_FOR) and still be worth it.
GIVE_UP_UNASKED_AFTER = timedelta(days=7)
# What a provider holds back because a person got too much advertising may go out a day later, then two …
CAPPED_FOR = timedelta(hours=24)


def is_stop(text: str) -> bool:
    """Whether a whole message is a word that ends all advertising, in any of our languages."""
    return len(text) <= LONGEST_STOP and _plain(text) in _stop_words()


@cache
def _stop_words() -> frozenset[str]:
    words = yaml.safe_load(STOP_WORDS.read_text("utf-8"))["stop"]
    return frozenset(_plain(word) for some in words.values() for word in some)


def _plain(text: str) -> str:
    """Lower case, without accents, punctuation and little pictures."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(character for character in letters if not unicodedata.combining(character))
    return " ".join(re.sub(r"[\W_]+", " ", kept).split())


def parts(text: str, content: Mapping[str, Any], sequence: int, limits: Limits) -> list[Part]:
    """A stored reply as messages of a channel: at most one has the picture, and the last one the buttons.

    Buttons a channel has no room for are numbered in the text.
    """
    template = content.get("template")
    if template:
        wanted = Template(template["name"], template["language"], tuple(template.get("parameters", ())))
        return [Part(text=text, template=wanted)]
    buttons = [Button(f"{sequence}:{b['id']}", b["title"]) for b in content.get("buttons", ())]
    if buttons and not (text.strip() and fit(buttons, limits)):
        text, buttons = f"{text}\n\n{numbered(buttons)}".strip(), []
    image = content.get("image") if limits.images else None
    pieces = split(text, limits.text, limits.utf16)
    if buttons and limits.text_with_buttons:
        pieces[-1:] = split(pieces[-1], limits.text_with_buttons, limits.utf16) if pieces else []
    if not pieces and not image:
        return []
    found = [Part(text=piece) for piece in pieces[:-1]]
    return [*([Part(image=image)] if image else []), *found, *_last(pieces, buttons)]


def _last(pieces: Sequence[str], buttons: Sequence[Button]) -> list[Part]:
    return [Part(text=pieces[-1], buttons=tuple(buttons))] if pieces else []


def fit(buttons: Sequence[Button], limits: Limits) -> bool:
    """Whether a channel can show these as buttons of its own."""
    return len(buttons) <= limits.buttons and all(len(b.title) <= limits.title for b in buttons)


def numbered(buttons: Sequence[Button]) -> str:
    """Buttons as lines to be answered with their number."""
    return "\n".join(f"{number}. {button.title}" for number, button in enumerate(buttons, 1))


def chosen(text: str, buttons: Sequence[Mapping[str, Any]]) -> str | None:
    """The id of the button that a typed answer means: its number, or its title. None for another answer."""
    said = " ".join(text.split()).casefold().rstrip(".!)")
    if said.isascii() and said.isdigit():
        number = int(said) if len(said) <= 2 else 0
        return str(buttons[number - 1]["id"]) if 1 <= number <= len(buttons) else None
    return next((str(b["id"]) for b in buttons if b["title"].casefold().rstrip(".!)") == said), None)


def split(text: str, limit: int, utf16: bool = False) -> list[str]:
    """A text in pieces of at most `limit` characters, broken where a reader would: at an empty line, a line's
    end, a sentence's end, a blank; only a longer word is cut.
    """
    pieces, rest = [], text.strip()
    while (fitting := _fitting(rest, limit, utf16)) < len(rest):
        end = _break(rest, fitting)
        pieces.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*pieces, rest] if rest else pieces


def _fitting(text: str, limit: int, utf16: bool) -> int:
    """How many of the first characters fit. In UTF-16 most emoji count as two."""
    if not utf16 or 2 * len(text) <= limit:
        return min(len(text), limit)
    units = 0
    for number, character in enumerate(text):
        units += 1 + (ord(character) > 0xFFFF)
        if units > limit:
            return number
    return len(text)


def _break(text: str, limit: int) -> int:
    window = text[: limit + 1]
    for mark in ("\n\n", "\n", ". ", " "):
        # Not so early that the first piece says next to nothing.
        at = window.rfind(mark, limit // 2 if mark != " " else 1)
        if at > 0:
            return at + (1 if mark == ". " else 0)
    return limit


def next_attempt(
    attempts: int, now: datetime, since: datetime, after: float | None, asked: bool = True
) -> datetime | None:
    """When to try again after so many failed attempts, or `after` seconds if the provider asked for it.

    None when it is not worth it any more.
    """
    delay: timedelta = min(FIRST_DELAY * 2 ** min(attempts - 1, 20), LONGEST_DELAY)
    at = now + (max(timedelta(seconds=after), FIRST_DELAY) if after is not None else delay)
    return at if at - since <= (GIVE_UP_AFTER if asked else GIVE_UP_UNASKED_AFTER) else None


def may_write(last_inbound_at: datetime, now: datetime, limits: Limits, part: Part) -> bool:
    """Whether the channel lets us send this now: outside its window, only what it approved beforehand."""
    return limits.window is None or part.template is not None or now - last_inbound_at < limits.window
