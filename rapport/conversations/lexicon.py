"""A message's words in one shape, and the words of values.yml as regular expressions.

A message becomes one line of plain words between spaces: lower case, without diacritics, `|` where a clause
ends, a date in digits as one word, slips in the longer words for times put right. Expressions on such a line
need no care for any of that.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml
from babel import Locale
from rapidfuzz import process
from rapidfuzz.distance import OSA

from rapport.kit.format import LOCALES
from rapport.kit.languages import LANGUAGES
from rapport.shop.phrases import fold

# What somebody wants stands at the beginning, and time must not grow with the length.
MAX_CHARS = 2000
MAX_TOKENS = 120
MAX_LETTERS = 30
# A slip is a letter too many or too few, or two the wrong way round. A letter for another one is more often
# another word ("daglig", "dårlig"), and so is any change to a word of less than five.
SHORTEST_SLIP = 5
# Only words for times: of "less" and "not" nothing is guessed.
MAY_SLIP = ("units", "seasons", "rates", "months", "weekdays")
NO_MONTHS = {"nb": {"jul"}, "ro": {"noi"}}  # Norwegian for Christmas, Romanian for "we"

_TOKEN = re.compile(
    r"(?P<iso>(?<![\d-])\d{4}-\d\d-\d\d(?![\d-]))"
    r"|(?P<date>(?<![\d./])\d{1,2}[./]\d{1,2}(?:[./](?:20\d\d|\d\d)|\.(?!\d))(?![\d./])|(?<![\d./])\d{1,2}/\d{1,2}(?![\d./]))"
    r"|\d+|[^\W\d_]+|/"
)
_ENDS_CLAUSE = re.compile(r"[,;:!?…\n()]")

Words = dict[str, str]  # a plain phrase and what it stands for


@dataclass(frozen=True)
class Said:
    """A message: `line` as described above, `words` in it, and where they stood."""

    text: str
    line: str
    words: frozenset[str]
    _places: tuple[tuple[int, int, int], ...]  # in the line, and from where to where in the text

    def original(self, start: int, end: int) -> str:
        """What was typed where the line holds `start` to `end`."""
        inside = [(first, last) for place, first, last in self._places if start <= place < end]
        return self.text[inside[0][0] : inside[-1][1]] if inside else ""

    def clause(self, at: int) -> str:
        """The clause of the line around a place."""
        return self.line[self._clause_start(at) : self._clause_end(at)]

    def clause_from(self, at: int) -> str:
        """What follows a place in its clause."""
        return self.line[at : self._clause_end(at)]

    def _clause_start(self, at: int) -> int:
        return self.line.rfind("|", 0, at) + 1

    def _clause_end(self, at: int) -> int:
        end = self.line.find("|", at)
        return len(self.line) if end < 0 else end


def read(text: str) -> Said:
    """A message in the shape the expressions expect; of a very long one the beginning."""
    text = unicodedata.normalize("NFC", text[:MAX_CHARS])
    parts: list[str] = []
    places: list[tuple[int, int, int]] = []
    length, before = 1, 0
    for match in _tokens(text):
        if parts and _clause_ends(text[before : match.start()], parts[-1]):
            parts.append("|")
            length += 2
        word = _word(match)
        places.append((length, match.start(), match.end()))
        parts.append(word)
        length += len(word) + 1
        before = match.end()
    if parts and _ENDS_CLAUSE.search(text, before):
        parts.append("|")
    return Said(text, f" {' '.join(parts)} ", frozenset(parts), tuple(places))


def _tokens(text: str) -> Iterator[re.Match[str]]:
    for number, match in enumerate(_TOKEN.finditer(text)):
        if number == MAX_TOKENS:
            return
        yield match


def _clause_ends(gap: str, word: str) -> bool:
    # "14. dag" is one thing.
    return bool(_ENDS_CLAUSE.search(gap)) or ("." in gap and not word.isdigit())


def _word(match: re.Match[str]) -> str:
    typed = match.group()
    if match["iso"]:
        return f"@{typed}"
    if match["date"]:
        day, month, *year = re.findall(r"\d+", typed)
        return f"@{_year(year)}-{month:0>2}-{day:0>2}"
    return typed[:MAX_LETTERS] if typed[0].isdigit() else corrected(fold(typed[:MAX_LETTERS]))


def _year(said: list[str]) -> str:
    """`0000` when none was said."""
    return "0000" if not said else said[0] if len(said[0]) == 4 else f"20{said[0]}"


@lru_cache(maxsize=4096)
def corrected(word: str) -> str:
    """A word, or the word for a time that it is a slip of."""
    known, alike = _vocabulary()
    if len(word) < SHORTEST_SLIP or word in known:
        return word
    for candidate, _, _ in process.extract_iter(
        word, alike.get(word[0], ()), scorer=OSA.distance, score_cutoff=1
    ):
        if len(candidate) != len(word) or sorted(candidate) == sorted(word):
            return candidate
    return word


@cache
def _vocabulary() -> tuple[frozenset[str], dict[str, list[str]]]:
    """Every word there is, and by their first letters those that a slip is looked for among."""
    known = {plain(word) for word in _content()["no_slips"]}
    alike: dict[str, list[str]] = {}
    sections = [section for section in _content() if section != "no_slips"]
    for section in [*sections, "months", "weekdays"]:
        for language in LANGUAGES:
            for phrase in words(section, language):
                known.update(phrase.split())
                if section in MAY_SLIP and " " not in phrase and len(phrase) >= SHORTEST_SLIP:
                    alike.setdefault(phrase[0], []).append(phrase)
    return frozenset(known), alike


@cache
def words(section: str, language: str) -> Words:
    """The plain phrases of a section and what each stands for; for itself if the section is a mere list."""
    if section == "months":
        names = _month_names(Locale.parse(LOCALES[language]).months)
        return {name: number for name, number in names.items() if name not in NO_MONTHS.get(language, ())}
    if section == "weekdays":
        return {
            fold(name): str(day)
            for day, name in Locale.parse(LOCALES[language]).days["format"]["wide"].items()
        }
    content = _content()[section]
    if language in content:
        return {plain(phrase): plain(phrase) for phrase in content[language]}
    return {plain(phrase): str(value) for value, said in content.items() for phrase in said[language]}


def _month_names(names: Any) -> Words:
    """Written out and cut short, both as they stand alone and in a date."""
    return {
        fold(name).rstrip("."): str(number)
        for context in ("format", "stand-alone")
        for width in ("wide", "abbreviated")
        for number, name in names[context][width].items()
    }


@cache
def any_of(section: str, language: str) -> str:
    """An expression for the phrases of a section, the longest first."""
    phrases = sorted(words(section, language), key=lambda phrase: (-len(phrase), phrase))
    return f"(?:{'|'.join(map(re.escape, phrases))})" if phrases else "(?!)"


@cache
def last_words(*sections: str) -> frozenset[str]:
    """The last word of each phrase, in all languages: without one of them no expression need be tried."""
    return frozenset(
        phrase.rpartition(" ")[2]
        for section in sections
        for language in LANGUAGES
        for phrase in words(section, language)
    )


def plain(phrase: str) -> str:
    """A phrase of the file as it stands in a line."""
    return " ".join(fold(match.group()) for match in _TOKEN.finditer(phrase))


@cache
def _content() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("values.yml").read_text("utf-8"))
    return {name: section for name, section in content.items() if "currencies" not in name}


@cache
def currencies() -> tuple[dict[str, list[str]], list[dict[str, list[str]]]]:
    """The words for each currency, and those that several share."""
    content = yaml.safe_load(Path(__file__).with_name("values.yml").read_text("utf-8"))
    return content["currencies"], content["shared_currencies"]
