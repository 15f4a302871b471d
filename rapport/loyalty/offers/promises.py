"""What a text promises: codes, percentages, sums off. Pure, and quick: every reply of the bot is read by it.

A text is undressed first (`dress.py`). Found are codes as this shop's look (`code_looks.py`), percentages in
digits and in words, fractions of a price, sums with a word for a discount beside them and numbers "off". A
percentage is one whatever it is of: what the shop itself wrote ("100 % merino wool") is known by its
sentence, see `Licence`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from rapport.loyalty.offers import code_looks, number_words
from rapport.loyalty.offers.dress import collapsed, in_latin, without_escapes, written
from rapport.shop.phrases import fold

_CURRENCY = (
    r"(?:kr\.?|nok|sek|dkk|eur(?:os?)?|€|lei|leu|ron|usd|\$|dollars?|dolares|gbp|£|pounds?|kroner|coroane"
    r"|coronas)"
)
_CURRENCY_NAME = re.compile(
    r"(?<![a-z])(?:kroner|kr|nok|euros?|lei|dollars?|dolares|pounds?|coroane|coronas)\b"
)
_PERCENT = re.compile(
    r"[%٪‰]|(?<![a-z])(?:per[ -]?mille|promille|por mil(?![a-z])|per[\s-]?cent(?![eiru])|pro[sz]ent|pro ?cent"
    r"|por[\s-]?cien(?:to)?(?![a-z])|la suta|pct(?![a-z])|pour ?cent(?![a-z])"
    rf"|por 100(?![0-9]|[.,][0-9]|\s?{_CURRENCY}))"
)
_NUMBER = r"[0-9]{1,6}(?:[.,][0-9]{1,4})?"
_LINKS = ("-", "to", "and", "or", "a", "y", "o", "til", "og", "eller", "la", "si", "sau")
# A number, or two of a range, at the end of what stands before a sign for percent.
_DIGITS = re.compile(
    rf"(?:({_NUMBER})\s?%?\s?(?:{'|'.join(_LINKS)})\s?)?(?<![0-9.,])({_NUMBER})[\s_\"'’”»)\]-]{{0,3}}(?:de\s)?$"
)
_LOOK_BACK = 40
_WORDS_BACK = 64
# Below that a word before a currency is rather an article or a preposition ("en euros").
_LEAST_IN_WORDS = 5
_HALF = re.compile(
    r"\b(?:half (?:the )?(?:price|off)|halv(?:e)? pris(?:en)?|(?:a )?mitad de(?:l)? precio|medio precio"
    r"|jumatate (?:de|din) pret)\b"
)
_FRACTIONS = {
    **{"half": 50, "third": 33, "quarter": 25, "fifth": 20, "sixth": 17, "eighth": 12, "tenth": 10},
    **{"mitad": 50, "tercio": 33, "tercera parte": 33, "cuarto": 25, "cuarta parte": 25, "quinto": 20},
    **{
        "quinta parte": 20,
        "decima parte": 10,
        "halvparten": 50,
        "tredjedel": 33,
        "fjerdedel": 25,
        "kvart": 25,
    },
    **{"femtedel": 20, "tidel": 10, "jumatate": 50, "treime": 33, "sfert": 25, "cincime": 20, "zecime": 10},
}
_SHARE = rf"(?P<word>{'|'.join(sorted(_FRACTIONS, key=len, reverse=True))})|1/(?P<of>[0-9]{{1,2}})"
_OF_PRICE = (
    r"(?: of)?(?: the)?(?: price)? (?:off\b|discount)"
    r"|(?: of| del?| av| din)(?: the)? (?:pri[cs]e|precio|pris|pret)"
    r"| (?:in |de |i )?(?:descuento|rebaja|menos|rabatt|avslag|billigere|reducere|mai putin|mai ieftin)"
)
_FRACTION = re.compile(rf"(?<![a-z0-9])(?:{_SHARE})(?:{_OF_PRICE})")
_SUM = r"[0-9](?:[0-9 .,']*[0-9])?"
_MONEY = (
    rf"(?:(?P<c{{0}}>{_CURRENCY}) ?(?P<a{{0}}>{_SUM})"
    rf"|(?P<b{{0}}>{_SUM})(?:[ -]?(?:de )?{_CURRENCY}|[,.:]-))"
)
_DISCOUNT = "discount|rabatt|avslag|descuento|reducere|rebaja|rebate"
_COUPON = "coupon|voucher|cupon|kupong"
_OFF = rf"(?:off\b|(?:in |de |i )?(?:(?:gift )?(?:{_COUPON})|{_DISCOUNT}|menos|mai putin)\w*)"
_SAVE = r"sav(?:e|ing)s?|spar(?:er)?|ahorra\w*|economis\w*"
_FOR = rf"(?:{_DISCOUNT}|{_COUPON}|{_SAVE})"
_LINK = r"(?: (?:of|on|pa|de|worth|verdt|por|por valor de|in valoare de|for|med|you|du))?"
_SUM_OFF = re.compile(_MONEY.format(1) + rf"[ -]{_OFF}|\b{_FOR}\w*{_LINK}:? " + _MONEY.format(2))
# A number of nothing in particular, "20 off" or "a discount of 20": a percentage or a sum.
_BARE_OFF = re.compile(
    rf"(?<![0-9.,/-])(?P<a>{_NUMBER}) off(?![a-z-])"
    rf"|\b(?:{_DISCOUNT})\w*(?: (?:of|de|pa))? (?P<b>{_NUMBER})"
    rf"(?![0-9]|[.,][0-9]|[,.:]-|[\s-]?(?:[%٪‰]|{_CURRENCY}))"
    r"(?! ?(?!(?:on|for|off|en|por|i|pa|pentru|la|today|now|hoy|ahora|azi|acum)\b)[a-z])"
)
# Parts of words; a text with none of them needs no looking at by the pattern.
_PERCENT_SIGNS = ("%", "٪", "‰", "cent", "prosent", "prozent", "cien", "por 100", "suta", "pct", "mil")
_HALF_SIGNS = ("half", "halv", "precio", "pret")
_OFF_SIGNS = (
    *("off", *_DISCOUNT.split("|"), "menos", "mai putin", *_COUPON.split("|")),
    *("sav", "spar", "ahorr", "economis"),
)
_FRACTION_SIGNS = (
    *("half", "third", "quarter", "fifth", "sixth", "eighth", "tenth", "mitad", "terci", "tercera", "cuart"),
    *("quint", "decima", "halvpart", "edel", "tidel", "kvart", "jumat", "treime", "sfert", "cime", "1/"),
)


class Promise(NamedTuple):
    """A code, a percentage, a sum off, or a number of which only `off` is said. `value`: the code in plain
    letters, hundredths of the rest. A `maybe` is a code only if it was issued to somebody.
    """

    kind: str
    value: str | int
    text: str


@dataclass(frozen=True)
class Licence:
    """What may be said to somebody: what the ledger gave them, and what the shop itself wrote.

    `codes` in plain letters; `percents` whole; `sums` in hundredths of the currency's main unit. `sentences`:
    the shop's own, in which anything may stand, as `plain` makes them. `issued`: which of the doubtful codes
    somebody has; None, that was not looked up, and all of them may be codes.
    """

    prefix: str
    codes: frozenset[str] = frozenset()
    percents: frozenset[int] = frozenset()
    sums: frozenset[int] = frozenset()
    sentences: tuple[str, ...] = field(default=(), repr=False)
    issued: frozenset[str] | None = field(default=None, repr=False)


def promises(text: str, prefix: str) -> list[Promise]:
    """All that the text promises. `prefix` is what this shop's codes begin with."""
    shown = collapsed(written(text))
    folded = shown.lower() if shown.isascii() else fold(shown)
    latin = in_latin(shown)
    found = [
        Promise("maybe" if look.doubtful else "code", look.code, look.text)
        for look in code_looks.find(latin, folded if latin is shown else latin.lower(), prefix)
    ]
    if _has(folded, _PERCENT_SIGNS):
        readable = without_escapes(folded)
        for sign in _PERCENT.finditer(readable):
            found += _percents(readable, sign.start(), sign.end())
    if _has(folded, _HALF_SIGNS):
        found += [Promise("percent", 5000, match.group()) for match in _HALF.finditer(folded)]
    if _has(folded, _FRACTION_SIGNS):
        found += _fractions(folded)
    if _has(folded, _OFF_SIGNS):
        found += _sums(_in_digits(folded))
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
            rest = re.sub(rf"(?<!\w){re.escape(sentence)}(?!\w)", "\n", rest)
    return [promise.text for promise in promises(rest, licence.prefix) if not _allowed(promise, licence)]


def plain(text: str) -> str:
    """A text without differences nobody sees."""
    return re.sub(r"[^\S\n]+", " ", written(text)).strip()


def own_sentences(texts: Iterable[str], prefix: str) -> tuple[str, ...]:
    """The sentences of these texts in which a promise stands, the longest first, as `Licence` keeps them.

    A promise alone ("20 %") is no sentence: it would be licensed wherever it stands.
    """
    found = {
        sentence
        for text in texts
        for piece in re.split(r"(?<=[.!?])\s+|\n+", text)
        if (sentence := plain(piece)) and _says_more(sentence, promises(sentence, prefix))
    }
    return tuple(sorted(found, key=lambda sentence: (-len(sentence), sentence)))


def _says_more(sentence: str, found: list[Promise]) -> bool:
    rest = fold(sentence)
    for promise in found:
        rest = rest.replace(fold(promise.text), "")
    return bool(found) and re.search(r"[^\W\d_]{3}", rest) is not None


def _allowed(promise: Promise, licence: Licence) -> bool:
    percents = {100 * percent for percent in licence.percents}
    match promise.kind:
        case "code":
            return promise.value in licence.codes
        case "maybe":
            unknown = licence.issued is not None and promise.value not in licence.issued
            return unknown or promise.value in licence.codes
        case "percent":
            return promise.value in percents
        case "off":
            return promise.value in percents or promise.value in licence.sums
    return promise.value in licence.sums


def _percents(folded: str, start: int, end: int) -> Iterator[Promise]:
    """The number before a word or sign for percent, or both of a range."""
    parts = 10 if "‰" in folded[start:end] or "mil" in folded[start:end] else 1
    if digits := _DIGITS.search(folded, max(start - _LOOK_BACK, 0), start):
        shown = folded[digits.start() : end]
        yield from (
            Promise("percent", _hundredths(value) // parts, shown) for value in digits.groups() if value
        )
        return
    words = re.findall(r"[a-z-]+", folded[max(start - _WORDS_BACK, 0) : start])
    if words and words[-1] == "de":
        words.pop()
    shown = " ".join([*words[-3:], folded[start:end]])
    while (used := _number_at_end(words)) is not None:
        yield Promise("percent", 100 * number_words.NUMBERS[" ".join(words[-used:])] // parts, shown)
        words = words[:-used]
        if not words or words.pop() not in _LINKS:
            return


def _number_at_end(words: list[str]) -> int | None:
    """How many of the last words are a number up to a hundred together."""
    longest = number_words.LONGEST
    return next((n for n in range(longest, 0, -1) if " ".join(words[-n:]) in number_words.NUMBERS), None)


def _fractions(folded: str) -> Iterator[Promise]:
    for match in _FRACTION.finditer(folded):
        percent = _FRACTIONS[match["word"]] if match["word"] else 100 // max(int(match["of"]), 1)
        yield Promise("percent", 100 * percent, match.group())


def _sums(folded: str) -> Iterator[Promise]:
    for match in _SUM_OFF.finditer(folded):
        number = next(match[name] for name in ("a1", "b1", "a2", "b2") if match[name])
        yield Promise("sum", _hundredths(number), match.group())
    for match in _BARE_OFF.finditer(_SUM_OFF.sub("\n", folded)):
        yield Promise("off", _hundredths(match["a"] or match["b"]), match.group())


def _in_digits(folded: str) -> str:
    """The text with the numbers in words before a currency in digits: "hundre kroner" → "100 kroner"."""
    pieces, done = [], 0
    for name in _CURRENCY_NAME.finditer(folded):
        first = max(name.start() - _WORDS_BACK, done)
        words = list(re.finditer(r"[a-z]+", folded[first : name.start()]))
        if words and words[-1][0] == "de":
            words.pop()
        if not words or re.search(r"[^a-z -]", folded[first + words[-1].end() : name.start()]):
            continue
        number = number_words.at_end([word[0] for word in words[-number_words.MOST_WORDS :]])
        if number is not None and number[1] >= _LEAST_IN_WORDS:
            pieces += [folded[done : first + words[-number[0]].start()], f"{number[1]} "]
            done = name.start()
    return "".join([*pieces, folded[done:]]) if pieces else folded


def _hundredths(number: str) -> int:
    """A number as people write it, in hundredths: one or two digits after the last sign are its fraction."""
    digits = re.sub(r"[ ']", "", number)
    whole, _, fraction = re.sub(r"[.,](?=[0-9]{1,2}$)", "#", digits).partition("#")
    return int(re.sub(r"[.,]", "", whole)) * 100 + int(fraction.ljust(2, "0") or "0")
