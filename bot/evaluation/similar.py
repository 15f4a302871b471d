"""Which messages are nearly the same: cosine of their TF-IDF over groups of three to five characters."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from bot.nlu.model import wording

NEAR = 0.92
ROWS_AT_ONCE = 1000


def vectors(texts: Sequence[str]) -> csr_matrix:
    """A row of length 1 for each text. With pairs of characters as well it takes four times as long and finds
    the same.
    """
    if not any(wording(text) for text in texts):
        return csr_matrix((len(texts), 1), dtype=np.float32)
    vectorizer = TfidfVectorizer(
        preprocessor=wording, analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, dtype=np.float32
    )
    return vectorizer.fit_transform(texts)


def near_pairs(left: csr_matrix, right: csr_matrix | None = None) -> Iterator[tuple[int, int, float]]:
    """Row of `left`, row of `right` and their cosine, where that is at least `NEAR`.

    Without `right`, each pair of rows of `left` once, the later row first.
    A product of all with all would not fit into memory, so it is made some rows at a time.
    """
    for start in range(0, left.shape[0], ROWS_AT_ONCE):
        end = min(start + ROWS_AT_ONCE, left.shape[0])
        others = left[:end] if right is None else right
        cosines = (left[start:end] @ others.T).tocoo()
        near = cosines.data >= NEAR
        rows, columns = (cosines.row[near] + start).tolist(), cosines.col[near].tolist()
        for row, column, cosine in zip(rows, columns, cosines.data[near].tolist(), strict=True):
            if right is not None or column < row:
                yield row, column, cosine
