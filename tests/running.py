"""A real server around the app, in a thread of the test, with a fake Rasa behind it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from sqlalchemy import Engine

from rapport.app import create_app, make_server
from rapport.channels.base import MessagingChannel
from rapport.kit.settings import Settings
from tests.fake_rasa import FakeRasa

T = TypeVar("T")


def until(condition: Callable[[], T], seconds: float = 10, what: str = "") -> T:
    """The first true result of `condition`."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f"waited {seconds} s {what}"
        time.sleep(0.01)
    return result


class RunningApp:
    """The app on a port of its own. It sends no mails and runs no jobs beside the test, unless told to
    (`background=True`): what waits in the database is still there when the test looks.
    """

    def __init__(
        self,
        settings: Settings,
        database: Engine,
        rasa: FakeRasa,
        channels: dict[str, MessagingChannel] | None = None,
        **changes: Any,
    ) -> None:
        calm = {"rate_limits": False, "background": False}
        settings = settings.model_copy(update={"rasa_port": rasa.port, **calm, **changes})
        self.app = create_app(settings, database, channels)
        self._server = make_server(self.app, "127.0.0.1", 0)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        until(lambda: self._server.started or not self._thread.is_alive(), 15, "for the app")
        assert self._thread.is_alive(), "the app did not start"
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.url, timeout=20, trust_env=False)

    def stop(self) -> None:
        self.app.state.events.close()
        self._server.should_exit = True
        self._thread.join(10)
        self.client.close()
        assert not self._thread.is_alive()

    def chat(self, language: str = "en") -> Chat:
        return Chat(self, language)


class Chat:
    """One visitor."""

    def __init__(self, app: RunningApp, language: str = "en") -> None:
        self.client = app.client
        answer = self.client.post("/api/chat/sessions", json={"language": language})
        assert answer.status_code == 201, answer.text
        self.id: str = answer.json()["conversation_id"]
        self.headers = {"Authorization": f"Bearer {answer.json()['token']}"}

    def post(self, body: dict[str, Any], wait: bool = False) -> httpx.Response:
        body = {"client_id": uuid4().hex, **body}
        parameters = {"wait": "1"} if wait else {}
        return self.client.post("/api/chat/messages", json=body, headers=self.headers, params=parameters)

    def say(self, text: str) -> list[dict[str, Any]]:
        answer = self.post({"text": text}, wait=True)
        assert answer.status_code == 200, answer.text
        replies: list[dict[str, Any]] = answer.json()["replies"]
        return replies

    def history(self, after: int = 0) -> list[dict[str, Any]]:
        answer = self.client.get("/api/chat/messages", headers=self.headers, params={"after": after})
        assert answer.status_code == 200, answer.text
        messages: list[dict[str, Any]] = answer.json()["messages"]
        return messages

    def answered(self, count: int, seconds: float = 20) -> list[dict[str, Any]]:
        """The history once it has that many messages."""
        return until(lambda: h if len(h := self.history()) >= count else None, seconds, "for answers") or []

    @contextmanager
    def events(self, after: int | None = None) -> Iterator[Iterator[tuple[str, Any]]]:
        """The (event, content) pairs of the stream, as they come."""
        headers = self.headers | ({"Last-Event-ID": str(after)} if after is not None else {})
        with self.client.stream("GET", "/api/chat/events", headers=headers) as response:
            assert response.status_code == 200, response.read()
            yield parse_events(response.iter_lines())


def parse_events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    event, data = "", ""
    for line in lines:
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data += line.removeprefix("data: ")
        elif not line and data:
            yield event, json.loads(data)
            event, data = "", ""
