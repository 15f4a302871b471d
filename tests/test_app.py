"""The app as a process: it starts, stops soon even with open streams, and never outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from rapport.kit.settings import ROOT, Settings
from tests.fake_rasa import FakeRasa, slow
from tests.ports import free_port
from tests.running import parse_events, until

SECRET_TEXT = "my-very-private-words"


class AppProcess:
    """`python -m rapport.app` with its supervisor's end of the pipe."""

    def __init__(self, folder: Path, rasa_port: int, *options: str, **settings: str) -> None:
        self.port = free_port()
        self.log = folder / "app.log"
        self.environment = os.environ | {
            "RAPPORT_VAR_DIR": str(folder),
            "RAPPORT_DATABASE_URL": f"sqlite:///{folder / 'rapport.db'}",
            "RAPPORT_RASA_PORT": str(rasa_port),
            **settings,
        }
        ours, self.pipe = os.pipe()
        arguments = ["--port", str(self.port), "--parent-pipe", str(ours), *options]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "rapport.app", *arguments],
                cwd=ROOT,
                env=self.environment,
                pass_fds=[ours],
                stderr=log,
            )
        os.close(ours)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=15, trust_env=False)
        until(lambda: self.process.poll() is not None or self.answers(), 30, "for the app")

    def answers(self) -> bool:
        try:
            return self.client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def headers(self) -> dict[str, str]:
        token = self.client.post("/api/chat/sessions", json={}).json()["token"]
        return {"Authorization": f"Bearer {token}"}

    def end(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def app(settings: Settings, sqlite_engine: Engine, tmp_path: Path, rasa: FakeRasa) -> Iterator[AppProcess]:
    started = AppProcess(tmp_path, rasa.port, "--host", "127.0.0.1", RAPPORT_LOG_LEVEL="INFO")
    yield started
    started.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_in_time_with_open_streams_and_a_slow_turn(
    app: AppProcess, rasa: FakeRasa, number: signal.Signals
) -> None:
    rasa.behave = slow(20)
    headers = app.headers()
    opened, ended = threading.Semaphore(0), []

    def follow() -> None:
        with app.client.stream("GET", "/api/chat/events", headers=headers) as response:
            for _ in parse_events(response.iter_lines()):
                opened.release()
        ended.append("stream")

    def wait() -> None:
        body = {"text": SECRET_TEXT, "client_id": "1"}
        answered = app.client.post("/api/chat/messages?wait=1", json=body, headers=headers)
        ended.append(str(answered.status_code))

    threads = [threading.Thread(target=target) for target in (follow, follow, wait)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        assert opened.acquire(timeout=10)
    until(lambda: len(rasa.running), 10)
    started = time.monotonic()
    app.process.send_signal(number)
    assert app.process.wait(10) in {0, -number}
    assert time.monotonic() - started < 4
    for thread in threads:
        thread.join(5)
    assert sorted(ended) == ["202", "stream", "stream"]
    log = app.log.read_text()
    assert "Traceback" not in log
    assert SECRET_TEXT not in log


def test_it_leaves_with_its_parent(app: AppProcess) -> None:
    os.close(app.pipe)  # what the kernel does when the parent is killed
    started = time.monotonic()
    code = app.process.wait(10)
    assert time.monotonic() - started < 4
    assert code in {0, -signal.SIGTERM}, "in the orderly way, not cut off at its end"


def test_a_message_survives_kill_9(app: AppProcess, rasa: FakeRasa, tmp_path: Path) -> None:
    rasa.behave = slow(1)
    headers = app.headers()
    body = {"text": "hello", "client_id": "1"}
    assert app.client.post("/api/chat/messages", json=body, headers=headers).status_code == 202
    until(lambda: len(rasa.running), 10)
    app.process.kill()
    app.process.wait()
    rasa.behave = slow(0)
    again = AppProcess(tmp_path, rasa.port)
    try:

        def history() -> list[Any]:
            messages: list[Any] = again.client.get("/api/chat/messages", headers=headers).json()["messages"]
            return messages

        until(lambda: len(history()) == 2, 10)
        repeated = again.client.post("/api/chat/messages?wait=1", json=body, headers=headers)
        assert repeated.json()["replies"][0]["text"] == "echo: hello"
        time.sleep(1)
        assert len(history()) == 2
    finally:
        again.end()


def test_a_wrong_setting_is_one_clear_line(settings: Settings, sqlite_engine: Engine, tmp_path: Path) -> None:
    app = AppProcess(tmp_path, 5005, RAPPORT_TRUSTED_PROXIES="proxy.example")
    assert app.process.wait(10) == 1
    log = app.log.read_text()
    app.end()
    assert "RAPPORT_TRUSTED_PROXIES" in log
    assert "Traceback" not in log
