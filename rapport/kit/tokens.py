"""Random tokens and keyed hashes. Nothing secret is stored as it is."""

from __future__ import annotations

import hashlib
import hmac
import secrets


def new_token() -> str:
    """An unguessable URL-safe token of 256 bits."""
    return secrets.token_urlsafe(32)


def new_code() -> str:
    """Six random digits."""
    return f"{secrets.randbelow(1_000_000):06d}"


def keyed_hash(key: str, purpose: str, value: str) -> str:
    """HMAC-SHA256 as hex; `purpose` keeps the hashes of different uses apart."""
    return hmac.new(key.encode(), f"{purpose}\0{value}".encode(), hashlib.sha256).hexdigest()


def same(a: str, b: str) -> bool:
    """Constant-time comparison."""
    return hmac.compare_digest(a.encode(), b.encode())
