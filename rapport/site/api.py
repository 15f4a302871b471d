"""What the small script on the shop's pages (web/site.js) sends: only for people who agreed to that."""

from __future__ import annotations

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.channels import web
from rapport.conversations import repository as conversations
from rapport.customers import verification
from rapport.kit import addresses, clock, languages, problems, tokens
from rapport.kit.database import session_scope
from rapport.kit.rates import Rate
from rapport.kit.settings import Settings
from rapport.site import service
from rapport.site.schemas import EventsRequest, ForgetRequest

PATH = "/api/site/"
MAX_BODY_BYTES = 32 * 1024
# So many requests in so many seconds.
PER_ADDRESS = (120, 60)
PER_VISITOR = (60, 60)


class SiteEvents:
    """Takes events and forgets them again; the answer never tells what is known of anybody."""

    def __init__(self, settings: Settings, database: Engine) -> None:
        self._key = settings.secret_key.get_secret_value()
        self._proxies = addresses.parse_proxies(settings.trusted_proxies)
        self._limited = settings.rate_limits
        self._database = database
        self._per_address = Rate(*PER_ADDRESS)
        self._per_visitor = Rate(*PER_VISITOR)

    def router(self) -> APIRouter:
        router = APIRouter(prefix=PATH.rstrip("/"), tags=["site"])
        for path, endpoint, statuses, summary in (
            ("/events", self.events, (401, 409, 413, 422, 429, 503), "Tell what was done on the site"),
            ("/forget", self.forget, (413, 422, 429, 503), "Have it forgotten"),
        ):
            router.add_api_route(
                path,
                endpoint,
                methods=["POST"],
                status_code=202,
                response_class=Response,
                responses={202: {"description": "Taken.", "content": {}}, **problems.documented(*statuses)},
                summary=summary,
            )
        return router

    async def events(self, request: Request, body: EventsRequest) -> Response:
        """Keeps what a visitor did; the same again changes nothing. 409: they are a customer's, who does not
        show here that it is they; begin with a new id.
        """
        self._limit(request, body.visitor)
        page = service.Page(
            origin=request.headers.get("origin"),
            language=languages.normalise(body.language),
            client=self._address(request),
            limited=self._limited,
        )
        await to_thread.run_sync(self._keep, body, page)
        return Response(status_code=202)

    async def forget(self, request: Request, body: ForgetRequest) -> Response:
        """Drops all that a visitor did. What somebody asked to be told of stays: that is another consent."""
        self._limit(request, body.visitor)
        await to_thread.run_sync(self._forget, body.visitor)
        return Response(status_code=202)

    def _keep(self, body: EventsRequest, page: service.Page) -> None:
        with session_scope(self._database) as session:
            customer_id = self._who(session, body)
            service.receive(session, self._hash(body.visitor), customer_id, body.events, page, clock.now())

    def _forget(self, visitor: str) -> None:
        with session_scope(self._database) as session:
            service.forget(session, self._hash(visitor), clock.now())

    def _who(self, session: Session, body: EventsRequest) -> int | None:
        """Who has shown that it is they: at the host site, or in the chat; None: nobody."""
        if body.identity_token is not None:
            return verification.customer_of_token(session, body.identity_token)
        if body.chat_token is None:
            return None
        conversation = conversations.by_token_hash(session, web.token_hash(self._key, body.chat_token))
        return verification.current_customer_id(conversation) if conversation is not None else None

    def _hash(self, visitor: str) -> str:
        return tokens.keyed_hash(self._key, "site-visitor", visitor)

    def _limit(self, request: Request, visitor: str) -> None:
        if self._limited:
            self._per_address.check(self._address(request))
            self._per_visitor.check(visitor)

    def _address(self, request: Request) -> str:
        return addresses.rate_key(addresses.client_address(request, self._proxies))
