"""What in a text tells who somebody is, so that it can be hidden or replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

HIDDEN = "•••"

EMAIL = re.compile(r"[^\s@<>()\[\],;:\"]+@[^\s@<>()\[\],;:\"]+\.[^\s@<>()\[\],;:\".]{2,}")
PHONE = re.compile(r"(?<![\w.,-])\+?\d(?:[ ./-]?\(?\d\)?){7,14}(?![\w-])")


@dataclass(frozen=True)
class Span:
    """Where in a text personal data stand; `kind` is email, phone or name."""

    start: int
    end: int
    kind: str


def find(text: str, names: Iterable[str] = ()) -> list[Span]:
    """Personal data in a text, in order, none overlapping. `names` are those of people it may be about."""
    found = [Span(m.start(), m.end(), "email") for m in EMAIL.finditer(text)]
    found += [Span(m.start(), m.end(), "phone") for m in PHONE.finditer(text)]
    for part in {part for name in names for part in [name, *name.split()] if len(part) > 2}:
        words = re.compile(rf"(?<!\w){re.escape(part)}(?!\w)", re.IGNORECASE)
        found += [Span(m.start(), m.end(), "name") for m in words.finditer(text)]
    kept: list[Span] = []
    for span in sorted(found, key=lambda span: (span.start, -span.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def masked(text: str, names: Iterable[str] = ()) -> str:
    """The text with personal data hidden."""
    for span in reversed(find(text, names)):
        text = text[: span.start] + HIDDEN + text[span.end :]
    return text


def masked_email(address: str) -> str:
    """Enough to tell two apart, not enough to write to: `a•••@e•••.com`."""
    local, _, domain = address.rpartition("@")
    host, _, top = domain.rpartition(".")
    return f"{local[:1]}{HIDDEN}@{host[:1]}{HIDDEN}.{top}" if local else HIDDEN


def masked_number(number: str) -> str:
    """A phone number's last two digits."""
    return HIDDEN + number[-2:] if len(number) > 4 else HIDDEN


def masked_name(name: str) -> str:
    """Initials: `Ann Lee` → `A. L.`"""
    return " ".join(f"{part[:1]}." for part in name.split())
