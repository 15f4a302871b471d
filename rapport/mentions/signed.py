"""Mentions that any other service brings (a watch on reviews, a forum, the shop's own script): signed JSON.

The header `Rapport-Signature: t=1767225600,v1=<hex>` is HMAC-SHA256 over `<t>.<body>` with
RAPPORT_MENTIONS_SECRET; `t` is the time of sending in seconds since 1970. docs/mentions.md shows how.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from rapport.channels.base import Request
from rapport.kit import tokens
from rapport.kit.errors import InvalidInputError, UnauthorizedError
from rapport.kit.settings import Settings
from rapport.mentions import rules
from rapport.mentions.base import Event, PostedSource, Removed, Said

HEADER = "rapport-signature"
# Who keeps a request for later cannot send it again; clocks differ by less than this.
WINDOW = timedelta(minutes=5)
_SIGNATURE = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")


class Body(BaseModel):
    """One mention, as it is sent. `event` says what happened to it; `at` when it was written, or changed."""

    model_config = ConfigDict(extra="forbid", strict=False)

    id: Annotated[str, Field(min_length=1, max_length=200)]
    event: Literal["created", "edited", "removed"] = "created"
    at: AwareDatetime
    text: Annotated[str, Field(max_length=rules.LONGEST_TEXT)] = ""
    author: Annotated[str, Field(max_length=200)] = ""
    author_id: Annotated[str, Field(max_length=200)] = ""
    url: Annotated[str, Field(max_length=500)] | None = None
    language: Annotated[str, Field(max_length=35)] | None = None


class SignedSource(PostedSource):
    """Whoever knows the secret. Nothing can be answered there from here."""

    name: ClassVar[str] = "webhook"
    public: ClassVar[bool] = False
    private: ClassVar[bool] = False

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def verify(self, request: Request, now: datetime) -> None:
        given = _SIGNATURE.fullmatch(request.headers.get(HEADER, ""))
        if given is None or not tokens.same(given[2], sign(self._secret, int(given[1]), request.body)):
            raise UnauthorizedError("The signature in Rapport-Signature is not that of this body.")
        if abs(now.timestamp() - int(given[1])) > WINDOW.total_seconds():
            raise UnauthorizedError("The signature is too old, or your clock is wrong.")

    def read(self, request: Request) -> Sequence[Event]:
        try:
            body = Body.model_validate_json(request.body)
        except ValidationError as error:
            said = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:3]]
            raise InvalidInputError("; ".join(said)) from None
        try:
            at = body.at.astimezone(UTC)
        except OverflowError:
            raise InvalidInputError("at: there is no such time") from None
        if body.event == "removed":
            return [Removed(_plain(body.id), at)]
        if not body.text.strip():
            raise InvalidInputError("text: there is none")
        return [
            Said(
                source_id=_plain(body.id),
                author=_plain(body.author),
                author_id=_plain(body.author_id),
                text=_plain(body.text),
                at=at,
                url=body.url,
                language=body.language,
                changed_at=at if body.event == "edited" else None,
            )
        ]

    def check(self) -> str:
        return "signed calls are taken"


def make(settings: Settings) -> SignedSource | None:
    """The source, if there is a secret."""
    secret = settings.mentions_secret.get_secret_value() if settings.mentions_secret else ""
    return SignedSource(secret) if secret else None


def sign(secret: bytes, at: int, body: bytes) -> str:
    """The signature over a body sent at that time (seconds since 1970), as hex."""
    return hmac.new(secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def _plain(words: str) -> str:
    """Without what a database does not take."""
    return words.replace("\0", "").encode("utf-8", "replace").decode()
