"""The two environments' contract: the real Rasa, the real action server and the app around both.

Whatever an action does, the customer gets a sentence, never silence.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import requests
from pydantic import SecretStr
from rasa_sdk.interfaces import ActionExecutionRejection

import actions.server
from actions.shop import DeliveryOptions
from rapport import demo, migrations
from rapport.cli import bot_environment, model
from rapport.cli.train import train_if_needed
from rapport.kit.database import get_engine, session_scope
from rapport.kit.settings import get_settings
from tests.ports import free_port
from tests.running import RunningApp, until

QUESTION = "what are the delivery options?"


@dataclass
class Visitor:
    """Someone who talks with the app."""

    app: RunningApp

    def __post_init__(self) -> None:
        answer = self.app.client.post("/api/chat/sessions", json={"language": "en"})
        self._headers = {"Authorization": f"Bearer {answer.json()['token']}"}

    def send(self, **said: str) -> list[dict[str, Any]]:
        """The replies to a text or a button."""
        answer = self.app.client.post(
            "/api/chat/messages?wait=1", json=said | {"client_id": uuid4().hex}, headers=self._headers
        )
        assert answer.status_code == 200, answer.text
        replies: list[dict[str, Any]] = answer.json()["replies"]
        return replies

    def post(self, text: str) -> None:
        answer = self.app.client.post(
            "/api/chat/messages", json={"text": text, "client_id": uuid4().hex}, headers=self._headers
        )
        assert answer.status_code == 202, answer.text

    def said_to_me(self) -> list[str]:
        """What the bot has said so far."""
        messages = self.app.client.get("/api/chat/messages", headers=self._headers).json()["messages"]
        return [message["text"] for message in messages if message["author"] == "bot"]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    folder = tmp_path_factory.mktemp("contract")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAPPORT_VAR_DIR", str(folder))
        patch.setenv("RAPPORT_DATABASE_URL", f"sqlite:///{folder / 'rapport.db'}")
        get_settings.cache_clear()
        get_engine.cache_clear()
        settings, engine = get_settings(), get_engine()
        migrations.upgrade(engine)
        with session_scope(engine) as session:
            demo.load(session, date(2026, 11, 22))
        port = free_port()
        running = RunningApp(settings, engine, SimpleNamespace(port=port))
        rasa = start_rasa(folder, port, running.url)
        try:
            yield running
        finally:
            running.stop()
            rasa.kill()
            rasa.wait()
            engine.dispose()
    get_settings.cache_clear()
    get_engine.cache_clear()


def start_rasa(folder: Path, port: int, app_url: str) -> subprocess.Popen[bytes]:
    settings = get_settings()
    bot_environment.sync(lambda _: None)
    train_if_needed()
    trained = model.live(settings.models_dir)
    assert trained is not None
    secret = settings.bot_secret.get_secret_value()
    with (folder / "rasa.log").open("wb") as log:
        rasa = subprocess.Popen(
            [
                *(str(bot_environment.python()), str(bot_environment.BOT / "serve.py")),
                *("--port", str(port), "--model", str(trained.path)),
            ],
            env=bot_environment.clean_environment(
                RAPPORT_BOT_SECRET=secret,
                RAPPORT_ACTIONS_URL=f"{app_url}/actions/webhook",
                RAPPORT_TRACKER_URL=f"sqlite:///{folder / 'tracker.db'}",
            ),
            stdout=log,
            stderr=log,
        )
    headers = {"X-Rapport-Secret": secret}

    def answers() -> bool:
        try:
            status = requests.get(f"http://127.0.0.1:{port}/webhooks/rapport/", headers=headers, timeout=5)
        except requests.ConnectionError:
            return False
        return status.status_code == 200

    until(answers, 90, f"for Rasa, see {folder / 'rasa.log'}")
    return rasa


@pytest.fixture
def visitor(app: RunningApp) -> Visitor:
    return Visitor(app)


def misbehave(patch: pytest.MonkeyPatch, error: Exception | None) -> None:
    """Let the action behind QUESTION raise `error`, or do nothing at all."""

    def answer(*_: object) -> list[dict[str, Any]]:
        if error is not None:
            raise error
        return []

    patch.setattr(DeliveryOptions, "answer", answer)


def assert_trouble_then_all_is_well(visitor: Visitor, patch: pytest.MonkeyPatch) -> None:
    (reply,) = visitor.send(text=QUESTION)
    assert "sorry" in reply["text"].lower()
    patch.undo()
    assert "Home delivery" in visitor.send(text=QUESTION)[0]["text"]


def test_a_plain_action(visitor: Visitor) -> None:
    assert "Home delivery" in visitor.send(text=QUESTION)[0]["text"]


def test_a_form_a_rejected_answer_and_its_buttons(visitor: Visitor) -> None:
    asked = visitor.send(text="where is my order?")[-1]
    assert "e-mail" in asked["text"]
    # The form rejects what is no address: the question is answered and the form asks again.
    answered, again = visitor.send(text=QUESTION)
    assert "Home delivery" in answered["text"]
    # The same question in another wording, with the same ways on.
    assert again["text"] != asked["text"] and "e-mail" in again["text"]
    assert again["buttons"] == asked["buttons"]
    (left,) = visitor.send(button=f"{again['id']}:{again['buttons'][0]['id']}")
    assert left["text"]
    assert "Home delivery" in visitor.send(text=QUESTION)[0]["text"]


def test_buttons_run_what_the_reply_stored(visitor: Visitor) -> None:
    reply = visitor.send(text="what can you do?")[0]
    assert all(set(button) == {"id", "title"} for button in reply["buttons"])
    pressed = [visitor.send(button=f"{reply['id']}:{button['id']}") for button in reply["buttons"][:1]]
    assert all(replies and replies[0]["text"] for replies in pressed)


def test_an_action_that_rejects(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    misbehave(monkeypatch, ActionExecutionRejection("action_delivery_options"))
    replies = visitor.send(text=QUESTION)
    assert replies
    assert all(reply["text"] for reply in replies)
    monkeypatch.undo()
    assert "Home delivery" in visitor.send(text=QUESTION)[0]["text"]


def test_an_action_that_crashes(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    misbehave(monkeypatch, RuntimeError("broken"))
    assert_trouble_then_all_is_well(visitor, monkeypatch)


def test_an_action_that_says_nothing(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    misbehave(monkeypatch, None)
    assert_trouble_then_all_is_well(visitor, monkeypatch)


def test_an_unknown_action(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(actions.server.executor.actions, "action_delivery_options")
    assert_trouble_then_all_is_well(visitor, monkeypatch)


def test_actions_that_cannot_be_reached_are_tried_again(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here they refuse Rasa's secret; the message waits, and is answered once when they are back."""
    wrong = get_settings().model_copy(update={"bot_secret": SecretStr("wrong" * 10)})
    monkeypatch.setattr(actions.server, "get_settings", lambda: wrong)
    visitor.post(QUESTION)
    with pytest.raises(AssertionError, match="waited"):
        until(visitor.said_to_me, 1.5)
    monkeypatch.undo()
    said = until(visitor.said_to_me, 30, "for the answer")
    assert len(said) == 1
    assert "Home delivery" in said[0]
