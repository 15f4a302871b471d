"""Examples without personal data: each piece is replaced by one of the same kind and shape, so that the model
learns how such a message looks.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from rapport.privacy import personal
from rapport.privacy.personal import Span

EMAILS = (
    "emma@example.com",
    "tom.baker@example.org",
    "lucia.perez@example.es",
    "ingrid88@example.no",
    "andrei_pop@example.ro",
    "jo@mail.example.net",
)
NAMES = {
    "en": ("Emma", "Tom", "Lucy Brown"),
    "es": ("Lucía", "Diego", "Ana Ruiz"),
    "nb": ("Ingrid", "Lars", "Kari Berg"),
    "ro": ("Andrei", "Ioana", "Elena Radu"),
}
ADDRESSES = {
    "en": ("12 Mill Lane", "4 Station Road"),
    "es": ("Calle Mayor 12", "Plaza Nueva 4"),
    "nb": ("Storgata 12", "Bjørkeveien 4"),
    "ro": ("Strada Lungă 12", "Aleea Florilor 4"),
}
COUPON = "2345-7KQM"
CARD, IBAN = "4111 1111 1111 1111", "NO93 8601 1117 947"


def without_personal_data(text: str, language: str, names: Iterable[str] = ()) -> str:
    """The text with stand-ins. The same text always gives the same; what was replaced stays as it is when
    it comes through again.
    """
    return personal.replaced(text, names, lambda span, words: _stand_in(span, words, language))


def _stand_in(span: Span, words: str, language: str) -> str:
    if span.kind == "email":
        return _one_of(EMAILS, words)
    if span.kind == "name":
        return _like(_one_of(NAMES[language], words), words)
    if span.kind == "address":
        return _one_of(ADDRESSES[language], words)
    if span.kind == "coupon":
        return f"{words.partition('-')[0]}-{COUPON}"
    if span.kind == "card":
        return CARD
    if span.kind == "iban":
        return IBAN
    return _other_digits(words)


def _one_of(values: tuple[str, ...], words: str) -> str:
    """One by the words; one of them itself stays."""
    known = {value.casefold(): value for value in values}
    return known.get(words.casefold(), values[_number(words) % len(values)])


def _like(name: str, words: str) -> str:
    return name.lower() if words.islower() else name


def _other_digits(words: str) -> str:
    """The same shape with other digits; a country's prefix stays, and so does its length.

    Stand-ins are told by their digits: 1, 2, 3 and so on.
    """
    prefix = re.match(r"\(?\+\d\d\)? ?|00\d\d ?", words)
    kept = prefix.end() if prefix else 0
    digits = iter("1234567890" * 3)
    return words[:kept] + re.sub(r"\d", lambda _match: next(digits), words[kept:])


def _number(words: str) -> int:
    return int.from_bytes(hashlib.sha256(words.casefold().encode()).digest()[:4], "big")
