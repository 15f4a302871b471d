"""The start script and the channel over HTTP, as a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.tests.conftest import CONVERSATION, ROOT
from bot.tests.fake_actions import SECRET, FakeActions

SERVE = [sys.executable, str(ROOT / "bot" / "serve.py")]


class Server:
    """serve.py on a port it is given, tied to us by a pipe."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.actions = FakeActions()
        read, self.pipe = os.pipe()
        command = [*SERVE, "--port", "0", "--model", str(model), "--parent-pipe", str(read)]
        environment = {
            **os.environ,
            "RAPPORT_BOT_SECRET": SECRET,
            "RAPPORT_ACTIONS_URL": self.actions.url,
            "RAPPORT_TRACKER_URL": f"sqlite:///{folder / 'var' / 'tracker.db'}",
        }
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment, pass_fds=[read]
        )
        os.close(read)
        assert self.process.stdout is not None
        self.ready = self.process.stdout.readline()
        self.port = int(self.ready.partition("http://127.0.0.1:")[2].split()[0])

    def call(self, method: str, path: str, body: Any = None, secret: str | None = SECRET) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {} if secret is None else {"X-Rapport-Secret": secret}
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        return status, json.loads(text) if text else None

    def turn(self, **body: Any) -> tuple[int, Any]:
        full = {"conversation_id": CONVERSATION, "message_id": "m1", **body}
        return self.call("POST", "/webhooks/rapport/turn", full)


@pytest.fixture(scope="module")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(model, tmp_path_factory.mktemp("server"))
    yield running
    running.process.kill()
    running.process.wait()
    running.actions.stop()


def test_it_says_when_it_is_ready(server: Server) -> None:
    assert server.ready.startswith(f"ready: tiny.tar.gz on http://127.0.0.1:{server.port} after ")
    assert server.call("GET", "/webhooks/rapport/") == (200, {"status": "ok", "model": "tiny.tar.gz"})


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET + "x", "é"])
def test_every_route_needs_the_secret(server: Server, secret: str | None) -> None:
    about = f"/conversations/{CONVERSATION}"
    for method, path in (("GET", "/"), ("POST", "/turn"), ("POST", f"{about}/events"), ("DELETE", about)):
        body: dict[str, object] | None = {} if method == "POST" else None
        assert server.call(method, f"/webhooks/rapport{path}", body, secret)[0] == 401


@pytest.mark.parametrize(
    "path", ["/", "/status", "/conversations/x/tracker", "/model/parse", "/webhooks/rest/webhook"]
)
def test_nothing_of_rasas_own_is_served(server: Server, path: str) -> None:
    assert server.call("GET", path)[0] == 404


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 10_000, {"text": "hello"}])
def test_malformed_bodies(server: Server, body: Any) -> None:
    status, answer = server.call("POST", "/webhooks/rapport/turn", body)
    assert (status, answer["error"]) == (422, "invalid_turn")


def test_a_huge_body(server: Server) -> None:
    assert server.call("POST", "/webhooks/rapport/turn", b"x" * 300_000)[0] == 413


def test_a_turn_again_and_forgotten(server: Server) -> None:
    status, first = server.turn(text="hello", metadata={"language": "es", "verified": False})
    assert (status, first["replies"][0]["text"], first["repeated"]) == (200, "¡Hola!", False)
    assert server.turn(text="hello") == (200, {**first, "repeated": True})
    path = f"/webhooks/rapport/conversations/{CONVERSATION}"
    assert server.call("DELETE", path) == (204, None)
    assert server.call("DELETE", path) == (204, None)
    assert server.turn(text="hello")[1]["repeated"] is False
    assert server.call("DELETE", "/webhooks/rapport/conversations/x")[0] == 422


def test_what_was_said_is_told(server: Server) -> None:
    path = f"/webhooks/rapport/conversations/{CONVERSATION}/events"
    message = {"message_id": "t1", "author": "staff", "text": "/restart \ud800", "steps_in": True}
    assert server.call("POST", path, {"messages": [message]}) == (200, {"told": 1})
    assert server.call("POST", path, {"messages": [message]}) == (200, {"told": 0})
    assert server.call("POST", path, {"messages": [{**message, "text": 7}]})[0] == 422
    assert server.call("POST", path.replace(CONVERSATION, "x"), {"messages": [message]})[0] == 422


def test_unreachable_actions_are_503_and_can_be_tried_again(server: Server) -> None:
    server.actions.behaviour = "broken"
    assert server.turn(text="where is my order", message_id="m7") == (503, {"error": "actions_unreachable"})
    server.actions.behaviour = "ok"
    status, answer = server.turn(text="where is my order", message_id="m7")
    assert (status, answer["repeated"]) == (200, False)


def test_it_dies_with_its_parent(model: Path, tmp_path: Path) -> None:
    server = Server(model, tmp_path)
    os.close(server.pipe)
    assert server.process.wait(timeout=5) == 0
    server.actions.stop()


def test_helpers_of_what_leads_its_own_group_die_with_it() -> None:
    read, write = os.pipe()
    code = (
        "import subprocess, sys, time; from bot.serve import die_with_parent;"
        f"die_with_parent({read}); subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(20)']);"
        "print('begun', flush=True); time.sleep(20)"
    )
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        pass_fds=[read],
        start_new_session=True,
    ) as process:
        os.close(read)
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        os.close(write)
        assert process.stdout.read() == b"", "until nobody holds it any more"
        assert time.monotonic() - began < 15
    assert process.returncode == -signal.SIGKILL


def test_why_it_cannot_start_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "cannot be used: Address already in use" in refusal(["--port", port], SECRET)
    assert "RAPPORT_BOT_SECRET is not set" in refusal([], "")
    broken = tmp_path / "broken.tar.gz"
    broken.write_bytes(b"no archive")
    started = time.monotonic()
    assert "run `rapport train --force`" in refusal(["--port", "0", "--model", str(broken)], SECRET)
    assert time.monotonic() - started < 60


def refusal(arguments: list[str], secret: str) -> str:
    environment = {**os.environ, "RAPPORT_BOT_SECRET": secret}
    done = subprocess.run(
        [*SERVE, *arguments], capture_output=True, text=True, env=environment, timeout=120, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr
