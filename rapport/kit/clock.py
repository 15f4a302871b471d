"""The one place that reads the time. Tests replace it with `clock.freeze`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

_frozen: datetime | None = None


def now() -> datetime:
    """The current time, timezone-aware, in UTC."""
    return _frozen or datetime.now(UTC)


@contextmanager
def freeze(at: datetime) -> Iterator[None]:
    """Make `now()` return `at` inside the block (all threads)."""
    global _frozen
    before, _frozen = _frozen, at
    try:
        yield
    finally:
        _frozen = before
