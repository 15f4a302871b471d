"""The OpenAPI document is true: schemathesis makes up requests from it and holds the answers against it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.running import RunningApp

CONFIG = Path(__file__).with_name("schemathesis.toml")


def schemathesis(app: RunningApp, *options: str) -> str:
    """Runs it against the app; its report, which is empty when it found nothing."""
    command = [sys.executable, "-W", "ignore", "-m", "schemathesis.cli", "--config-file", str(CONFIG)]
    command += ["run", f"{app.url}/openapi.json", "--generation-deterministic", "--no-color"]
    done = subprocess.run(
        [*command, *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr if done.returncode else ""


def test_with_a_token(app: RunningApp) -> None:
    chat = app.chat()
    header = f"Authorization: {chat.headers['Authorization']}"
    # Not the stream: it never ends.
    found = schemathesis(app, "-H", header, "--exclude-path", "/api/chat/events", "--max-time", "15")
    assert not found, found


def test_without_a_token(app: RunningApp) -> None:
    found = schemathesis(app, "--include-path", "/api/chat/events", "--max-time", "3")
    assert not found, found


def test_every_address_is_described(app: RunningApp) -> None:
    document = app.client.get("/openapi.json").json()
    described = sorted(
        f"{method.upper()} {path}" for path, operations in document["paths"].items() for method in operations
    )
    assert described == [
        "GET /api/chat/events",
        "GET /api/chat/messages",
        "GET /api/demo/products",
        "GET /healthz",
        "GET /readyz",
        "POST /api/chat/links",
        "POST /api/chat/messages",
        "POST /api/chat/sessions",
        "POST /api/site/events",
        "POST /api/site/forget",
        "POST /api/subscribe",
    ]


def test_a_wrong_method_is_told_all_right_ones(app: RunningApp) -> None:
    refused = app.client.delete("/api/chat/messages")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, POST")
