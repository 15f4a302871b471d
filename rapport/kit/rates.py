"""Rate limits in memory (the generic cell rate algorithm): one number per key, no background work."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from rapport.kit.errors import TooManyRequestsError

SWEEP_ABOVE = 10_000


class Rate:
    """At most `limit` requests per `period` seconds and key: all at once, or spread out."""

    def __init__(self, limit: int, period: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._period = period
        self._clock = clock
        # When a key's past requests are used up. Times that have passed mean nothing and can go.
        self._free_at: dict[str, float] = {}
        self._sweep_above = SWEEP_ABOVE
        self._lock = threading.Lock()

    def check(self, key: str) -> None:
        """Count one request. Raises TooManyRequestsError when it is one too many; that one is not counted."""
        now = self._clock()
        cost = self._period / self._limit
        with self._lock:
            free_at = max(self._free_at.get(key, now), now) + cost
            over = free_at - now - self._period
            if over > 1e-6:
                wait = max(1, math.ceil(over))
                raise TooManyRequestsError("That was a lot at once. Wait a little and try again.", wait)
            self._free_at[key] = free_at
            if len(self._free_at) > self._sweep_above:
                self._free_at = {k: at for k, at in self._free_at.items() if at > now}
                self._sweep_above = max(SWEEP_ABOVE, 2 * len(self._free_at))
