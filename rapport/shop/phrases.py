"""Finding known phrases in a message: exact by a dictionary of word sequences, then with small typos."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import Indel

FUZZY_SCORE = 0.9
# Below six letters a single slip makes another word (boot, boat).
FUZZY_LETTERS = 5
MAX_WORDS = 6
MAX_TYPO_WORDS = 3
MAX_TOKENS = 120
# Of "Vidda 2 tunnel tent" people say "Vidda 2".
SHORT_NAME_WORDS = 2

_WORD = re.compile(r"\w+")
_FOLD = str.maketrans({"ø": "o", "æ": "ae", "ß": "ss", "ł": "l", "đ": "d"})

Key = tuple[str, str]


@dataclass(frozen=True)
class Found:
    """A phrase found: what it stands for, and where in the text."""

    key: Key
    start: int
    end: int


def fold(text: str) -> str:
    """Lower case without accents, letter by letter (Romanian and Spanish are often typed without)."""
    decomposed = unicodedata.normalize("NFKD", text.lower().translate(_FOLD))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def words(text: str) -> list[str]:
    """The folded words of a text."""
    return [fold(match.group()) for match in _WORD.finditer(text)]


def shared_words(names: Sequence[str], fewest: int) -> str | None:
    """The longest run of words of the first name that stands in all others, as it is written there.

    Of "Vidda 2 tunnel tent" and "Tienda túnel Vidda 2" it is "Vidda 2"; None when it has less than `fewest`.
    """
    spans = [match.span() for match in _WORD.finditer(names[0])]
    tokens = words(names[0])
    others = [f" {' '.join(words(name))} " for name in names[1:]]
    for first, count in _sequences(len(tokens), len(tokens)):
        if count < fewest:
            return None
        run = " ".join(tokens[first : first + count])
        if all(f" {run} " in other for other in others):
            return names[0][spans[first][0] : spans[first + count - 1][1]]
    return None


class PhraseIndex:
    """Phrases and what they stand for. The first meaning given to a phrase stays.

    `single`: words, folded, that stand for one or several things where no phrase does; never with a typo.
    """

    def __init__(
        self, phrases: Iterable[tuple[str, Key]], single: Mapping[str, Sequence[Key]] | None = None
    ) -> None:
        self._exact: dict[str, Key] = {}
        self._single = single or {}
        for phrase, key in phrases:
            tokens = words(phrase)
            if 0 < len(tokens) <= MAX_WORDS:
                self._exact.setdefault(" ".join(tokens), key)
        # A typo is looked for among phrases of as many words that start alike: few slip on the first letter,
        # and it makes the search ten times as fast.
        self._alike: dict[tuple[int, str], list[str]] = {}
        for known in self._exact:
            if len(known) >= FUZZY_LETTERS:
                self._alike.setdefault((known.count(" ") + 1, known[0]), []).append(known)
        self._longest = max((known.count(" ") + 1 for known in self._exact), default=0)

    def find(self, text: str) -> list[Found]:
        """The phrases in `text`, longest first choice, not overlapping, in the order they stand."""
        spans = [match.span() for match in _WORD.finditer(text)][:MAX_TOKENS]
        tokens = [fold(text[start:end]) for start, end in spans]
        free = [True] * len(tokens)
        found: list[Found] = []

        def take(first: int, count: int, key: Key) -> None:
            free[first : first + count] = [False] * count
            found.append(Found(key, spans[first][0], spans[first + count - 1][1]))

        for first, count in _sequences(len(tokens), self._longest):
            if all(free[first : first + count]) and (
                key := self._exact.get(" ".join(tokens[first : first + count]))
            ):
                take(first, count, key)
        for first, count in _sequences(len(tokens), min(self._longest, MAX_TYPO_WORDS)):
            if all(free[first : first + count]) and (
                key := self._nearest(" ".join(tokens[first : first + count]), count)
            ):
                take(first, count, key)
        for (start, end), token, unused in zip(spans, tokens, free, strict=True):
            found += [Found(key, start, end) for key in (self._single.get(token, ()) if unused else ())]
        return sorted(found, key=lambda item: item.start)

    def _nearest(self, phrase: str, count: int) -> Key | None:
        if len(phrase) < FUZZY_LETTERS or phrase.isdigit():
            return None
        best = process.extractOne(
            phrase,
            self._alike.get((count, phrase[0]), ()),
            scorer=Indel.normalized_similarity,
            score_cutoff=FUZZY_SCORE,
        )
        return self._exact[best[0]] if best else None


def _sequences(length: int, longest: int) -> Iterator[tuple[int, int]]:
    """(first, count) of every run of words, the longest runs first."""
    for count in range(min(longest, length), 0, -1):
        for first in range(length - count + 1):
            yield first, count
