"""What in a text tells who somebody is, so that it can be hidden or replaced."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rapport.privacy import numbers
from rapport.privacy.words import ADDRESS, NAME

HIDDEN = "•••"

# Only from the beginning of an address, or a long word without @ takes time that grows with its square.
EMAIL = re.compile(r"(?<![\w.+\-'])[\w.+\-']+\s?@\s?[\w\-]+(?:\.[\w\-]+)+")
# Letters, a dash, two groups of four: coupons and codes for friends (rapport/loyalty/offers/rules.py).
COUPON = re.compile(r"(?<![\w-])[A-Za-z]{2,6}-[A-Za-z0-9]{4}-[A-Za-z0-9]{4}(?![\w-])")
# Word for word what the bot takes for an order number (data/nlu/entities.yml), but for bare digits.
ORDER = re.compile(
    r"(?<!\w)(?<!\w-)[A-Za-z]{2,4}-\d{3,10}(?!-?\w)|(?<!\w)#\s?[A-Za-z]{0,4}-?\d{3,10}(?!-?\w)"
    r"|(?<!\w)[Cc]\d{6}(?!\w)|(?<!\w)[A-Za-z]{2}\d{4,8}(?!\w)"
)
CODE = re.compile(r"(?<![\w#\-+.,])\d{3}[ \-]?\d{3}(?![\w\-]|[.,]\d| \d)")
DIGITS = re.compile(r"(?<!\+\d\d )(?<![\w#+.,\-])\d{5,8}(?![\w\-]|[.,]\d)")
# So many groups of digits that it may be a phone number; whether it is one, `numbers.is_phone` says.
PHONE = re.compile(r"(?<![\w.,\-+(])(?:\+|\(\+?)?\d(?:[ ./-]?\(?\d\)?){6,14}(?![\w-])")
CARD = re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])")
IBAN = re.compile(r"(?<!\w)[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,4})?(?!\w)")


@dataclass(frozen=True)
class Span:
    """Where in a text personal data stand.

    `kind` is email, card, iban, coupon, order, phone, code, address or name.
    """

    start: int
    end: int
    kind: str


def find(text: str, names: Iterable[str] = ()) -> list[Span]:
    """Personal data in a text, in order, none overlapping. `names` are those of people it may be about."""
    found = list(_found(text, names))
    kept: list[Span] = []
    # What is named first in `_found` is the surer of two that overlap.
    for span in found:
        if all(span.end <= other.start or span.start >= other.end for other in kept):
            kept.append(span)
    return sorted(kept, key=lambda span: span.start)


def _found(text: str, names: Iterable[str]) -> Iterator[Span]:
    yield from _all(EMAIL, text, "email")
    for match in IBAN.finditer(text):
        # The words after it may look like its last groups.
        words = match.group().split(" ")
        tries = (" ".join(words[:count]) for count in range(len(words), 0, -1))
        end = next((match.start() + len(words) for words in tries if numbers.is_iban(words)), None)
        if end is not None:
            yield Span(match.start(), end, "iban")
    yield from _all(CARD, text, "card", numbers.is_card)
    yield from _all(COUPON, text, "coupon")
    for match in ADDRESS.finditer(text):
        yield Span(match.start(), match.end(), "address")
    yield from _all(ORDER, text, "order", lambda found: not numbers.is_measure_name(found))
    for match in PHONE.finditer(text):
        if numbers.is_phone(match.group(), text[: match.start()], text[match.end() :]):
            yield Span(match.start(), match.end(), "phone")
    for expression, kind in ((CODE, "code"), (DIGITS, "order")):
        for match in expression.finditer(text):
            if not numbers.is_amount(text[: match.start()], text[match.end() :]):
                yield Span(match.start(), match.end(), kind)
    for match in NAME.finditer(text):
        group = match.lastgroup
        assert group is not None
        yield Span(match.start(group), match.end(group), "name")
    for part in sorted({part for name in names for part in [name, *name.split()] if len(part) > 2}, key=len)[
        ::-1
    ]:
        yield from _all(re.compile(rf"(?<!\w){re.escape(part)}(?!\w)", re.IGNORECASE), text, "name")


def _all(
    expression: re.Pattern[str], text: str, kind: str, right: Callable[[str], bool] = lambda _found: True
) -> Iterator[Span]:
    for match in expression.finditer(text):
        if right(match.group()):
            yield Span(match.start(), match.end(), kind)


def masked(text: str, names: Iterable[str] = ()) -> str:
    """The text with personal data hidden."""
    return replaced(text, names, lambda _span, _words: HIDDEN)


def replaced(text: str, names: Iterable[str], stand_in: Callable[[Span, str], str]) -> str:
    """The text with what `stand_in` gives for each piece of personal data (its span and words)."""
    for span in reversed(find(text, names)):
        text = text[: span.start] + stand_in(span, text[span.start : span.end]) + text[span.end :]
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
