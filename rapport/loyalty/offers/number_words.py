"""Whole numbers in words, in four languages, without diacritics and in lower case.

`NUMBERS` has those from 1 to 100; `value` puts larger ones together.
"""

from __future__ import annotations

from collections.abc import Sequence

EN = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen",
    "twenty thirty forty fifty sixty seventy eighty ninety",
)
ES = (
    "uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis"
    " diecisiete dieciocho diecinueve",
    "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
)
NB = (
    "en to tre fire fem seks sju atte ni ti elleve tolv tretten fjorten femten seksten sytten atten nitten",
    "tjue tretti forti femti seksti sytti atti nitti",
)
RO = (
    "unu doi trei patru cinci sase sapte opt noua zece unsprezece doisprezece treisprezece paisprezece"
    " cincisprezece saisprezece saptesprezece optsprezece nouasprezece",
    "douazeci treizeci patruzeci cincizeci saizeci saptezeci optzeci nouazeci",
)
# How tens and units go together; the first of each is the usual one.
JOINTS = {EN: ("-", " "), ES: (" y ",), NB: ("", " "), RO: (" si ",)}
OTHERS = {
    "a hundred": 100,
    "one hundred": 100,
    "hundred": 100,
    "cien": 100,
    "ciento": 100,
    "hundre": 100,
    "ett hundre": 100,
    "o suta": 100,
    "un": 1,
    "o": 1,
    "ett": 1,
    "et": 1,
    "doua": 2,
    "syv": 7,
    "tyve": 20,
    "tredve": 30,
    "veintiun": 21,
}


def _all() -> dict[str, int]:
    found: dict[str, int] = {}
    for language, joints in JOINTS.items():
        small, tens = (part.split() for part in language)
        found.update({word: value for value, word in enumerate(small, 1)})
        for ten, word in enumerate(tens, 2):
            found[word] = 10 * ten
            for unit, name in enumerate(small[:9], 1):
                for joint in joints:
                    found[f"{word}{joint}{name}"] = 10 * ten + unit
                if language is ES and ten == 2:
                    found[f"veinti{name}"] = 20 + unit
    return found | OTHERS


NUMBERS = _all()
LONGEST = max(name.count(" ") + 1 for name in NUMBERS)
_HUNDREDS = frozenset({"hundred", "hundre", "suta", "sute"})
_THOUSANDS = frozenset({"thousand", "tusen", "mil", "mie", "mii"})
_INSIDE = frozenset({"and", "og", "y", "si"})
_ARTICLES = frozenset({"a", "an"})
_SPANISH = ("dosc", "tresc", "cuatroc", "quin", "seisc", "setec", "ochoc", "novec")
_HUNDREDFOLD = {
    f"{stem}ient{end}": 100 * times for times, stem in enumerate(_SPANISH, 2) for end in ("os", "as")
} | {f"{unit}hundre": 100 * NUMBERS[unit] for unit in ("ett", *NB[0].split()[1:9])}
MOST_WORDS = 8


def value(words: Sequence[str]) -> int | None:
    """What these words are as a number; None when they are none."""
    total = current = 0
    for place, word in enumerate(words):
        if word in _HUNDREDS:
            current = max(current, 1) * 100
        elif word in _THOUSANDS:
            total, current = total + max(current, 1) * 1000, 0
        elif word in NUMBERS or word in _HUNDREDFOLD:
            current += NUMBERS.get(word) or _HUNDREDFOLD[word]
        elif not (word in _INSIDE and 0 < place < len(words) - 1) and not (word in _ARTICLES and place == 0):
            return None
    return total + current or None


def at_end(words: Sequence[str]) -> tuple[int, int] | None:
    """The number the last words are: how many of them, and its value."""
    for count in range(min(MOST_WORDS, len(words)), 0, -1):
        if (found := value(words[-count:])) is not None:
            return count, found
    return None
