"""A running app for the tests of channels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from rapport.channels.sending import Sender
from rapport.kit.settings import Settings
from tests.channels.fakes.toy import ToyChannel
from tests.fake_rasa import FakeRasa
from tests.running import Chat, RunningApp


@pytest.fixture
def app(settings: Settings, sqlite_engine: Engine, rasa: FakeRasa) -> Iterator[RunningApp]:
    running = RunningApp(settings, sqlite_engine, rasa)
    yield running
    running.stop()


@pytest.fixture
def app_on_both(settings: Settings, engine: Engine, rasa: FakeRasa) -> Iterator[RunningApp]:
    running = RunningApp(settings, engine, rasa)
    yield running
    running.stop()


@pytest.fixture
def chat(app: RunningApp) -> Chat:
    return app.chat()


@pytest.fixture
def channel() -> ToyChannel:
    """A messaging app with nothing special about it."""
    return ToyChannel()


@pytest.fixture
def sender(engine: Engine, channel: ToyChannel) -> Sender:
    """Sends on that app when told to, without its thread."""
    return Sender(engine, {channel.name: channel})
