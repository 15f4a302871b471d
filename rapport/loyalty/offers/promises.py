"""What a text promises: codes, percentages, sums off. Pure, and quick: every reply of the bot is read by it.

Found are codes as this shop's look (typed in any case, with any dash, in pieces), percentages in digits and
in words, "half price", and sums with a word for a discount beside them. A percentage is one whatever it is
of: what the shop itself wrote ("100 % merino wool") is known by its sentence, see `Licence`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from rapport.loyalty.offers.number_words import NUMBERS
from rapport.loyalty.offers.rules import CODE_GROUP_LENGTH, CODE_GROUPS, plain_code
from rapport.shop.phrases import fold

REFERRAL_LENGTH = 6

_TAGS = range(0xE0000, 0xE0080)
# Dashes of all kinds are one; what nobody sees is nothing.
_ALIKE: dict[int, str | None] = {
    **dict.fromkeys(map(ord, "‐‑‒–—―−﹘﹣－⁃"), "-"),
    **{point: None for point in (*range(0x10000), *_TAGS) if unicodedata.category(chr(point)) == "Cf"},
}
_PERCENT = re.compile(r"%|٪|\bper ?cent\b|\bprosent|\bpor ?cien(?:to)?\b|\bla suta\b|\bprocent|\bpct\b")
_NUMBER = r"[0-9]{1,3}(?:[.,][0-9]{1,2})?"
_LINKS = ("-", "to", "and", "or", "a", "y", "o", "til", "og", "eller", "la", "si", "sau")
# A number, or two of a range, at the end of what stands before a sign for percent.
_DIGITS = re.compile(rf"(?:({_NUMBER}) ?%? ?(?:{'|'.join(_LINKS)}) ?)?(?<![0-9.,])({_NUMBER})[ -]?$")
_LOOK_BACK = 24
_WORDS_BACK = 64
_LONGEST = max(name.count(" ") + 1 for name in NUMBERS)
_HALF = re.compile(
    r"\b(?:half (?:the )?(?:price|off)|halv(?:e)? pris(?:en)?|(?:a )?mitad de(?:l)? precio|medio precio"
    r"|jumatate (?:de|din) pret)\b"
)
_CURRENCY = (
    r"(?:kr\.?|nok|sek|dkk|eur(?:os?)?|€|lei|leu|ron|usd|\$|dollars?|dolares|gbp|£|pounds?|kroner|coroane"
    r"|coronas)"
)
_SUM = r"[0-9](?:[0-9 .,']*[0-9])?"
_MONEY = rf"(?:(?P<c{{0}}>{_CURRENCY}) ?(?P<a{{0}}>{_SUM})|(?P<b{{0}}>{_SUM}) ?(?:de )?{_CURRENCY})"
_DISCOUNT = "discount|rabatt|avslag|descuento|reducere|rebaja|rebate"
_OFF = rf"(?:off\b|(?:in |de |i )?(?:{_DISCOUNT}|menos|mai putin)\w*)"
_SAVE = r"sav(?:e|ing)s?|spar(?:er)?|ahorra\w*|economis\w*"
_FOR = rf"(?:{_DISCOUNT}|coupon|voucher|cupon|kupong|{_SAVE})"
_LINK = r"(?: (?:of|on|pa|de|worth|verdt|por|por valor de|in valoare de|for|med|you|du))?"
_SUM_OFF = re.compile(_MONEY.format(1) + rf" {_OFF}|\b{_FOR}\w*{_LINK}:? " + _MONEY.format(2))
# Parts of words; a text with none of them needs no looking at by the pattern.
_PERCENT_SIGNS = ("%", "٪", "cent", "prosent", "cien", "la suta", "pct")
_HALF_SIGNS = ("half", "halv", "precio", "pret")
_OFF_SIGNS = (
    *("off", *_DISCOUNT.split("|"), "menos", "mai putin", "coupon", "voucher", "cupon", "kupong"),
    *("sav", "spar", "ahorr", "economis"),
)


class Promise(NamedTuple):
    """A code, a percentage or a sum off. `value`: the code in plain letters, hundredths of the rest."""

    kind: str
    value: str | int
    text: str


@dataclass(frozen=True)
class Licence:
    """What may be said to somebody: what the ledger gave them, and what the shop itself wrote.

    `codes` in plain letters; `percents` whole; `sums` in hundredths of the currency's main unit. `sentences`:
    the shop's own, in which anything may stand, as `plain` makes them.
    """

    prefix: str
    codes: frozenset[str] = frozenset()
    percents: frozenset[int] = frozenset()
    sums: frozenset[int] = frozenset()
    sentences: tuple[str, ...] = field(default=(), repr=False)


def promises(text: str, prefix: str) -> list[Promise]:
    """All that the text promises. `prefix` is what this shop's codes begin with."""
    written = _written(text)
    folded = written.lower() if written.isascii() else fold(written)
    found = list(_codes(written, folded, prefix))
    if _has(folded, _PERCENT_SIGNS):
        for sign in _PERCENT.finditer(folded):
            found += _percents(folded, sign.start(), sign.end())
    if _has(folded, _HALF_SIGNS):
        found += [Promise("percent", 5000, match.group()) for match in _HALF.finditer(folded)]
    if _has(folded, _OFF_SIGNS):
        for match in _SUM_OFF.finditer(folded):
            number = next(match[name] for name in ("a1", "b1", "a2", "b2") if match[name])
            found.append(Promise("sum", _hundredths(number), match.group()))
    return found


def _has(folded: str, signs: tuple[str, ...]) -> bool:
    """Whether a pattern has a chance: this takes a hundredth of the pattern's own time."""
    return any(sign in folded for sign in signs)


def unlicensed(text: str, licence: Licence) -> list[str]:
    """The promises in the text that nobody made to this person, as they stand in it."""
    if not promises(text, licence.prefix):
        return []
    rest = plain(text)
    for sentence in licence.sentences:
        if sentence in rest:
            rest = rest.replace(sentence, "\n")
    return [promise.text for promise in promises(rest, licence.prefix) if not _allowed(promise, licence)]


def plain(text: str) -> str:
    """A text without differences nobody sees."""
    return re.sub(r"[^\S\n]+", " ", _written(text)).strip()


def own_sentences(texts: Iterable[str], prefix: str) -> tuple[str, ...]:
    """The sentences of these texts in which a promise stands, the longest first, as `Licence` keeps them."""
    found = {
        sentence
        for text in texts
        for piece in re.split(r"(?<=[.!?])\s+|\n+", text)
        if (sentence := plain(piece)) and promises(sentence, prefix)
    }
    return tuple(sorted(found, key=lambda sentence: (-len(sentence), sentence)))


def _allowed(promise: Promise, licence: Licence) -> bool:
    if promise.kind == "code":
        return promise.value in licence.codes
    if promise.kind == "percent":
        return promise.value in {100 * percent for percent in licence.percents}
    return promise.value in licence.sums


def _written(text: str) -> str:
    """Compatible forms of letters and digits made plain, dashes alike, nothing invisible in between."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", text).translate(_ALIKE)


@lru_cache(maxsize=8)
def _code_patterns(prefix: str) -> tuple[re.Pattern[str], ...]:
    start = rf"(?<![A-Za-z0-9]){re.escape(prefix)}"
    group, end = rf"[A-Za-z0-9]{{{CODE_GROUP_LENGTH}}}", r"(?![A-Za-z0-9])"
    between = r"[\s_.·/-]{0,3}"
    total = CODE_GROUPS * CODE_GROUP_LENGTH
    spelled = r"[\s_.·/-]{1,3}".join([*map(re.escape, prefix), *["[A-Za-z0-9]"] * total])
    return (
        re.compile(
            start + "".join(rf"({between})({group})" for _ in range(CODE_GROUPS)) + end, re.IGNORECASE
        ),
        re.compile(rf"(?<![A-Za-z0-9]){spelled}{end}", re.IGNORECASE),
        re.compile(rf"{start}\s?-\s?[A-Za-z0-9]{{{REFERRAL_LENGTH}}}{end}", re.IGNORECASE),
    )


def _codes(text: str, folded: str, prefix: str) -> Iterator[Promise]:
    """What looks like a code of the shop's. An order's number, which may begin alike, has no letters."""
    together, spelled, referral = _code_patterns(prefix)
    near = prefix.lower() in folded
    for match in together.finditer(text) if near else ():
        if _looks_issued(match):
            yield Promise("code", plain_code(match.group()), match.group())
    for pattern in (spelled, referral) if near else (spelled,):
        for match in pattern.finditer(text):
            if not plain_code(match.group())[len(prefix) :].isdigit():
                yield Promise("code", plain_code(match.group()), match.group())


def _looks_issued(match: re.Match[str]) -> bool:
    """Whether it is a code and no number with a word behind it ("FJ-1023 sent"), and no word ("fjellreven").

    With a dash between the groups it always is; else in capitals, or with a digit in each group.
    """
    groups = match.groups()[1::2]
    if "".join(groups).isdigit():
        return False
    gaps = match.groups()[0::2]
    if all("-" in gap for gap in gaps):
        return True
    in_capitals = match.group() == match.group().upper()
    if any(gaps) or any(character.isdigit() for character in "".join(groups)):
        return in_capitals or all(any(character.isdigit() for character in group) for group in groups)
    return in_capitals


def _percents(folded: str, start: int, end: int) -> Iterator[Promise]:
    """The number before a word or sign for percent, or both of a range."""
    if digits := _DIGITS.search(folded, max(start - _LOOK_BACK, 0), start):
        shown = folded[digits.start() : end]
        yield from (Promise("percent", _hundredths(value), shown) for value in digits.groups() if value)
        return
    words = re.findall(r"[a-z-]+", folded[max(start - _WORDS_BACK, 0) : start])
    shown = " ".join([*words[-3:], folded[start:end]])
    while (used := _number_at_end(words)) is not None:
        yield Promise("percent", 100 * NUMBERS[" ".join(words[-used:])], shown)
        words = words[:-used]
        if not words or words.pop() not in _LINKS:
            return


def _number_at_end(words: list[str]) -> int | None:
    """How many of the last words are a number together."""
    return next((n for n in range(_LONGEST, 0, -1) if " ".join(words[-n:]) in NUMBERS), None)


def _hundredths(number: str) -> int:
    """A number as people write it, in hundredths: one or two digits after the last sign are its fraction."""
    digits = re.sub(r"[ ']", "", number)
    whole, _, fraction = re.sub(r"[.,](?=[0-9]{1,2}$)", "#", digits).partition("#")
    return int(re.sub(r"[.,]", "", whole)) * 100 + int(fraction.ljust(2, "0") or "0")
