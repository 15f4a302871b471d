"""Words that tell what somebody feels about a shop, counted: a few hundred examples cannot teach them all."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from rapport.mentions.social import ADDRESS, MOODS, NAME, fold, tokens

TURNING = "not"
# A "not" turns round what stands this many words after it.
REACH = 3
_ENDS = re.compile(r"[,\n]")
_SPACES = re.compile(r"[\s/-]+")  # tokens are parted there too
# What is put in quotation marks is mostly what the shop said, and not believed: my "premium" jacket.
_QUOTED = re.compile(r"[\"„“”«»]")
_SHOUTED = re.compile(r"\b[^\W\d_]{3,}\b")
_SENTENCE = re.compile(r"[.!?…]+(?:\s|$)")


class Cues:
    """Groups of words and phrases of one language, and how often a text has each."""

    def __init__(self, groups: Mapping[str, str]) -> None:
        """`groups`: name → words and phrases, parted by commas; `*` stands for any ending.

        The group TURNING is needed. Raises KeyError without it.
        """
        if TURNING not in groups:
            raise KeyError(TURNING)
        self.names = list(groups)
        self._beginning: dict[
            str, list[tuple[str, list[str]]]
        ] = {}  # first word → groups and what follows it
        for name, cues in groups.items():
            for cue in filter(None, map(str.strip, _ENDS.split(cues))):
                first, *rest = (re.sub(r"\d+", "0", fold(word)) for word in _SPACES.split(cue))
                self._beginning.setdefault(first, []).append((name, rest))

    def row(self, text: str) -> list[float]:
        """For each group how often it is met, and how often behind a "not"; then the text's outward marks."""
        found = tokens(text)
        met = list(self._met(found))
        turning = {place for name, place in met if name == TURNING}
        counts = {name: [0, 0] for name in self.names if name != TURNING}
        for name, place in met:
            if name != TURNING:
                counts[name][not turning.isdisjoint(range(place - REACH, place))] += 1
        row = [math.log1p(count) for pair in counts.values() for count in pair]
        return [*row, math.log1p(len(found)) / 2, *map(float, _marks(text, found))]

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """`row` of each text."""
        return np.array([self.row(text) for text in texts])

    def _met(self, found: Sequence[str]) -> Iterator[tuple[str, int]]:
        """Each group met and where; of what begins in one place the longest, and nothing of a group twice."""
        taken = dict.fromkeys(self.names, 0)
        for place, token in enumerate(found):
            longest: dict[str, int] = {}
            for name, rest in self._that_begin_with(token):
                if _follow(rest, found[place + 1 : place + 1 + len(rest)]):
                    longest[name] = max(longest.get(name, 0), 1 + len(rest))
            for name, length in longest.items():
                if place >= taken[name]:
                    taken[name] = place + length
                    yield name, place

    def _that_begin_with(self, token: str) -> Iterator[tuple[str, list[str]]]:
        for key in (token, *(f"{token[:end]}*" for end in range(1, len(token) + 1))):
            yield from self._beginning.get(key, ())


def _follow(rest: Sequence[str], found: Sequence[str]) -> bool:
    return len(rest) == len(found) and all(
        token == word or (word.endswith("*") and token.startswith(word[:-1]))
        for word, token in zip(rest, found, strict=True)
    )


def _marks(text: str, found: Sequence[str]) -> list[float]:
    """What can be seen without knowing the language."""
    asking, calling = found.count("?") + found.count("??"), found.count("!") + found.count("!!")
    return [
        asking > 0,
        found[-1:] in (["?"], ["??"]),
        math.log1p(asking),
        calling > 0,
        "??" in found or "!!" in found,
        ".." in text or "…" in text,
        NAME in found,
        ADDRESS in found,
        "#" in text,
        "%" in text,
        ":" in text,
        bool(_QUOTED.search(text)),
        math.log1p(found.count("0")),  # any number
        sum(letter.isupper() for letter in text) > 0.3 * max(len(text), 1),  # SHOUTING
        any(word.isupper() for word in _SHOUTED.findall(text)),
        math.log1p(len(_SENTENCE.findall(text))),
        any(token in MOODS for token in found),
        *(mood in found for mood in MOODS),
    ]
