"""Messages that mean much the same, put together: TF-IDF of groups of characters and stars of near ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix

from rapport.teaching.rules import wording

# From this cosine on two messages are near. Lower, clusters run into each other; higher, most stay alone.
NEAR = 0.45
SHORTEST, LONGEST = 3, 4
ROWS_AT_ONCE = 500
# A group of characters that stands in more of the messages than this tells little and costs most of the time.
MOST_COMMON = 0.08


def cluster(texts: Sequence[str]) -> list[list[int]]:
    """Numbers of texts that belong together, the biggest cluster first, in each the most typical first.

    Those with no neighbour are clusters of one. The same texts give the same clusters.
    """
    by_wording: dict[str, list[int]] = {}
    for number, text in enumerate(texts):
        by_wording.setdefault(wording(text), []).append(number)
    same = [numbers for words, numbers in by_wording.items() if words]
    if not same:
        return []
    rows = vectors([words for words in by_wording if words])
    clusters = [
        [number for row in star for number in same[row]]
        for star in _stars(rows, np.array([len(some) for some in same]))
    ]
    return sorted(clusters, key=lambda some: (-len(some), some[0]))


def vectors(texts: Sequence[str]) -> csr_matrix:
    """A row of length 1 for each text."""
    numbers: dict[str, int] = {}
    rows: list[int] = []
    columns: list[int] = []
    for row, text in enumerate(texts):
        for group in _groups(text):
            rows.append(row)
            columns.append(numbers.setdefault(group, len(numbers)))
    shape = (len(texts), max(len(numbers), 1))
    counts = coo_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape).tocsr()
    counts.data = 1 + np.log(counts.data)
    there = np.bincount(counts.indices, minlength=shape[1])
    weights = np.log((1 + len(texts)) / (1 + there)).astype(np.float32) + 1
    weights[there > max(MOST_COMMON * len(texts), 20)] = 0
    counts.data *= weights[counts.indices]
    counts.eliminate_zeros()
    lengths = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1)).ravel())
    counts.data /= np.repeat(np.where(lengths > 0, lengths, 1), np.diff(counts.indptr))
    return counts


def _groups(text: str) -> list[str]:
    """Groups of characters within words, whose ends count; a word itself as well."""
    found = []
    for word in text.split():
        padded = f" {word} "
        found.append(padded)
        found += [
            padded[start : start + size]
            for size in range(SHORTEST, LONGEST + 1)
            for start in range(len(padded) - size + 1)
        ]
    return found


def _stars(rows: csr_matrix, weights: np.ndarray) -> list[list[int]]:
    """The row with the most near ones takes them, then the next of those left; no chains, so what is in a
    cluster is near its first.
    """
    near: list[np.ndarray] = []
    turned = rows.T.tocsr()
    for start in range(0, rows.shape[0], ROWS_AT_ONCE):
        cosines = (rows[start : start + ROWS_AT_ONCE] @ turned).tocsr()
        for row in range(cosines.shape[0]):
            span = slice(cosines.indptr[row], cosines.indptr[row + 1])
            found = cosines.indices[span][cosines.data[span] >= NEAR]
            near.append(np.union1d(found, [start + row]))
    sizes = np.array([weights[some].sum() for some in near])
    free = np.ones(len(near), dtype=bool)
    stars = []
    for centre in np.lexsort((np.arange(len(near)), -sizes)):
        if free[centre]:
            members = near[centre][free[near[centre]]]
            free[members] = False
            ordered = [int(centre), *(int(row) for row in members if row != centre)]
            stars.append(ordered)
    return stars
