"""A running app, and callers with keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine

from rapport.api import service
from rapport.api.rules import SCOPES
from rapport.kit.database import session_scope
from rapport.kit.settings import Settings
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp

BASE = "/api/shop/v1"


class Caller:
    """One of the shop's programs."""

    def __init__(self, app: RunningApp, key: str) -> None:
        self.client = app.client
        self.key = key

    def post(self, path: str, body: Any, once: str | None = None, **headers: str) -> httpx.Response:
        sent = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": once or uuid4().hex} | headers
        return self.client.post(BASE + path, json=body, headers=sent)

    def get(self, path: str) -> httpx.Response:
        return self.client.get(BASE + path, headers={"Authorization": f"Bearer {self.key}"})

    def done(self, path: str, body: Any, once: str | None = None) -> dict[str, Any]:
        """The answer to something that works."""
        answer = self.post(path, body, once)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
def app(settings: Settings, engine: Engine, rasa: FakeRasa) -> Iterator[RunningApp]:
    running = RunningApp(settings, engine, rasa)
    yield running
    running.stop()


def new_key(settings: Settings, engine: Engine, name: str, *scopes: str) -> str:
    with session_scope(engine) as session:
        secret = settings.secret_key.get_secret_value()
        return service.create_key(session, secret, name, scopes or SCOPES, "shop")


@pytest.fixture
def make_caller(app: RunningApp, settings: Settings, engine: Engine) -> Callable[..., Caller]:
    """Makes callers, each with a key of its own."""

    def make(name: str, *scopes: str) -> Caller:
        return Caller(app, new_key(settings, engine, name, *scopes))

    return make


@pytest.fixture
def shop(make_caller: Callable[..., Caller]) -> Caller:
    """A program that may do everything."""
    return make_caller("webshop")
