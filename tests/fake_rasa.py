"""A stand-in for Rasa that speaks the contract of bot/channel.py, and misbehaves when told to."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.ports import free_port

SECRET = "test-bot-secret-0123456789-0123456789"
Body = dict[str, Any]


class DropConnection(Exception):
    """Raised by a behaviour: close the connection without an answer, as a killed process would."""


def reply(text: str | None, **more: Any) -> Body:
    return {"text": text, "buttons": [], "image": None, "custom": None, "response": "utter_echo", **more}


def answer(*replies: Body, intent: str = "greet", actions: tuple[str, ...] = ("utter_echo",)) -> Body:
    return {
        "replies": list(replies),
        "understood": {
            "intent": intent,
            "confidence": 0.93,
            "entities": [{"entity": "product", "value": "sku-1", "start": 0, "end": 3}],
            "ranking": [{"name": intent, "confidence": 0.93}],
        },
        "actions": list(actions),
        "repeated": False,
    }


def echo(turn: Body) -> Body:
    return answer(reply(f"echo: {turn.get('text') or turn.get('payload')}"))


class FakeRasa:
    """`turns` are the bodies it took, `told` what was said without it, by conversation. `before(turn)` and
    `after(turn)` run around saving the answer; both may raise `DropConnection`. `status` other than 200 is
    answered to everything.
    """

    def __init__(self) -> None:
        self.turns: list[Body] = []
        self.told: dict[str, list[Body]] = defaultdict(list)
        self.behave: Callable[[Body], Any] = echo
        self.before: Callable[[Body], None] = lambda _: None
        self.after: Callable[[Body], None] = lambda _: None
        self.status = 200
        self.running: dict[str, int] = defaultdict(int)
        self.overlapped = False
        self._saved: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self._connections: set[Any] = set()
        self.port = free_port()  # kept while it is away
        self.restart()

    def stop(self) -> None:
        """As a kill: the port is closed and open connections are cut."""
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._connections):
            with suppress(OSError):  # its other end may be gone already
                connection.shutdown(2)

    def restart(self) -> None:
        """Listens on the same port again, with what was saved."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def texts(self, conversation_id: str) -> list[str]:
        return [turn["text"] for turn in self.turns if turn["conversation_id"] == conversation_id]

    def take(self, turn: Body) -> Any:
        conversation_id, key = turn["conversation_id"], (turn["conversation_id"], turn["message_id"])
        with self._lock:
            self.overlapped = self.overlapped or self.running[conversation_id] > 0
            self.running[conversation_id] += 1
        try:
            with self._lock:
                if key in self._saved:
                    return {**self._saved[key], "repeated": True}
            self.before(turn)
            result = self.behave(turn)
            with self._lock:
                self.turns.append(turn)
                self._saved[key] = result
            self.after(turn)
            return result
        finally:
            with self._lock:
                self.running[conversation_id] -= 1

    def _handler(fake) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def setup(self) -> None:
                super().setup()
                fake._connections.add(self.connection)

            def finish(self) -> None:
                fake._connections.discard(self.connection)
                with suppress(OSError):  # the app was killed meanwhile
                    super().finish()

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def do_GET(self) -> None:
                self._send(fake.status, {"status": "ok", "model": "fake"})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                known = re.fullmatch(
                    r"/webhooks/rapport/(turn|conversations/([0-9a-f]{32})/events)", self.path
                )
                if self.headers["X-Rapport-Secret"] != SECRET or known is None:
                    return self._send(401, {"error": "unauthorized"})
                if fake.status != 200:
                    return self._send(fake.status, {"error": "told to"})
                if known[2]:
                    fake.told[known[2]] += json.loads(body)["messages"]
                    return self._send(200, {"told": len(json.loads(body)["messages"])})
                try:
                    return self._send(200, fake.take(json.loads(body)))
                except DropConnection:
                    self.close_connection = True
                    return None

            def _send(self, status: int, content: Any) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def slow(seconds: float) -> Callable[[Body], Any]:
    def behave(turn: Body) -> Any:
        time.sleep(seconds)
        return echo(turn)

    return behave
