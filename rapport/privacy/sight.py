"""What of a person's data somebody sees: all as it is, or only enough to tell people apart. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapport.conversations.addresses import is_of_an_address, names_an_address
from rapport.privacy import personal
from rapport.privacy.personal import HIDDEN, Span
from rapport.shop.phrases import fold

SHORTEST_WORD = 3


@dataclass(frozen=True)
class Sight:
    """`full`: data are shown as they are. `names` are words that tell who somebody is."""

    full: bool
    names: tuple[str, ...] = ()

    def spans(self, text: str) -> list[Span]:
        """What of a text is hidden, in order, none overlapping. A line with an address in it goes whole."""
        if self.full:
            return []
        lines = [
            Span(line.start(), line.end(), "address")
            for line in re.finditer(r"[^\n]+", text)
            if has_address(personal.masked(line[0]))
        ]
        rest = [
            span
            for span in personal.find(text, self.names)
            if not any(line.start <= span.start < line.end for line in lines)
        ]
        return sorted([*lines, *rest], key=lambda span: span.start)

    def text(self, text: str) -> str:
        """A text as it is shown."""
        for span in reversed(self.spans(text)):
            text = text[: span.start] + HIDDEN + text[span.end :]
        return text

    def name(self, name: str) -> str:
        """A name, or initials."""
        return name if self.full else personal.masked_name(name)

    def address(self, kind: str, value: str) -> str:
        """An address or number of a kind (email, phone, telegram …)."""
        if self.full:
            return value
        return personal.masked_email(value) if kind == "email" else personal.masked_number(value)

    def secret(self, value: str) -> str:
        """What is worth something to whoever knows it, as a code; or an id that other systems know."""
        return value if self.full else f"{value[:2]}{HIDDEN}"


def has_address(line: str) -> bool:
    """Whether somebody's street or postcode stands in it; an order's number is none."""
    postcodes = re.findall(r"(?<![\w-])\d{4,6}(?![\w-])", line)
    return names_an_address(line) or any(is_of_an_address(line, number) for number in postcodes)


def telling_words(name: str | None, addresses: Iterable[str]) -> tuple[str, ...]:
    """The words by which a text may give somebody away: their name, also without its accents, and what
    stands in front of the @ of their addresses.
    """
    words: list[str] = []
    for part in [name or "", *(address.rpartition("@")[0] for address in addresses)]:
        words += [part, *re.findall(r"[^\W\d_]+", part)]
    words += [fold(word) for word in words]
    return tuple(sorted({word for word in words if len(word) >= SHORTEST_WORD}))


def overlapping(span: Span, spans: Sequence[Span]) -> bool:
    """Whether something of a part of a text is hidden."""
    return any(other.start < span.end and span.start < other.end for other in spans)
