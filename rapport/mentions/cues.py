"""Words that tell what somebody feels about a shop, counted: a few hundred examples cannot teach them all."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

from rapport.mentions.social import ADDRESS, NAME, fold, tokens

TURNING = "not"
# A "not" turns round what stands this many words after it.
REACH = 3
_ENDS = re.compile(r"[,\n]")
_SPACES = re.compile(r"[\s/-]+")  # tokens are parted there too


class Cues:
    """Groups of words and phrases of one language, and how often a text has each."""

    def __init__(self, groups: Mapping[str, str]) -> None:
        """`groups`: name → words and phrases, parted by commas; `*` stands for any ending.

        The group TURNING is needed. Raises KeyError without it.
        """
        self.names = [name for name in groups if name != TURNING]
        self._turning = _pattern(groups[TURNING])
        self._groups = [_pattern(groups[name]) for name in self.names]

    def row(self, text: str) -> list[float]:
        """For each group how often it is met, and how often behind a "not"; then the text's outward marks."""
        found = tokens(text)
        line = f" {' '.join(found)} "
        row = []
        for group in self._groups:
            turned = [self._is_turned(line[: match.start()]) for match in group.finditer(line)]
            row += [math.log1p(turned.count(False)), math.log1p(turned.count(True))]
        letters = max(len(text), 1)
        marks = [
            not {"?", "??"}.isdisjoint(found),
            found[-1:] in (["?"], ["??"]),
            not {"!", "!!"}.isdisjoint(found),
            NAME in found,
            ADDRESS in found,
            "#" in text,
            sum(letter.isupper() for letter in text) > 0.3 * letters,  # SHOUTING
            any(token.startswith("mood") for token in found),
        ]
        return [*row, math.log1p(len(found)) / 2, *map(float, marks)]

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """`row` of each text."""
        return np.array([self.row(text) for text in texts])

    def _is_turned(self, before: str) -> bool:
        near = " ".join(before.split()[-REACH:])
        return bool(self._turning.search(f" {near} "))


def _pattern(cues: str) -> re.Pattern[str]:
    """Finds any of the cues between the spaces of a line of tokens, the longest first."""
    wanted = {" ".join(_word(word) for word in _SPACES.split(cue.strip())) for cue in _ENDS.split(cues)} - {
        ""
    }
    return re.compile(f"(?<= )(?:{'|'.join(sorted(wanted, key=len, reverse=True))})(?= )")


def _word(word: str) -> str:
    return re.escape(re.sub(r"\d+", "0", fold(word))).replace(r"\*", "[^ ]*")
