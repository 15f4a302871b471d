"""TF-IDF over words (1-2) and characters within words (2-5), in plain Python and numpy.

scikit-learn's vectorizers do the same for many texts at once; for one short message their overhead is
several times the work itself. What a word contributes is remembered, and words repeat.
"""

import itertools
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from scipy.sparse import csr_matrix

from bot.nlu.text import tokens

SMALLEST, LARGEST = 2, 5
# How many words' features are remembered, as numbers: at most 15 MB, whatever people write.
REMEMBERED_WORDS = 10_000


def word_features(word: str) -> tuple[str, ...]:
    """The word itself and its character n-grams, with the word's borders as blanks."""
    padded = f" {word} "
    grams = [padded[i : i + n] for n in range(SMALLEST, LARGEST + 1) for i in range(len(padded) - n + 1)]
    return (f"w:{word}", *(f"c:{gram}" for gram in grams))


# Only the words of the training examples: each takes about 10 kB.
_in_training = cache(word_features)


def features(text: str) -> list[str]:
    """All features of a text, repeated as often as they occur."""
    words = tokens(text)
    found = [feature for word in words for feature in _in_training(word)]
    return found + [f"w:{first} {second}" for first, second in itertools.pairwise(words)]


class Vocabulary:
    """Numbers the features seen in training and weighs them by how rare they are."""

    def __init__(self, names: Sequence[str], rarity: np.ndarray) -> None:
        self.names = list(names)
        self.rarity = rarity
        self._numbers: dict[str, int] = {name: number for number, name in enumerate(self.names)}
        self._of_word = lru_cache(maxsize=REMEMBERED_WORDS)(self._numbers_of_word)

    @classmethod
    def of(cls, counted: Sequence[Counter[str]]) -> "Vocabulary":
        """The vocabulary of training texts, each given as counted features; sorted, so that it is always
        the same.
        """
        occurrences: Counter[str] = Counter()
        for counts in counted:
            occurrences.update(counts.keys())
        names = sorted(occurrences)
        seen = np.array([occurrences[name] for name in names], dtype=np.float32)
        return cls(names, (np.log((1 + len(counted)) / (1 + seen)) + 1).astype(np.float32))

    def matrix(self, counted: Sequence[Counter[str]]) -> csr_matrix:
        """One normalised row for each text."""
        numbers: list[int] = []
        values: list[np.ndarray] = []
        ends = [0]
        for counts in counted:
            known = sorted(
                (self._numbers[name], count) for name, count in counts.items() if name in self._numbers
            )
            columns = np.array([number for number, _ in known], dtype=np.int64)
            values.append(self._weigh(columns, np.array([count for _, count in known], dtype=np.float32)))
            numbers.extend(columns.tolist())
            ends.append(len(numbers))
        data = np.concatenate(values) if values else np.zeros(0, dtype=np.float32)
        return csr_matrix((data, numbers, ends), shape=(len(counted), len(self.names)), dtype=np.float32)

    def row(self, text: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Columns and values of one text, or None when nothing in it is known."""
        words = tokens(text)
        numbers = [number for word in words for number in self._of_word(word)]
        for first, second in itertools.pairwise(words):
            number = self._numbers.get(f"w:{first} {second}")
            if number is not None:
                numbers.append(number)
        if not numbers:
            return None
        columns, counts = np.unique(np.array(numbers, dtype=np.int64), return_counts=True)
        return columns, self._weigh(columns, counts.astype(np.float32))

    def _weigh(self, columns: np.ndarray, counts: np.ndarray) -> np.ndarray:
        values = (1 + np.log(counts)) * self.rarity[columns]
        length = float(np.sqrt(np.dot(values, values)))
        return values / length if length else values

    def _numbers_of_word(self, word: str) -> tuple[int, ...]:
        found = (self._numbers.get(feature) for feature in word_features(word))
        return tuple(number for number in found if number is not None)
