"""Running the same thing in many threads at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

Result = TypeVar("Result")


def at_once(count: int, work: Callable[[], Result]) -> list[Result]:
    """What `work` returned in each of `count` threads that started together."""
    barrier = Barrier(count)

    def run() -> Result:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(run) for _ in range(count)]]
