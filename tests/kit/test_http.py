"""Limits on a request's head, at a real server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from rapport.kit import http
from tests.running import until

BODY = 300_000


async def echo_size(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


@pytest.fixture
def port() -> Iterator[int]:
    config = uvicorn.Config(
        echo_size, port=0, http=http.LimitedHead, lifespan="off", log_config=None, timeout_keep_alive=60
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(10)


def ask(port: int, *parts: bytes) -> bytes:
    """What comes back until the server closes the connection."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as connection:
        answer = b""
        try:
            for part in parts:
                connection.sendall(part)
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionError:  # closed while there was more to send
            pass
        return answer


def test_an_endless_head_is_cut_off(port: int) -> None:
    answer = ask(port, b"GET / HTTP/1.1\r\nHost: x\r\nX: ", *[b"a" * 100_000] * 50)
    assert b"200 OK" not in answer


def test_a_large_head_is_refused(port: int) -> None:
    answer = ask(port, b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"a" * (http.MAX_HEAD_BYTES + 1))
    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("beginning", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_slow_head_is_not_waited_for(port: int, beginning: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.1)
    assert ask(port, beginning) == b""


def test_a_slow_second_head_is_not_waited_for_either(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.1)
    answer = ask(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTT")
    assert answer.count(b"200 OK") == 1


def test_bodies_and_further_requests_are_not_heads(port: int) -> None:
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY}\r\n".encode()
    one = head + b"\r\n" + b"a" * BODY
    last = head + b"Connection: close\r\n\r\n" + b"a" * BODY
    answer = ask(port, one, one, last)
    assert answer.count(b"200 OK") == 3
    assert answer.count(str(BODY).encode()) == 3
