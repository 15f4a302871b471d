"""What the app does with each message before Rasa is asked, and what a hostile text costs.

    uv run python -m bench.message

The language and the catalogue look at every message. A few threads serve all customers, so the worst text
matters as much as the usual one: the last column is worst by usual.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from tempfile import TemporaryDirectory

from rapport import demo, migrations
from rapport.conversations import language
from rapport.kit import clock
from rapport.kit.database import make_engine, session_scope
from rapport.shop.catalogue import Catalogue

USUAL = "I would like to know whether my last order with the sleping bag has been shipped"
HOSTILE = [
    (piece * 4000)[:4000]
    for piece in ("a", "1", "a@", "a.", "a@a.", "@", "AB-", "1 ", "😀", "a\u0301", "tent ")
]


def measure(name: str, look: Callable[[str], object]) -> None:
    """Print the microseconds of the usual and of the worst hostile message."""
    usual, worst = cost(look, USUAL, 200), max(cost(look, text, 3) for text in HOSTILE)
    print(f"{name:<12}{usual:>10.0f}{worst:>14.0f}{worst / usual:>10.0f}x")


def cost(look: Callable[[str], object], text: str, times: int) -> float:
    """The best of a few calls, in microseconds."""
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        look(text)
        best = min(best, time.perf_counter() - began)
    return best * 1e6


def main() -> None:
    print(f"{'':<12}{'usual (µs)':>10}{'worst (µs)':>14}{'ratio':>11}")
    language.warm_up()
    measure("language", lambda text: language.follow(text, "nb"))
    with TemporaryDirectory() as folder:
        engine = make_engine(f"sqlite:///{folder}/bench.db")
        migrations.upgrade(engine)
        with session_scope(engine) as session:
            demo.load(session, clock.now().date())
        measure("catalogue", Catalogue(engine).match)
        engine.dispose()


if __name__ == "__main__":
    main()
