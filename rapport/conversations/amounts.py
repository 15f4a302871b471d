"""Sums of money in a message: "250 kr", "€20", "1.499,00 NOK". Pure; words come from values.yml."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from babel.numbers import get_currency_precision

from rapport.conversations.lexicon import currencies

MOST = 5
# Thousands apart by whatever a language puts there, at most four times: "1 499", "1.499", "1'499".
_NUMBER = r"(?:\d{1,3}(?:[ .,'’\u00a0\u202f]\d{3}){1,4}|\d{1,9})(?:[.,]\d{1,2}(?!\d))?"


@dataclass(frozen=True)
class Amount:
    """`value` in minor units with its currency (`25000 NOK`), `text` as typed."""

    value: str
    text: str


def find(text: str, currency: str) -> list[Amount]:
    """The sums in a text, five at most; `currency` is the shop's, which "kr" and "$" mean if they can."""
    return [] if not any(letter.isdigit() for letter in text) else list(_find(text, currency))[:MOST]


def _find(text: str, currency: str) -> Iterator[Amount]:
    meanings = _meanings(currency)
    for match in _expression().finditer(text):
        said = (match["before"] or match["after"] or "").lower().rstrip(".")
        # "250,-" is how prices are written where the shop's own currency is meant.
        code = meanings[said] if said else currency
        minor = _decimal(match["first"] or match["second"]).scaleb(get_currency_precision(code))
        yield Amount(f"{int(minor)} {code}", match.group().strip())


@cache
def _expression() -> re.Pattern[str]:
    own, shared = currencies()
    said = [word for words in own.values() for word in words] + [
        word for item in shared for word in item["said"]
    ]
    words = "|".join(re.escape(word) for word in sorted(said, key=lambda word: (-len(word), word)))
    return re.compile(
        rf"(?<![\w.,])(?P<before>{words})\.?\s?(?P<first>{_NUMBER})(?![\d%])"
        rf"|(?<![\w.,])(?P<second>{_NUMBER})(?:\s?(?P<after>{words})(?!\w)|,-(?!\w))",
        re.IGNORECASE,
    )


@cache
def _meanings(currency: str) -> dict[str, str]:
    own, shared = currencies()
    meant = {word: code for code, words in own.items() for word in words}
    for item in shared:
        code = currency if currency in item["means"] else item["means"][0]
        meant.update(dict.fromkeys(item["said"], code))
    return meant


def _decimal(number: str) -> Decimal:
    """What is written with a comma or a point before one or two last digits is a fraction."""
    fraction = re.search(r"[.,](\d{1,2})$", number)
    whole = number[: fraction.start()] if fraction else number
    return Decimal(re.sub(r"\D", "", whole) + "." + (fraction[1] if fraction else "0"))
