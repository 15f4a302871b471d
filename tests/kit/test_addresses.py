"""Whose address counts."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from rapport.kit.addresses import client_address, is_public, is_this_machine, parse_proxies, rate_key
from rapport.kit.errors import ConfigurationError


def request(client: str | None, host: str = "localhost", **headers: str) -> Request:
    raw = [(b"host", host.encode())]
    raw += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "path": "/",
            "query_string": b"",
            "headers": raw,
            "client": (client, 1) if client else None,
            "server": ("127.0.0.1", 8080),
        }
    )


@pytest.mark.parametrize(
    ("proxies", "client", "forwarded", "expected"),
    [
        ("", "203.0.113.1", "198.51.100.1", "203.0.113.1"),
        ("10.0.0.1", "203.0.113.1", "198.51.100.1", "203.0.113.1"),
        ("10.0.0.1", "10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.0/8", "10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.1", "", ""),
        ("10.0.0.1", "10.0.0.1", "nonsense", "nonsense"),
        ("::1", "::1", "2001:db8::1", "2001:db8::1"),
    ],
)
def test_client_address(proxies: str, client: str, forwarded: str, expected: str) -> None:
    asked = request(client, x_forwarded_for=forwarded)
    assert client_address(asked, parse_proxies(proxies)) == expected


def test_odd_ones() -> None:
    assert client_address(request(None), parse_proxies("10.0.0.1")) == "unknown"
    with pytest.raises(ConfigurationError):
        parse_proxies("10.0.0.1, proxy.example")


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("x" * 1000, "x" * 64),
    ],
)
def test_rate_key(address: str, key: str) -> None:
    assert rate_key(address) == key


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", True),
        ("::ffff:8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("fd00::1", False),
        ("unknown", False),
    ],
)
def test_a_public_address(address: str, expected: bool) -> None:
    assert is_public(address) is expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request("127.0.0.1"), True),
        (request("127.0.0.1", "127.0.0.1:8080"), True),
        (request("::1", "[::1]:8080"), True),
        (request("192.168.0.7"), False),
        (request("127.0.0.1", "evil.example"), False),
        (request("127.0.0.1", "evil.example@127.0.0.1"), False),
        (request("127.0.0.1", "[::1"), False),
        (request("127.0.0.1", ""), False),
        (request("127.0.0.1", x_forwarded_for="203.0.113.1"), False),
        (request("127.0.0.1", x_forwarded_proto="https"), False),
        (request("127.0.0.1", x_real_ip="203.0.113.1"), False),
        (request("127.0.0.1", via="1.1 proxy"), False),
        (request(None), False),
    ],
)
def test_this_machine(asked: Request, expected: bool) -> None:
    assert is_this_machine(asked) is expected
