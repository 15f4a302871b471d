"""The terms of a code in words: once, from which amount on, until when, and at most how much."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from actions.words import line
from rapport.kit.format import day, money
from rapport.shop.facts import get_facts


class Termed(Protocol):
    """What the terms of a code need."""

    @property
    def minimum_minor(self) -> int: ...

    @property
    def max_discount_minor(self) -> int | None: ...

    @property
    def expires_at(self) -> datetime: ...


def terms(code: Termed, language: str) -> str:
    """What a customer is told with a code."""
    facts = get_facts()
    expires = day(code.expires_at, language, facts.timezone)
    if code.minimum_minor:
        minimum = money(code.minimum_minor, facts.currency, language)
        told = line("code_terms_minimum", language, minimum=minimum, expires=expires)
    else:
        told = line("code_terms", language, expires=expires)
    if code.max_discount_minor:
        most = money(code.max_discount_minor, facts.currency, language)
        told += " " + line("code_most", language, most=most)
    return told
