"""Rate limits."""

from __future__ import annotations

import pytest

from rapport.kit import rates
from rapport.kit.errors import TooManyRequestsError
from rapport.kit.rates import Rate


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_all_at_once_then_one_by_one() -> None:
    clock = Clock()
    rate = Rate(30, 60, clock)
    for _ in range(30):
        rate.check("a")
    with pytest.raises(TooManyRequestsError) as caught:
        rate.check("a")
    assert caught.value.retry_after == 2
    rate.check("b")
    clock.now = 1.9
    with pytest.raises(TooManyRequestsError):
        rate.check("a")
    clock.now = 2.0
    rate.check("a")
    clock.now = 100
    for _ in range(30):
        rate.check("a")


def test_old_keys_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "SWEEP_ABOVE", 100)
    clock = Clock()
    rate = Rate(1, 1, clock)
    for number in range(10_000):
        clock.now += 0.1
        rate.check(str(number))
    assert len(rate._free_at) <= 101
