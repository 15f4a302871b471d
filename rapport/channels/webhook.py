"""The addresses providers call: proven first, then stored, then acknowledged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from anyio import to_thread
from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import PlainTextResponse, Response
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from rapport.channels import inbound
from rapport.channels.base import Channel, Event, MessagingChannel, Request
from rapport.conversations.engine import ConversationEngine
from rapport.kit.database import session_scope
from rapport.kit.errors import NotFoundError, UnauthorizedError
from rapport.kit.guesses import Guesses
from rapport.kit.rates import Rate
from rapport.kit.settings import Settings

log = logging.getLogger(__name__)

PATH = "/channels/"


class Webhooks(Channel):
    """`/channels/<name>` for each messaging app that is switched on."""

    name = "webhooks"

    def __init__(
        self,
        settings: Settings,
        database: Engine,
        engine: ConversationEngine,
        channels: Mapping[str, MessagingChannel],
        beside: Mapping[str, Callable[[Request], None]] | None = None,
    ) -> None:
        """`beside`: what else of a channel's requests is to be stored, by channel; it may raise."""
        self._public_url = (settings.public_url or "").rstrip("/")
        self._database = database
        self._engine = engine
        self._channels = channels
        self._beside = beside or {}
        self._limits = {
            name: inbound.Limits(
                per_sender=Rate(*channel.per_sender),
                notices=Rate(1, channel.per_sender[1]),
                tell_new=channel.authenticates,
                on=settings.rate_limits,
            )
            for name, channel in channels.items()
        }
        self._guesses = Guesses(settings)
        # By path, for the body's limit.
        self.max_bodies = {f"{PATH}{name}": channel.max_body for name, channel in channels.items()}

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/channels", include_in_schema=False)
        router.add_api_route("/{name}", self.receive, methods=["POST"])
        router.add_api_route("/{name}", self.shake_hands, methods=["GET"])
        return router

    async def receive(self, name: str, request: HttpRequest) -> Response:
        """Stores what a provider tells; it is acknowledged when the transaction has ended."""
        channel = self._channel(name)
        given = await self._given(request)
        self._check(channel, given, request)
        await to_thread.run_sync(self.take, channel, given)
        body, media_type = channel.acknowledge(given)
        return Response(body, media_type=media_type)

    async def shake_hands(self, name: str, request: HttpRequest) -> Response:
        """Answers a provider that asks whether this address is ours."""
        channel = self._channel(name)
        return shaken_hands(channel.handshake, await self._given(request), request, self._guesses)

    def take(self, channel: MessagingChannel, given: Request) -> None:
        """Store what a request tells; when this returns, it is stored and will be answered.

        Each event in a transaction of its own, in their order: two requests that tell of the same people in
        different orders would wait for each other. If one fails, all come again; what is stored changes
        nothing.
        """
        for event in channel.read(given):
            conversation_id = self._store(channel, event)
            if conversation_id:
                self._engine.wake(conversation_id)
        if channel.name in self._beside:
            self._beside[channel.name](given)

    def _store(self, channel: MessagingChannel, event: Event) -> str | None:
        """Once more if the database gave up on it: two waited for each other, or a connection was lost."""
        try:
            return self._take(channel, event)
        except OperationalError as error:
            log.warning("The database failed (%s). Trying again.", type(error.orig).__name__)
            return self._take(channel, event)

    def _take(self, channel: MessagingChannel, event: Event) -> str | None:
        with session_scope(self._database) as session:
            return inbound.take(session, channel, event, self._limits[channel.name])

    def _channel(self, name: str) -> MessagingChannel:
        channel = self._channels.get(name)
        if channel is None:
            raise NotFoundError("There is no such channel here, or it is not switched on.")
        return channel

    async def _given(self, request: HttpRequest) -> Request:
        url = f"{self._public_url}{request.url.path}" if self._public_url else str(request.url)
        if request.url.query and self._public_url:
            url += f"?{request.url.query}"
        return Request(url, request.headers, await request.body(), dict(request.query_params))

    def _check(self, channel: MessagingChannel, given: Request, request: HttpRequest) -> None:
        try:
            channel.check(given)
        except UnauthorizedError:
            log.warning("A request to %s was not signed by the provider.", channel.name)
            self._guesses.count(request)
            raise


def shaken_hands(
    handshake: Callable[[Request], str | None], given: Request, request: HttpRequest, guesses: Guesses
) -> PlainTextResponse:
    """The answer to somebody who asks whether this address is ours.

    Raises UnauthorizedError for who does not know our words, and NotFoundError where nobody is to ask.
    """
    try:
        answer = handshake(given)
    except UnauthorizedError:
        guesses.count(request)
        raise
    if answer is None:
        raise NotFoundError("There is nothing to read here.")
    return PlainTextResponse(answer)
