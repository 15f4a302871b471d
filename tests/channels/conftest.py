"""A running app for the tests of channels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, nullcontext

import pytest
from sqlalchemy import Engine

from rapport.channels.sending import Sender
from rapport.kit.settings import Settings
from tests.channels.fakes.toy import ToyChannel
from tests.channels.harness import Provider, running
from tests.fake_rasa import FakeRasa
from tests.running import Chat, RunningApp


@pytest.fixture
def provider(request: pytest.FixtureRequest) -> Iterator[Provider | None]:
    """The stand-in that the test's file names as its `PROVIDER`, if it does."""
    make = getattr(request.module, "PROVIDER", None)
    with closing(make()) if make else nullcontext() as made:
        yield made


@pytest.fixture
def app(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa, provider: Provider | None
) -> Iterator[RunningApp]:
    """With the channel of the file's provider, or none but the widget."""
    if provider is not None:
        with running(provider, settings, sqlite_engine, rasa) as app:
            yield app
        return
    app = RunningApp(settings, sqlite_engine, rasa)
    yield app
    app.stop()


@pytest.fixture
def app_on_both(settings: Settings, engine: Engine, rasa: FakeRasa) -> Iterator[RunningApp]:
    app = RunningApp(settings, engine, rasa)
    yield app
    app.stop()


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
