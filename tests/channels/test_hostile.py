"""Wrong, hostile and huge input to every address: a clear 4xx as problem details, no 500, no stack trace."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rapport.kit import middleware
from rapport.kit.database import make_engine
from rapport.kit.settings import get_settings
from tests.fake_rasa import FakeRasa
from tests.running import Chat, RunningApp

DEEP = "[" * 20_000


@pytest.fixture(scope="module")
def app(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """One app for all these tests: nothing they send may harm it."""
    folder = tmp_path_factory.mktemp("hostile")
    shutil.copy(migrated_sqlite, folder / "rapport.db")
    database, rasa = make_engine(f"sqlite:///{folder / 'rapport.db'}"), FakeRasa()
    running = RunningApp(get_settings(), database, rasa, var_dir=folder)
    yield running
    assert running.chat().say("still there?")[0]["text"] == "echo: still there?"
    running.stop()
    rasa.stop()
    database.dispose()


def assert_problem(answered: httpx.Response, *statuses: int) -> None:
    assert answered.status_code in statuses, (answered.status_code, answered.text[:300])
    assert answered.headers["Content-Type"] == "application/problem+json"
    problem = answered.json()
    assert problem["type"].startswith("/problems/")
    assert problem["status"] == answered.status_code
    assert len(answered.content) < 1000
    assert "Traceback" not in answered.text
    assert answered.headers["X-Content-Type-Options"] == "nosniff"


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "text": b"hello",
    "null": b"null",
    "a number": b"1",
    "a list": b"[]",
    "a string": b'"x"',
    "an empty object": b"{}",
    "invalid UTF-8": b'{"text": "\xff\xfe", "client_id": "a"}',
    "deep": DEEP.encode(),
    "deep object": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "a huge number": b'{"text": 1' + b"0" * 10_000 + b', "client_id": "a"}',
    "NaN": b'{"text": NaN, "client_id": "a"}',
    "a lone surrogate": b'{"text": "a\\ud800b", "client_id": "a"}',
    "NUL": b'{"text": "a\\u0000b", "client_id": "a"}',
    "blanks": b'{"text": " \\n\\t\\u00a0\\u3000 ", "client_id": "a"}',
    "a number as text": b'{"text": 5, "client_id": "a"}',
    "null as text": b'{"text": null, "client_id": "a"}',
    "a list as text": b'{"text": ["a"], "client_id": "a"}',
    "an object as text": b'{"text": {"$ne": 1}, "client_id": "a"}',
    "no client_id": b'{"text": "a"}',
    "a number as client_id": b'{"text": "a", "client_id": 1}',
    "an empty client_id": b'{"text": "a", "client_id": ""}',
    "a long client_id": b'{"text": "a", "client_id": "' + b"x" * 101 + b'"}',
    "a NUL in client_id": b'{"text": "a", "client_id": "a\\u0000"}',
    "a surrogate in client_id": b'{"text": "a", "client_id": "\\udfff"}',
    "text and button": b'{"text": "a", "button": "1:b1", "client_id": "a"}',
    "a payload": b'{"text": "a", "payload": "/restart", "client_id": "a"}',
    "a payload as button": b'{"button": "/restart", "client_id": "a"}',
    "a number as button": b'{"button": 1, "client_id": "a"}',
    "a huge button": b'{"button": "99999999999999999999:b1", "client_id": "a"}',
    "a surrogate in a field's name": b'{"\\ud800": 1, "text": "a", "client_id": "a"}',
    "a long field's name": b'{"' + b"x" * 5_000 + b'": 1, "text": "a", "client_id": "a"}',
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_of_messages(chat: Chat, name: str) -> None:
    headers = chat.headers | {"Content-Type": "application/json"}
    answered = chat.client.post("/api/chat/messages", content=BODIES[name], headers=headers)
    assert_problem(answered, 422)
    assert chat.history() == []


@pytest.mark.parametrize(
    "name",
    ["no JSON", "a number", "a list", "a string", "invalid UTF-8", "deep", "deep object", "a payload"],
)
def test_bodies_of_sessions(app: RunningApp, name: str) -> None:
    headers = {"Content-Type": "application/json"}
    assert_problem(app.client.post("/api/chat/sessions", content=BODIES[name], headers=headers), 422)


@pytest.mark.parametrize(
    "body",
    [
        {"language": 1},
        {"language": ["en"]},
        {"language": "x" * 100},
        {"language": "\x00"},
        {"identity_token": 1},
        {"identity_token": "x" * 9000},
        {"token": "mine"},
    ],
)
def test_fields_of_sessions(app: RunningApp, body: dict[str, Any]) -> None:
    assert_problem(app.client.post("/api/chat/sessions", json=body), 422)


@pytest.mark.parametrize("field", ["language", "identity_token"])
def test_half_a_surrogate_pair_in_a_session(app: RunningApp, field: str) -> None:
    body = b'{"' + field.encode() + b'": "\\ud800"}'
    headers = {"Content-Type": "application/json"}
    assert_problem(app.client.post("/api/chat/sessions", content=body, headers=headers), 422)


@pytest.mark.parametrize("language", ["", "xx", "../../etc/passwd", "😀", "' OR 1=1 --"])
def test_unknown_languages_start_in_english(app: RunningApp, language: str) -> None:
    answered = app.client.post("/api/chat/sessions", json={"language": language})
    assert (answered.status_code, answered.json()["language"]) == (201, "en")


@pytest.mark.parametrize(
    "text", ["a" * 4000, "😀" * 4000, "\u202e<script>alert(1)</script>", "{slot}", "/restart"]
)
def test_odd_but_honest_texts_are_taken_as_they_are(chat: Chat, text: str) -> None:
    # As JSON without escapes: 4,000 characters of any kind fit into a request.
    body = json.dumps({"text": text, "client_id": "a"}, ensure_ascii=False).encode()
    headers = chat.headers | {"Content-Type": "application/json"}
    assert chat.client.post("/api/chat/messages", content=body, headers=headers).status_code == 202
    assert chat.history()[0]["text"] == text


def test_too_long(chat: Chat) -> None:
    answered = chat.post({"text": "a" * 4001})
    assert_problem(answered, 422)
    assert answered.json()["type"] == "/problems/message-too-long"
    assert chat.post({"text": "  " + "a" * 4000 + "  "}).status_code == 202


@pytest.mark.parametrize("type_", ["text/plain", "application/x-www-form-urlencoded", "", "application/xml"])
def test_other_content_types(chat: Chat, type_: str) -> None:
    headers = chat.headers | {"Content-Type": type_}
    body = b'{"text": "a", "client_id": "a"}'
    assert_problem(chat.client.post("/api/chat/messages", content=body, headers=headers), 415, 422)


def test_huge_bodies_with_and_without_a_length(chat: Chat) -> None:
    headers = chat.headers | {"Content-Type": "application/json"}
    exact = b'{"text": "a", "client_id": "a"}'.ljust(middleware.MAX_BODY_BYTES)
    assert chat.client.post("/api/chat/messages", content=exact, headers=headers).status_code == 202
    big = exact + b" "
    assert_problem(chat.client.post("/api/chat/messages", content=big, headers=headers), 413)

    def chunks() -> Any:
        yield from [b" " * 8192] * 9

    assert_problem(chat.client.post("/api/chat/messages", content=chunks(), headers=headers), 413)


def test_a_body_that_does_not_end(app: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "BODY_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", httpx.URL(app.url).port or 0), timeout=5) as connection:
        connection.sendall(
            b"POST /api/chat/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 10\r\n\r\n{"
        )
        started = time.monotonic()
        assert b" 408 " in connection.recv(1000)
        assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/chat/sessions", 405),
        ("PUT", "/api/chat/messages", 405),
        ("DELETE", "/api/chat/messages", 405),
        ("POST", "/api/chat/events", 405),
        ("POST", "/", 405),
        ("POST", "/healthz", 405),
        ("TRACE", "/api/chat/messages", 405),
        ("GET", "/actions/webhook", 405),
        ("GET", "/nothing", 404),
        ("GET", "/api", 404),
        ("GET", "/api/chat", 404),
        ("GET", "/demo/../app.py", 404),
        ("GET", "/demo/..%2f..%2fpyproject.toml", 404),
        ("GET", "/demo/%00", 404),
        ("GET", "/demo/" + "x" * 5000, 404),
        ("GET", "/dev/mail/..%2fx", 404),
        ("GET", "/.env", 404),
        ("GET", "/docs", 404),
        ("GET", "/api/demo/products?language=" + "x" * 100, 422),
    ],
)
def test_wrong_addresses_and_methods(app: RunningApp, method: str, path: str, status: int) -> None:
    assert_problem(app.client.request(method, path), status)


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "after=1.5", "after=99999999999999999999", "after=%00", "after="]
)
def test_queries_of_history(chat: Chat, query: str) -> None:
    assert_problem(chat.client.get(f"/api/chat/messages?{query}", headers=chat.headers), 422)


@pytest.mark.parametrize("query", ["wait=maybe", "wait=", "wait=2"])
def test_queries_of_messages(chat: Chat, query: str) -> None:
    body = {"text": "a", "client_id": "a"}
    answered = chat.client.post(f"/api/chat/messages?{query}", json=body, headers=chat.headers)
    assert_problem(answered, 422)


@pytest.mark.parametrize(
    "authorization",
    [b"Bearer \xff\xfe", b"Bearer a b c", b"bearer", b"Bearer " + b"x" * 20_000, b"Basic Og==", b"\xc3\x28"],
)
def test_odd_tokens(app: RunningApp, authorization: bytes) -> None:
    answered = app.client.get("/api/chat/messages", headers={b"Authorization": authorization})
    assert_problem(answered, 401)


def test_the_unforeseen_is_a_plain_500(app: RunningApp, chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("rapport.conversations.service.history", fail)
    answered = chat.client.get(
        "/api/chat/messages", headers=chat.headers | {"Origin": "https://shop.example"}
    )
    assert_problem(answered, 500)
    assert "secret" not in answered.text
    assert answered.headers["Access-Control-Allow-Origin"] == "*"


def test_actions_are_not_for_the_public(app: RunningApp) -> None:
    for headers in ({}, {"X-Rapport-Secret": "wrong"}):
        assert app.client.post("/actions/webhook", json={}, headers=headers).status_code == 401
