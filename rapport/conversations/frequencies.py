"""How often somebody wants to hear from us, in messages a month. Pure; words come from values.yml."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from rapport.conversations.lexicon import Said, any_of, last_words, words
from rapport.kit.languages import LANGUAGES

# A month has four weeks and thirty days here: people who say "weekly" count on four.
A_MONTH = {
    "P1D": Fraction(30),
    "P1W": Fraction(4),
    "P2W": Fraction(2),
    "P1M": Fraction(1),
    "P3M": Fraction(1, 3),
    "P6M": Fraction(1, 6),
    "P1Y": Fraction(1, 12),
}
MOST = 30
SIGNS = ("units", "rates", "less", "more")


@dataclass(frozen=True)
class Rate:
    """So many messages a month, and where that stands in the line; `wanted` unless it is what annoys."""

    value: int
    start: int
    end: int
    wanted: bool


@dataclass(frozen=True)
class Frequency:
    """What was asked for: a number (0: less than one), `less` or `more`; None if a rate was only told."""

    value: str | None
    start: int
    end: int
    rates: tuple[Rate, ...]

    def covers(self, start: int, end: int) -> bool:
        """Whether some rate stands where this does."""
        return any(rate.start < end and start < rate.end for rate in self.rates)


def find(said: Said) -> Frequency | None:
    """The frequency a message asks for. The last one wanted counts: "not weekly, make it monthly"."""
    if not last_words(*SIGNS) & said.words:
        return None
    rates = _without_overlaps(rate for language in LANGUAGES for rate in _rates(language, said))
    wanted = [rate for rate in rates if rate.wanted]
    if wanted:
        rate = wanted[-1]
        return Frequency(str(rate.value), rate.start, rate.end, rates)
    for direction in ("less", "more"):
        for language in LANGUAGES:
            match = _direction(direction, language).search(said.line)
            if match is not None and (direction == "less" or match["none"] is None):
                return Frequency(direction, match.start(), match.end(), rates)
    if rates:  # "I get something every day": told, because it is too much
        return Frequency("less", rates[-1].start, rates[-1].end, rates)
    return None


def _without_overlaps(rates: Iterator[Rate]) -> tuple[Rate, ...]:
    """Of two readings of the same words the longer one, in the order they stand."""
    kept: list[Rate] = []
    for rate in sorted(rates, key=lambda rate: (rate.start - rate.end, rate.start)):
        if all(rate.end <= other.start or other.end <= rate.start for other in kept):
            kept.append(rate)
    return tuple(sorted(kept, key=lambda rate: rate.start))


def _rates(language: str, said: Said) -> Iterator[Rate]:
    if not (last_words("units", "rates") & said.words):
        return
    for expression in _expressions(language):
        for match in expression.finditer(said.line):
            value = _a_month(match, language)
            if re.search(rf" {any_of('less_than', language)} $", said.line[: match.start()]):
                value = max(value - 1, 0)
            yield Rate(value, match.start(), match.end(), _is_wanted(match, language, said))


@cache
def _expressions(language: str) -> tuple[re.Pattern[str], ...]:
    """So many times in a time; every so many times; and an adverb."""

    def one_of(section: str) -> str:
        return any_of(section, language)

    number = rf"\d{{1,3}}|{one_of('numbers')}"
    # "One short e-mail a month", but not "a break for a month".
    counted = rf"(?: (?:(?!{one_of('per')} )\w+ )?{one_of('counted')})?"
    count = rf"(?:(?P<times>{one_of('times')})|(?P<count>{number}){counted})"
    step = rf"(?: (?P<step>\d{{1,3}}|{one_of('ordinals')}|(?!{_one(language)} ){one_of('numbers')}))?"
    unit = rf"(?P<unit>{one_of('units')})"
    return tuple(
        re.compile(rf"(?<= ){pattern}(?= )")
        for pattern in (
            rf"{count} {one_of('per')}{step} {unit}",
            rf"(?:(?P<second>{one_of('every_second')})|{one_of('every')}{step}) {unit}",
            rf"(?:(?P<times>{one_of('times')}) )?(?P<rate>{one_of('rates')})",
        )
    )


def _one(language: str) -> str:
    """The words for one: "a" stands in "a week", not for a step of weeks."""
    return f"(?:{'|'.join(word for word, value in words('numbers', language).items() if value == '1')})"


def _a_month(match: re.Match[str], language: str) -> int:
    """Whole messages a month, rounded down: it is a limit."""
    said = {name: value for name, value in match.groupdict().items() if value is not None}
    if "times" in said:
        count = int(words("times", language)[said["times"]])
    else:
        count = _number(said.get("count"), language)
    if "rate" in said:
        return min(count * int(words("rates", language)[said["rate"]]), MOST)
    step = 2 if "second" in said else max(_number(said.get("step"), language), 1)
    return min(int(count * A_MONTH[words("units", language)[said["unit"]]] / step), MOST)


def _number(word: str | None, language: str) -> int:
    if word is None:
        return 1
    if word.isdigit():
        return int(word)
    return int((words("ordinals", language) | words("numbers", language))[word])


def _is_wanted(match: re.Match[str], language: str, said: Said) -> bool:
    """Not "daily is too much", "I get three a week", "not weekly" and "every day no"."""
    number = rf"(?:\d{{1,3}} |{any_of('numbers', language)} )?"
    if re.search(rf" {any_of('not_this', language)} {number}$", said.line[: match.start()]):
        return False
    no = rf"{any_of('no_after', language)}(?: {any_of('thanks', language)})? (?:\||$)"
    if re.match(rf"(?: \|)? {no}", said.line[match.end() :]):
        return False
    clause = said.clause(match.start())
    if re.search(rf" {any_of('wanted', language)}(?= )", clause):
        return True
    if re.search(rf" {any_of('now_it_is', language)}(?= )", clause):
        return False
    return not re.search(rf" {any_of('less', language)}(?= )", said.clause_from(match.end()))


@cache
def _direction(direction: str, language: str) -> re.Pattern[str]:
    """Less or more; with `none` before it ("no more messages") it is neither."""
    return re.compile(
        rf"(?<= )(?P<none>{any_of('none_of', language)}(?: \w+){{0,4}}? )?{any_of(direction, language)}(?= )"
    )
