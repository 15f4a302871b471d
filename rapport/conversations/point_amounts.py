"""How many points somebody wants to use: "300 points", "all of them", "half". Pure."""

from __future__ import annotations

import re
from typing import Literal

from rapport.shop.phrases import fold

_NUMBER = r"(?<![\w#.,/-])(\d{1,3}(?:[ .,'’\u00a0\u202f]\d{3})+|\d{1,9})(?![\w/-]|[.,]\d)"
_POINTS = re.compile(rf"{_NUMBER}\s*(?:de\s+)?(?:p(?:oin)?ts?|points?|puntos?|ptos?|poeng\w*|puncte?\w*)\b")
_ALL = re.compile(r"\b(?:all|everything|tod[oa]s?|alle|alt|samtlige|toate|tot)\b")
_HALF = re.compile(r"\b(?:half|mitad|halvparten|halvdelen|halve|jumatate)\b")

Amount = int | Literal["all", "half"]


# "Make it 200 instead": with more words than these a number may count anything.
MOST_WORDS = 5


def said(text: str) -> int | None:
    """The number of points a message speaks of as such, or that is nearly all it says."""
    amount = wanted(text)
    if not isinstance(amount, int):
        return None
    return amount if _POINTS.search(fold(text)) or len(text.split()) <= MOST_WORDS else None


def wanted(text: str) -> Amount | None:
    """The number of points a message names; None when it names none, or several."""
    plain = fold(text)
    for expression in (_POINTS, re.compile(_NUMBER)):
        numbers = {int(re.sub(r"\D", "", number)) for number in expression.findall(plain)}
        if len(numbers) == 1:
            return numbers.pop()
    if _HALF.search(plain):
        return "half"
    return "all" if _ALL.search(plain) else None
