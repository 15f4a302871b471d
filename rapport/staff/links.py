"""Signed links that say one thing: whose password may be chosen, or that the first account may be made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jwt

from rapport.kit import clock, tokens
from rapport.kit.errors import UnauthorizedError

WORTHLESS = "This link was used before, or it is too old. Ask for a new one."


def make(secret: str, purpose: str, life: timedelta, **claims: Any) -> str:
    """A token for one purpose that is good for `life`."""
    expires = int((clock.now() + life).timestamp())
    content = {**claims, "purpose": purpose, "exp": expires}
    return jwt.encode(content, _key(secret, purpose), algorithm="HS256")


def read(secret: str, purpose: str, token: str) -> dict[str, Any]:
    """What such a token says. Raises UnauthorizedError for any other, and when it is too old."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            _key(secret, purpose),
            algorithms=["HS256"],
            # By our own clock, below.
            options={"require": ["exp", "purpose"], "verify_exp": False, "verify_aud": False},
        )
    except (jwt.PyJWTError, ValueError):  # ValueError when it is no text that can be encoded
        raise UnauthorizedError(WORTHLESS) from None
    expires = claims["exp"]
    if claims["purpose"] != purpose or not isinstance(expires, int) or expires <= clock.now().timestamp():
        raise UnauthorizedError(WORTHLESS)
    return claims


def _key(secret: str, purpose: str) -> str:
    # A key of its own for each purpose: what one link is signed with opens nothing else.
    return tokens.keyed_hash(secret, "staff link", purpose)
