"""Which messages are nearly the same: cosine of their TF-IDF over groups of three to five characters."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from bot.nlu.text import tokens

NEAR = 0.92
ROWS_AT_ONCE = 1000


def wording(text: str) -> str:
    """What is left when case, diacritics, punctuation and the digits of numbers do not count."""
    return " ".join(tokens(text))


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


def near_pairs(left: csr_matrix, right: csr_matrix) -> Iterator[tuple[int, int, float]]:
    """Row of `left`, row of `right` and their cosine, where that is at least `NEAR`.

    A product of all with all would not fit into memory, so it is made some rows at a time.
    """
    turned = right.T.tocsr()
    for start in range(0, left.shape[0], ROWS_AT_ONCE):
        cosines = (left[start : start + ROWS_AT_ONCE] @ turned).tocoo()
        near = cosines.data >= NEAR
        for row, column, cosine in zip(
            cosines.row[near].tolist(), cosines.col[near].tolist(), cosines.data[near].tolist(), strict=True
        ):
            yield start + row, column, cosine
