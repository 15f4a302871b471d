"""What others wrote, shown in a terminal, and how large a number may be that is typed there."""

from __future__ import annotations

import unicodedata

# The largest id, or number of rows, that both databases take.
LARGEST = 2**31 - 1
# As far back as the calendar goes, and longer than any shop.
MOST_DAYS = 36_500


def plain(text: str) -> str:
    """The text without control characters, which could change the screen, the clipboard or earlier lines."""
    return "".join("�" if _controls(character) else character for character in text)


def _controls(character: str) -> bool:
    return unicodedata.category(character) == "Cc" and character not in "\n\t"
