"""How much more a hostile text costs than an ordinary one of the same length."""

import time
from collections.abc import Callable

LENGTH = 4000
ORDINARY = ("I would like to know where my last order is, please. " * 100)[:LENGTH]


def times_ordinary(look: Callable[[str], object], hostile: str) -> float:
    """A ratio of two measurements in the same moment, so it holds on a slow or busy machine as well.

    A linear look stays near 1; the expressions that backtracked took some hundred times as long.
    """
    return _best(look, (hostile * LENGTH)[:LENGTH]) / _best(look, ORDINARY)


def _best(look: Callable[[str], object], text: str) -> float:
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        look(text)
        best = min(best, time.perf_counter() - began)
    return best
