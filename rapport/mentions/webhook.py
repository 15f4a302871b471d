"""The addresses that sources call: proven first, then stored, then acknowledged."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from anyio import to_thread
from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response
from sqlalchemy import Engine
from starlette.background import BackgroundTask

from rapport.channels.base import Request
from rapport.channels.webhook import shaken_hands
from rapport.kit import clock, problems
from rapport.kit.errors import InvalidInputError, UnauthorizedError
from rapport.kit.guesses import Guesses
from rapport.kit.settings import Settings
from rapport.mentions import tasks
from rapport.mentions.base import PostedSource, Source

log = logging.getLogger(__name__)

# By source; the signed ones are told of as `mentions`.
PATHS = {"facebook": "/webhooks/facebook", "webhook": "/webhooks/mentions"}
# They go before the limit of all webhooks. Meta sends up to 3 MB at once.
MAX_BODIES = {"/webhooks/facebook": 4 * 1024 * 1024, "/webhooks/mentions": 64 * 1024}


class MentionWebhooks:
    """An address for each source that is switched on and calls us."""

    def __init__(self, settings: Settings, database: Engine, sources: Mapping[str, Source]) -> None:
        self._database = database
        self._sources = sources
        self._guesses = Guesses(settings)

    def router(self) -> APIRouter:
        routes = APIRouter(include_in_schema=False)
        for name, source in self._sources.items():
            if isinstance(source, PostedSource):
                self._add(routes, PATHS[name], source)
        return routes

    def _add(self, routes: APIRouter, path: str, source: PostedSource) -> None:
        @routes.post(path)
        async def receive(request: HttpRequest) -> Response:
            given = await _given(request)
            try:
                source.verify(given, clock.now())
            except UnauthorizedError:
                log.warning("A request of mentions on %s was not signed by its source.", source.name)
                self._guesses.count(request)
                raise
            try:
                await to_thread.run_sync(self.take, source, given)
            except InvalidInputError as error:
                return problems.problem("malformed", str(error))
            sending = BackgroundTask(tasks.send_due, self._database, self._sources)
            return JSONResponse({"status": "received"}, background=sending)

        @routes.get(path)
        async def shake_hands(request: HttpRequest) -> Response:
            return shaken_hands(source.handshake, await _given(request), request, self._guesses)

    def take(self, source: PostedSource, given: Request) -> None:
        """Store what a checked request tells. Raises InvalidInputError."""
        tasks.take(self._database, source, source.read(given))

    def beside_messenger(self, given: Request) -> None:
        """Meta has one address for all of a page: comments come to that of Messenger, if that is on."""
        source = self._sources.get("facebook")
        if isinstance(source, PostedSource):
            self.take(source, given)


async def _given(request: HttpRequest) -> Request:
    return Request(str(request.url), request.headers, await request.body(), dict(request.query_params))
