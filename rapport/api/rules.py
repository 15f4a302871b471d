"""Pure rules of keys, scopes and of who is meant."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

SCOPES = ("orders", "coupons", "points", "read")
# What no key may speak for: shops have webhooks of their own, and the others are ways to name a customer.
RESERVED_SOURCES = frozenset({"woocommerce", "shopify", "id", "email"})
LONGEST_SOURCE = 40
# Answers are kept for so long; a client that tries again after that is a new request.
ANSWERS_KEPT = timedelta(days=7)
# How exactly the last use of a key is known: a write for every request would cost more than it tells.
LAST_USED_EXACT_TO = timedelta(minutes=10)
REQUESTS_PER_MINUTE = 600
WRONG_KEYS_PER_MINUTE = 30

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_KEY = re.compile(r"(rk_[a-z2-7]{8})_[A-Za-z0-9_-]{43}")
# What an unknown key is compared with, so that it takes as long as a known one.
NO_HASH = "0" * 64


@dataclass(frozen=True)
class CustomerRef:
    """Whom a request means: `system` is `id` (ours), `email`, or the name of a shop's system."""

    system: str
    value: str


def new_prefix() -> str:
    """The readable beginning of a key, such as `rk_x7qk2mfa`."""
    return "rk_" + "".join(secrets.choice(_ALPHABET) for _ in range(8))


def source_of(name: str) -> str:
    """What a key of that name speaks for unless it is said: `Web shop 2` for `web-shop-2`."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:LONGEST_SOURCE]


def prefix_of(key: str) -> str | None:
    """The readable beginning of a key; None when it is none of ours by its looks."""
    found = _KEY.fullmatch(key)
    return found[1] if found else None


def parse_customer(text: str) -> CustomerRef:
    """`id:12`, `email:ann@customer.example` or `shop:c-1042`, which the schema's pattern makes sure of."""
    system, _, value = text.partition(":")
    return CustomerRef(system, value)


def fingerprint(operation: str, body: str) -> str:
    """Tells whether two requests are the same."""
    return hashlib.sha256(f"{operation}\0{body}".encode()).hexdigest()


def write_key(api_key_id: int, idempotency_key: str) -> str:
    """The key under which services note what this request does: short, and other for every caller."""
    return f"api:{api_key_id}:{hashlib.sha256(idempotency_key.encode()).hexdigest()[:40]}"
