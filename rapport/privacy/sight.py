"""What of a person's data somebody sees: all as it is, or only enough to tell people apart. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapport.conversations.addresses import names_an_address
from rapport.privacy import personal
from rapport.privacy.personal import HIDDEN, Span
from rapport.shop.phrases import fold

SHORTEST_WORD = 3
# Who helps somebody needs their order's number, and is found by it.
SEEN_BY_ALL = frozenset({"order"})


@dataclass(frozen=True)
class Sight:
    """`full`: data are shown as they are. `names` are words that tell who somebody is."""

    full: bool
    names: tuple[str, ...] = ()

    def spans(self, text: str) -> list[Span]:
        """What of a text is hidden, in order, none overlapping. What may be an address goes as a line."""
        if self.full:
            return []
        found = [span for span in personal.find(text, self.names) if span.kind not in SEEN_BY_ALL]
        lines = [
            Span(line.start(), line.end(), "address")
            for line in re.finditer(r"[^\n]+", text)
            if names_an_address(_without(line[0], line.start(), found))
        ]
        return merged([*lines, *found])

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


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same parts of a text in order, those that overlap as one."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if kept and span.start < kept[-1].end:
            last = kept.pop()
            kept.append(Span(last.start, max(last.end, span.end), last.kind))
        else:
            kept.append(span)
    return kept


def _without(line: str, start: int, found: Sequence[Span]) -> str:
    """A line without what is hidden of it anyway; it begins at `start` of its text."""
    for span in found:
        first, last = max(span.start - start, 0), max(span.end - start, 0)
        line = line[:first] + " " * len(line[first:last]) + line[last:]
    return line


def telling_words(name: str | None, addresses: Iterable[str]) -> tuple[str, ...]:
    """The words by which a text may give somebody away: their name, also without its accents, and what
    stands in front of the @ of their addresses.
    """
    words: list[str] = []
    for part in [name or "", *(address.rpartition("@")[0] for address in addresses)]:
        words += [part, *re.findall(r"[^\W\d_]+", part)]
    words += [fold(word) for word in words]
    return tuple(sorted({word for word in words if len(word) >= SHORTEST_WORD}))
