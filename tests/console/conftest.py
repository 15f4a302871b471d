"""The app with its console, and staff of each role logged in, with and without a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page
from sqlalchemy import Engine

from rapport.app import create_app
from rapport.kit.settings import Settings
from rapport.staff import service
from tests.console.client import PASSWORD, StaffClient, add_staff, address
from tests.fake_rasa import FakeRasa
from tests.running import RunningApp

Logged = Callable[..., StaffClient]
OpenPage = Callable[..., Page]


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 takes its time on purpose; here it only costs time."""
    monkeypatch.setattr(service, "_hasher", PasswordHasher(time_cost=1, memory_cost=64))


@pytest.fixture
def app(settings: Settings, engine: Engine, rasa: FakeRasa) -> FastAPI:
    """The app without its threads: nothing answers by itself. With `engine` on both databases."""
    return create_app(settings.model_copy(update={"rasa_port": rasa.port}), engine)


@pytest.fixture
def log_in(app: FastAPI, engine: Engine) -> Logged:
    """Somebody of a role at a browser: `log_in("agent")`, `log_in("manager", "nb")`."""

    def make(role: str, language: str = "en") -> StaffClient:
        add_staff(engine, role, language)
        return StaffClient(app, address(role))

    return make


@pytest.fixture
def running(settings: Settings, sqlite_engine: Engine, rasa: FakeRasa) -> Iterator[RunningApp]:
    """The whole app on a port, with a stand-in for Rasa."""
    running = RunningApp(settings, sqlite_engine, rasa)
    yield running
    running.stop()


@pytest.fixture
def open_page(running: RunningApp, sqlite_engine: Engine, browser: Browser) -> Iterator[OpenPage]:
    """A page of the console in Chromium: `open_page("agent", "/console/cases", width=375)`.

    The same role again is the same person. An error in a page's script fails the test.
    """
    contexts: list[BrowserContext] = []
    known: set[str] = set()
    errors: list[str] = []

    def make(role: str, path: str, width: int = 1280, language: str = "en", dark: bool = False) -> Page:
        if role not in known:
            known.add(role)
            add_staff(sqlite_engine, role, language)
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if "Content Security" in said.text else None)
        page.goto(f"{running.url}/console/login?next={path}")
        page.fill("input[name=email]", address(role))
        page.fill("input[name=password]", PASSWORD)
        page.click("button.primary")
        return page

    yield make
    for context in contexts:
        context.close()
    assert errors == []
