"""The route Rasa calls: its guard, its errors, its limits."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI
from rasa_sdk.interfaces import ActionExecutionRejection

from actions import server
from tests.actions.conftest import Chat

SECRET = {"X-Rapport-Secret": "test-bot-secret-0123456789-0123456789"}
URL = "/actions/webhook"


class Client:
    """Posts to the route as Rasa does."""

    def post(self, url: str, **request: Any) -> httpx.Response:
        return asyncio.run(self._post(url, request))

    async def _post(self, url: str, request: dict[str, Any]) -> httpx.Response:
        app = FastAPI()
        app.include_router(server.router)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return await client.post(url, **request)


@pytest.fixture
def client() -> Client:
    return Client()


def test_rasa_gets_an_answer(client: Client, chat: Chat) -> None:
    answer = client.post(URL, json=chat.call("action_default_fallback"), headers=SECRET)
    assert answer.status_code == 200
    assert answer.json()["events"] == []
    [response] = answer.json()["responses"]
    assert response["response"] == "utter_fallback"


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
def test_compressed_calls_are_read(client: Client, chat: Chat, pack: Any) -> None:
    body = pack(json.dumps(chat.call("action_default_fallback")).encode())
    encoding = "gzip" if pack is gzip.compress else "deflate"
    answer = client.post(URL, content=body, headers={**SECRET, "Content-Encoding": encoding})
    assert answer.status_code == 200


@pytest.mark.parametrize("headers", [{}, {"X-Rapport-Secret": ""}, {"X-Rapport-Secret": "wrong"}])
def test_nobody_else_may_call(client: Client, chat: Chat, headers: dict[str, str]) -> None:
    answer = client.post(URL, json=chat.call("action_default_fallback"), headers=headers)
    assert answer.status_code == 401
    assert "action_name" not in answer.json()


def test_an_unknown_action_is_named(client: Client, chat: Chat) -> None:
    answer = client.post(URL, json=chat.call("action_fly"), headers=SECRET)
    assert (answer.status_code, answer.json()["action_name"]) == (404, "action_fly")


def test_a_rejected_action_is_named(client: Client, chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    async def reject(dispatcher: Any, tracker: Any, domain: Any) -> None:
        raise ActionExecutionRejection("action_reject", "not now")

    monkeypatch.setitem(server.executor.actions, "action_reject", reject)
    answer = client.post(URL, json=chat.call("action_reject"), headers=SECRET)
    assert (answer.status_code, answer.json()) == (400, {"error": "not now", "action_name": "action_reject"})


def test_a_crash_is_named_and_tells_nothing(
    client: Client, chat: Chat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    said = "my password is " + "12345"

    async def crash(dispatcher: Any, tracker: Any, domain: Any) -> None:
        raise RuntimeError(said)

    monkeypatch.setitem(server.executor.actions, "action_crash", crash)
    with caplog.at_level(logging.INFO):
        answer = client.post(URL, json=chat.call("action_crash"), headers=SECRET)
    assert (answer.status_code, answer.json()["action_name"]) == (500, "action_crash")
    assert said not in answer.text + caplog.text
    assert "RuntimeError" in caplog.text


def test_an_unknown_conversation_is_a_failed_action(client: Client, chat: Chat) -> None:
    call = chat.call("action_track_order")
    call["tracker"]["sender_id"] = "0" * 32
    answer = client.post(URL, json=call, headers=SECRET)
    assert (answer.status_code, answer.json()["action_name"]) == (500, "action_track_order")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"[]",
        b"null",
        b'"x"',
        b"{}",
        b'{"next_action": ""}',
        b'{"next_action": 7, "tracker": {}}',
        b'{"next_action": "action_track_order", "tracker": {}}',
        b'{"next_action": "action_track_order", "tracker": {"sender_id": 7}}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_nonsense_is_refused(client: Client, body: bytes) -> None:
    answer = client.post(URL, content=body, headers=SECRET)
    assert answer.status_code == 422
    assert "action_name" not in answer.json()


def test_nonsense_that_claims_to_be_compressed_is_refused(client: Client) -> None:
    answer = client.post(URL, content=b"{}", headers={**SECRET, "Content-Encoding": "gzip"})
    assert answer.status_code == 422


def test_a_huge_body_is_refused(client: Client) -> None:
    body = b" " * (server.MAX_BODY_BYTES + 1)
    assert client.post(URL, content=body, headers=SECRET).status_code == 413
    packed = {**SECRET, "Content-Encoding": "gzip"}
    assert client.post(URL, content=gzip.compress(body), headers=packed).status_code == 413


def test_the_domain_and_the_code_know_the_same_actions() -> None:
    domain = yaml.safe_load((Path(__file__).parents[2] / "domain.yml").read_text("utf-8"))
    named = {name if isinstance(name, str) else next(iter(name)) for name in domain["actions"]}
    named = {name for name in named if name.startswith(("action_", "validate_"))}
    assert named == set(server.executor.actions)
