"""What happens to every request and answer, as plain ASGI (no buffering of streams, little time)."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Iterable, Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rapport.kit.problems import problem

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024
BODY_SECONDS = 10.0
API_POLICY = "default-src 'none'; frame-ancestors 'none'"


class BodyLimit:
    """Reads a request's body before the app sees it: no more than 64 KiB, and for no longer than 10 s.

    `larger` holds other limits, in bytes, by the beginnings of paths.
    """

    def __init__(
        self, app: ASGIApp, except_paths: Iterable[str] = (), larger: Mapping[str, int] | None = None
    ) -> None:
        self._app = app
        self._except_paths = frozenset(except_paths)
        self._larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A GET has no body to speak of, and its `receive` must stay free to say that the client has gone.
        if (
            scope["type"] != "http"
            or scope["method"] in {"GET", "HEAD"}
            or scope["path"] in self._except_paths
        ):
            await self._app(scope, receive, send)
            return
        limit = next(
            (most for prefix, most in self._larger.items() if scope["path"].startswith(prefix)),
            MAX_BODY_BYTES,
        )
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(receive, limit)
        except TimeoutError:
            await problem("timeout", headers={"Connection": "close"})(scope, receive, send)
            return
        if body is None:
            refusal = problem("payload-too-large", f"At most {limit} bytes.", {"Connection": "close"})
            await refusal(scope, receive, send)
            return
        rest: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return rest.pop() if rest else await receive()

        await self._app(scope, replay, send)


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The whole body; None when it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        if not message.get("more_body", False):
            return bytes(body)


class SecurityHeaders:
    """Headers every answer has; a page may bring a Content-Security-Policy of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
                headers.setdefault("Content-Security-Policy", API_POLICY)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)


class WithoutNul:
    """Takes NUL out of addresses: nobody types one, and PostgreSQL knows none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            query = scope["query_string"].replace(b"%00", b"")
            scope = {**scope, "path": scope["path"].replace("\0", ""), "query_string": query}
        await self._app(scope, receive, send)


class LastResort:
    """Answers 500 to the unforeseen and logs where it was (not what: an error's text may quote people)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if scope["type"] != "http":
                raise
            trace = "".join(traceback.format_tb(error.__traceback__))
            log.error("%s %s: %s\n%s", scope["method"], scope["path"], type(error).__name__, trace)
            if started:
                raise
            await problem("internal-error")(scope, receive, send)


class OnlyUnder:
    """Puts a middleware before some paths only (CORS must not open pages that are not for others)."""

    def __init__(self, app: ASGIApp, inner: ASGIApp, prefixes: tuple[str, ...]) -> None:
        self._app = app
        self._inner = inner
        self._prefixes = prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        within = scope["type"] == "http" and scope["path"].startswith(self._prefixes)
        await (self._inner if within else self._app)(scope, receive, send)
