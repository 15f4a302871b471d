"""Pure rules of canned replies: what may stand in one, and how it is filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rapport.kit.errors import InvalidInputError
from rapport.kit.languages import LANGUAGES
from rapport.shop import placeholders

LONGEST_TITLE = 80
LONGEST_SHORTCUT = 30
LONGEST_TEXT = 2000
# What may stand in braces: of the customer and their newest order, of the shop, of who answers.
PLACEHOLDERS = ("name", "order", "agent", "shop", "email", "phone", "hours", "url")
_BRACED = re.compile(r"\{([^{}]*)\}")
_SHORTCUT = re.compile(r"[a-z0-9][a-z0-9-]*")


def checked_title(title: str) -> str:
    """Raises InvalidInputError."""
    title = " ".join(title.split())
    if not title or len(title) > LONGEST_TITLE or not title.isprintable():
        raise InvalidInputError(f"A title needs 1 to {LONGEST_TITLE} letters.")
    return title


def checked_shortcut(shortcut: str) -> str:
    """What it is found by when it is typed after a slash; raises InvalidInputError."""
    shortcut = shortcut.strip().removeprefix("/").lower()
    if len(shortcut) > LONGEST_SHORTCUT or not _SHORTCUT.fullmatch(shortcut):
        raise InvalidInputError("A shortcut is made of the letters a to z, digits and hyphens.")
    return shortcut


def checked_text(text: str) -> str:
    """A text whose braces hold known placeholders only; raises InvalidInputError and PlaceholderError."""
    text = text.replace("\r\n", "\n").strip()
    if len(text) > LONGEST_TEXT or "\0" in text:
        raise InvalidInputError(f"A text has at most {LONGEST_TEXT} characters.")
    return placeholders.check(text, PLACEHOLDERS)


def checked_texts(texts: Mapping[str, str]) -> dict[str, str]:
    """The texts that are there, by language, at least one; raises InvalidInputError and PlaceholderError."""
    found = {code: text for code in LANGUAGES if (text := checked_text(texts.get(code, "")))}
    if not found:
        raise InvalidInputError("A canned reply needs a text in at least one language.")
    return found


def missing(texts: Mapping[str, str]) -> tuple[str, ...]:
    """The languages it cannot be said in."""
    return tuple(code for code in LANGUAGES if not texts.get(code))


def fill(text: str, values: Mapping[str, str | None]) -> str:
    """The text with what is known; a placeholder nothing is known for stays, for a person to fill in."""
    return _BRACED.sub(lambda found: values.get(found[1]) or found[0], text)


def unfilled(text: str) -> tuple[str, ...]:
    """The placeholders that still stand in a text, which should not be sent like this."""
    return tuple(name for name in _BRACED.findall(text) if name in PLACEHOLDERS)
