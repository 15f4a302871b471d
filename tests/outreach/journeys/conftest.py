"""Time stands still, and the journeys are those of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rapport.kit import clock
from rapport.kit.settings import Settings
from rapport.outreach.journeys import service
from rapport.outreach.journeys.definition import Journey
from tests.conversations.conftest import make_engine, make_turns
from tests.outreach.journeys.walk import NOW

__all__ = ["make_engine", "make_turns"]

Use = Callable[..., Journey]


@pytest.fixture
def still(settings: Settings) -> Iterator[None]:
    with clock.freeze(NOW):
        yield


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch, still: None) -> Use:
    """Makes a journey the only one there is, under the key `test`."""

    def use(journey: Journey) -> Journey:
        monkeypatch.setattr(service, "journeys", lambda _session=None: {"test": journey})
        return journey

    return use
