"""What others wrote, shown in a terminal."""

from __future__ import annotations

import unicodedata


def plain(text: str) -> str:
    """The text without control characters, which could change the screen, the clipboard or earlier lines."""
    return "".join("�" if _controls(character) else character for character in text)


def _controls(character: str) -> bool:
    return unicodedata.category(character) == "Cc" and character not in "\n\t"
