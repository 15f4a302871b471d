"""Where a request comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.requests import HTTPConnection

from rapport.kit.errors import ConfigurationError

Network = IPv4Network | IPv6Network
UNKNOWN = "unknown"
# One household or server has a whole /64 to itself.
IPV6_PREFIX = 64
# One of these, or any X-Forwarded-…, says that a proxy stands in between.
PROXY_HEADERS = frozenset({"forwarded", "via", "x-real-ip", "cf-connecting-ip", "true-client-ip"})
THIS_MACHINE = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)


def parse_proxies(setting: str) -> list[Network]:
    """The networks of a comma-separated list of addresses; raises ConfigurationError."""
    try:
        return [ip_network(part.strip(), strict=False) for part in setting.split(",") if part.strip()]
    except ValueError as error:
        raise ConfigurationError(f"RAPPORT_TRUSTED_PROXIES: {error}") from None


def client_address(connection: HTTPConnection, trusted: Iterable[Network]) -> str:
    """The address of the client, past the proxies we trust; `unknown` if it has none.

    X-Forwarded-For is read from the right, as each proxy appends whom it saw: the first address that is no
    trusted proxy is the client's. What stands before it may be made up.
    """
    address = connection.client.host if connection.client else UNKNOWN
    networks = list(trusted)
    if not networks:
        return address
    hops = [
        hop.strip() for value in connection.headers.getlist("x-forwarded-for") for hop in value.split(",")
    ]
    while hops and _is_in(address, networks):
        address = hops.pop()
    return address


def rate_key(address: str) -> str:
    """The part of an address that one client cannot change at will."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, IPV6_PREFIX), strict=False))


def is_public(address: str) -> bool:
    """Whether an address is one of the internet's; a private one is a proxy's, or that of a whole office."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return (mapped or parsed).is_global


def is_this_machine(connection: HTTPConnection) -> bool:
    """Whether a browser on this very machine asks, by a name that means this machine and through no proxy."""
    address = connection.client.host if connection.client else UNKNOWN
    if not _is_in(address, [ip_network("127.0.0.0/8"), ip_network("::1/128")]):
        return False
    if any(name in PROXY_HEADERS or name.startswith("x-forwarded-") for name in connection.headers):
        return False
    # A page of another site whose name was pointed at 127.0.0.1 sends that name. The header itself is looked
    # at: a missing or odd one would make `connection.url` name this server.
    return THIS_MACHINE.fullmatch(connection.headers.get("host", "")) is not None


def _is_in(address: str, networks: Iterable[Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in networks)
