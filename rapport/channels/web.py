"""The web chat: sessions, messages, history and the stream of events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Engine
from sse_starlette import EventSourceResponse

from rapport.channels import links, web_input, web_stream
from rapport.channels.base import Channel, MessagingChannel
from rapport.channels.web_schemas import (
    Accepted,
    ButtonRequest,
    History,
    LinkRequest,
    LinkResponse,
    MessageRequest,
    Replies,
    SessionRequest,
    SessionResponse,
    TextRequest,
)
from rapport.conversations import repository, service
from rapport.conversations.engine import ConversationEngine
from rapport.conversations.events import Events, Place
from rapport.conversations.models import Message
from rapport.conversations.rules import PublicMessage
from rapport.customers import verification
from rapport.kit import addresses, clock, problems, tokens
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import ForbiddenError, NotFoundError, UnauthorizedError
from rapport.kit.rates import Rate
from rapport.kit.settings import Settings

T = TypeVar("T")

WAIT_SECONDS = 10.0
# An answer's wake-up can be missed only if it came within microseconds; then it is found at the next look.
LOOK_SECONDS = 1.0
MAX_SEQUENCE = 2**31 - 1

_bearer = HTTPBearer(auto_error=False, description="The `token` of `POST /api/chat/sessions`.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


class WebChannel(Channel):
    """The chat of our own widget and of whoever speaks its API."""

    name = web_input.CHANNEL

    def __init__(
        self,
        settings: Settings,
        database: Engine,
        engine: ConversationEngine,
        events: Events,
        messaging: Mapping[str, MessagingChannel],
    ) -> None:
        self._key = settings.secret_key.get_secret_value()
        self._proxies = addresses.parse_proxies(settings.trusted_proxies)
        self._limited = settings.rate_limits
        self._database = database
        self._engine = engine
        self._events = events
        self._messaging = messaging
        self._sessions_per_address = Rate(20, 60)
        self._messages_per_address = Rate(240, 60)
        self._messages_per_conversation = Rate(30, 60)
        self._links_per_conversation = Rate(10, 60)

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/api/chat", tags=["chat"])
        bad = (401, 413, 422, 429, 503)
        router.add_api_route(
            "/sessions",
            self.start,
            methods=["POST"],
            status_code=201,
            responses=problems.documented(*bad),
            summary="Start a conversation",
        )
        router.add_api_route(
            "/messages",
            self.post,
            methods=["POST"],
            status_code=202,
            response_model=Accepted,
            responses={
                200: {"model": Replies, "description": "With `wait`: the answer."},
                202: {"description": "Stored. With `wait`: a person answers, or no answer came within 10 s."},
                **problems.documented(404, 409, *bad),
            },
            summary="Say something",
        )
        router.add_api_route(
            "/messages",
            self.history,
            methods=["GET"],
            response_model=History,
            responses=problems.documented(401, 422, 503),
            summary="What was said",
        )
        router.add_api_route(
            "/events",
            self.stream,
            methods=["GET"],
            response_class=Response,
            responses={
                200: {"description": web_stream.DESCRIPTION, "content": {"text/event-stream": {}}},
                **problems.documented(401, 422, 429, 503),
            },
            summary="What is being said",
        )
        router.add_api_route(
            "/links",
            self.link,
            methods=["POST"],
            status_code=201,
            responses=problems.documented(403, 404, *bad),
            summary="Go on in a messaging app",
        )
        return router

    async def start(self, request: Request, body: SessionRequest | None = None) -> SessionResponse:
        """Starts a conversation. A logged-in customer's `identity_token` verifies it."""
        self._limit(self._sessions_per_address, self._address(request))
        wanted = body or SessionRequest()
        return await self._in_thread(self._start, wanted, self._client_hash(request))

    async def post(
        self,
        request: Request,
        body: MessageRequest,
        credentials: Credentials,
        wait: Annotated[bool, Query(description="Wait up to 10 s for the answer.")] = False,
    ) -> Response:
        """Stores a message. The same `client_id` again gives the same answer and no second message."""
        self._limit(self._messages_per_address, self._address(request))
        token_hash = self._token_hash(credentials)
        message, created = await self._in_thread(self._store, token_hash, body)
        if message.status == "kept":
            return _accepted(message, "human")
        if wait:
            return await self._answer(message, created)
        self._wake(message, created)
        return _accepted(message, "bot")

    async def history(
        self,
        credentials: Credentials,
        after: Annotated[int, Query(ge=0, le=MAX_SEQUENCE, description="The last id already known.")] = 0,
    ) -> JSONResponse:
        """Up to 500 messages after a given one."""
        return JSONResponse(await self._in_thread(self._history, self._token_hash(credentials), after))

    async def stream(
        self,
        request: Request,
        credentials: Credentials,
        last_event_id: Annotated[
            str, Header(description="The last id already known.", pattern=r"^[0-9]{1,9}$")
        ] = "0",
    ) -> EventSourceResponse:
        """Messages from `Last-Event-ID` on, and then as they come."""
        conversation_id = await self._in_thread(self._conversation_id, self._token_hash(credentials))
        place = Place(conversation_id, self._address(request))
        self._events.check_room(place)
        return web_stream.respond(self._database, self._events, place, after=int(last_event_id))

    async def link(self, request: Request, body: LinkRequest, credentials: Credentials) -> LinkResponse:
        """A link that takes a verified customer to a messaging app as themselves; it is good once."""
        self._limit(self._messages_per_address, self._address(request))
        return await self._in_thread(self._link, self._token_hash(credentials), body.channel)

    # In threads, with a transaction each

    def _start(self, wanted: SessionRequest, client_hash: str | None) -> SessionResponse:
        token = tokens.new_token()
        with session_scope(self._database) as session:
            conversation = service.start(session, self.name, wanted.language, self._hash(token), client_hash)
            if wanted.identity_token is not None:
                verification.verify_with_token(session, conversation, wanted.identity_token)
        return SessionResponse(conversation_id=conversation.id, token=token, language=conversation.language)

    def _store(self, token_hash: str, body: TextRequest | ButtonRequest) -> tuple[Message, bool]:
        with session_scope(self._database) as session:
            conversation = service.by_token_hash(session, token_hash)
            self._limit(self._messages_per_conversation, conversation.id)
            inbound = web_input.to_inbound(session, conversation, body)
            return service.receive(session, conversation, inbound)

    def _history(self, token_hash: str, after: int) -> dict[str, Any]:
        with read_scope(self._database) as session:
            conversation = service.by_token_hash(session, token_hash)
            messages = service.history(session, conversation.id, after, service.PAGE + 1)
            return {
                "messages": messages[: service.PAGE],
                "status": conversation.status,
                "language": conversation.language,
                "more": len(messages) > service.PAGE,
            }

    def _conversation_id(self, token_hash: str) -> str:
        with read_scope(self._database) as session:
            return service.by_token_hash(session, token_hash).id

    def _link(self, token_hash: str, channel_name: str) -> LinkResponse:
        with session_scope(self._database) as session:
            conversation = service.by_token_hash(session, token_hash)
            self._limit(self._links_per_conversation, conversation.id)
            channel = self._messaging.get(channel_name)
            if channel is None:
                raise NotFoundError("There is no such channel here, or it is not switched on.")
            customer_id = verification.current_customer_id(conversation)
            if customer_id is None:
                raise ForbiddenError("Only who has shown who they are gets a link.")
            expires_at = clock.now() + links.LIFE
            token = links.create(session, channel_name, customer_id)
        # It may ask the provider something: nobody else's writing waits for that. A link that nobody gets to
        # see does no harm.
        url = channel.link(token, conversation.language)
        if url is None:
            raise NotFoundError("No link leads into this channel.")
        return LinkResponse(url=url, expires_at=expires_at.isoformat())

    def _look(self, message_id: int) -> tuple[str, list[PublicMessage] | None]:
        with read_scope(self._database) as session:
            return repository.message_status(session, message_id), service.answer_to(session, message_id)

    # In the loop

    def _wake(self, message: Message, created: bool) -> None:
        if created:
            self._engine.wake(message.conversation_id)
            self._events.changed(message.conversation_id)

    async def _answer(self, message: Message, created: bool) -> Response:
        """Waits for the answer to a message; it is listened for before anybody can give it."""
        end = time.monotonic() + WAIT_SECONDS
        with self._events.expect(message.id) as answered:
            self._wake(message, created)
            if created:
                await _at_most(answered, min(LOOK_SECONDS, WAIT_SECONDS))
            while not answered.done():
                status, replies = await self._in_thread(self._look, message.id)
                if replies is not None:
                    return JSONResponse({"replies": replies})
                if status == "kept":
                    return _accepted(message, "human")
                if (left := end - time.monotonic()) <= 0:
                    return _accepted(message, "bot")
                await _at_most(answered, min(LOOK_SECONDS, left))
            given = answered.result()
        if given is not None:
            return JSONResponse({"replies": given})
        return _accepted(message, "bot" if self._events.closed else "human")

    def _token_hash(self, credentials: HTTPAuthorizationCredentials | None) -> str:
        if credentials is None or not credentials.credentials:
            raise UnauthorizedError("Send the session's token as `Authorization: Bearer …`.")
        return self._hash(credentials.credentials)

    def _hash(self, token: str) -> str:
        return token_hash(self._key, token)

    def _address(self, request: Request) -> str:
        return addresses.rate_key(addresses.client_address(request, self._proxies))

    def _client_hash(self, request: Request) -> str | None:
        """None where there is nothing to limit: codes for one client are not limited then."""
        if not self._limited or not addresses.is_public(addresses.client_address(request, self._proxies)):
            return None
        return tokens.keyed_hash(self._key, "client", self._address(request))

    def _limit(self, rate: Rate, key: str) -> None:
        if self._limited:
            rate.check(key)

    @staticmethod
    async def _in_thread(function: Callable[..., T], *arguments: Any) -> T:
        return await to_thread.run_sync(function, *arguments)


def token_hash(key: str, token: str) -> str:
    """What a conversation is found by; the token itself is not stored."""
    return tokens.keyed_hash(key, "chat-token", token)


async def _at_most(future: asyncio.Future[Any], seconds: float) -> None:
    await asyncio.wait([future], timeout=seconds)


def _accepted(message: Message, status: str) -> JSONResponse:
    return JSONResponse({"id": message.sequence, "status": status}, 202)
