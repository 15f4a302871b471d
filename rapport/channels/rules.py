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
# Who asks for more seconds of patience than this has made a mistake.
LONGEST_WAIT = 86_400.0
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


def parts(
    text: str, content: Mapping[str, Any], sequence: int, limits: Limits, below: str = ""
) -> list[Part]:
    """A stored reply as messages of a channel: at most one has the picture, and the last one the buttons.

    Buttons a channel has no room for are numbered in the text. `below` is its last line; a template has what
    was approved, and nothing below it.
    """
    template = content.get("template")
    if template:
        wanted = Template(template["name"], template["language"], tuple(template.get("parameters", ())))
        return [Part(text=text, template=wanted)]
    buttons = [Button(f"{sequence}:{b['id']}", b["title"]) for b in content.get("buttons", ())]
    if buttons and are_listed(text, [button.title for button in buttons], limits):
        text, buttons = f"{text}\n\n{numbered(buttons)}".strip(), []
    text = f"{text}\n\n{below}".strip() if below else text
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


def are_listed(text: str, titles: Sequence[str], limits: Limits) -> bool:
    """Whether a channel shows a text's buttons as lines of it, having no room for them as buttons."""
    fit = len(titles) <= limits.buttons and all(len(title) <= limits.title for title in titles)
    return not (text.strip() and fit)


def numbered(buttons: Sequence[Button]) -> str:
    """Buttons as lines to be answered with their number: that of the line, or the one each begins with."""
    own = _own_numbers([button.title for button in buttons])
    if all(own) and len(set(own)) == len(own):
        return "\n".join(button.title for button in buttons)
    return "\n".join(f"{number}. {button.title}" for number, button in enumerate(buttons, 1))


def _own_numbers(titles: Sequence[str]) -> list[str]:
    """What each begins with, if that is a number: 5 of "5 stars"; else ""."""
    found = [re.match(r"([0-9]+)(?![0-9.,:/]*[0-9])\b", title.strip()) for title in titles]
    return [match.group(1) if match else "" for match in found]


def chosen(text: str, buttons: Sequence[Mapping[str, Any]], listed: bool = True) -> str | None:
    """The id of the button that a typed answer means: its number, or its title. None for another answer.

    A line's number counts only where the person saw it, which is where the buttons were `listed`.
    """
    said = " ".join(text.split()).casefold().rstrip(".!)")
    if not (said.isascii() and said.isdigit()):
        return next((str(b["id"]) for b in buttons if b["title"].casefold().rstrip(".!)") == said), None)
    own = _own_numbers([str(button["title"]) for button in buttons])
    if not listed or (all(own) and len(set(own)) == len(own)):
        return str(buttons[own.index(said)]["id"]) if own.count(said) == 1 else None
    number = int(said) if len(said) <= 2 else 0
    return str(buttons[number - 1]["id"]) if 1 <= number <= len(buttons) else None


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
    after = patience(after) if after is not None else None
    delay: timedelta = min(FIRST_DELAY * 2 ** min(attempts - 1, 20), LONGEST_DELAY)
    at = now + (max(timedelta(seconds=after), FIRST_DELAY) if after is not None else delay)
    return None if too_old(since, at, asked) else at


def patience(seconds: float) -> float:
    """How long to wait for who asks for so many seconds: a day at most."""
    return max(min(LONGEST_WAIT, seconds), 0.0)  # in this order NaN is a day as well


def too_old(since: datetime, now: datetime, asked: bool) -> bool:
    """Whether something of then is not worth being sent any more."""
    return now - since > (GIVE_UP_AFTER if asked else GIVE_UP_UNASKED_AFTER)


def may_write(last_inbound_at: datetime, now: datetime, limits: Limits, part: Part) -> bool:
    """Whether the channel lets us send this now: outside its window, only what it approved beforehand."""
    return limits.window is None or part.template is not None or now - last_inbound_at < limits.window
