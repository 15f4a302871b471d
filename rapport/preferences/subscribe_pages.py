"""Subscribing: a small page, an API for forms on the shop's own pages, and the page that asks for the yes."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import ValidationError
from sqlalchemy import Engine

from rapport.customers.rules import NEWSLETTER
from rapport.kit import languages, problems
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import InvalidInputError
from rapport.kit.format import listed
from rapport.kit.settings import Settings
from rapport.preferences import html, links, rules, subscribing, texts
from rapport.preferences.html import PageRoute, fields_of, language_of, read_form
from rapport.preferences.links import CONFIRM, Link
from rapport.preferences.models import Subscription
from rapport.preferences.schemas import SubscribeRequest, SubscribeResponse
from rapport.preferences.visitors import Visitors
from rapport.shop.facts import get_facts

API_PATH = "/api/subscribe"
PAGE_PATH = "/subscribe"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
DAYS = links.LIFE["confirm"].days
SCHEMA = SubscribeRequest.model_json_schema()
BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": SCHEMA}}}}


def router(settings: Settings, database: Engine, visitors: Visitors) -> APIRouter:
    """The pages and the API."""
    pages = Pages(settings, database, visitors)
    routes = APIRouter()
    routes.add_api_route(
        API_PATH,
        pages.api,
        methods=["POST"],
        status_code=202,
        response_model=SubscribeResponse,
        responses=problems.documented(413, 422, 429, 503),
        openapi_extra=BODY,
        tags=["subscribe"],
        summary="Ask to be subscribed",
    )
    shown = APIRouter(route_class=PageRoute, include_in_schema=False)
    looking = ["GET", "HEAD"]
    shown.add_api_route(PAGE_PATH, pages.form, methods=looking)
    shown.add_api_route(PAGE_PATH, pages.send, methods=["POST"])
    shown.add_api_route(f"{CONFIRM}/{{token}}", pages.question, methods=looking)
    shown.add_api_route(f"{CONFIRM}/{{token}}", pages.confirm, methods=["POST"])
    routes.include_router(shown)
    return routes


class Pages:
    """What the routes do."""

    def __init__(self, settings: Settings, database: Engine, visitors: Visitors) -> None:
        self._settings = settings
        self._database = database
        self._visitors = visitors

    async def api(self, request: Request) -> Response:
        """Mails the question whether it was really they; the answer is the same for every address.

        Takes JSON, or a form as browsers send it, which is answered with a page. Nothing is granted until the
        link in that mail is opened and its button pressed.
        """
        self._visitors.count_asking(request)
        if request.headers.get("content-type", "").startswith(FORMS):
            return await self._from_form(request)
        wanted = _validated(await _json(request))
        language = languages.normalise(wanted.language) or get_facts().language
        await self._visitors.in_thread(self._request, request, wanted, language)
        return JSONResponse({"status": "asked", "text": _asked(language)}, 202)

    async def form(self, request: Request) -> Response:
        """The page to subscribe on."""
        return _form(language_of(request))

    async def send(self, request: Request) -> Response:
        """What somebody sends from it."""
        self._visitors.count_asking(request)
        return await self._from_form(request)

    async def question(self, request: Request, token: str) -> Response:
        """Asks whether it was they: one button. Looking grants nothing."""
        return await self._with(request, token, self._question)

    async def confirm(self, request: Request, token: str) -> Response:
        """It was they."""
        self._visitors.check_same_site(request)
        return await self._with(request, token, self._confirm)

    async def _from_form(self, request: Request) -> Response:
        fields = fields_of(await read_form(request))
        language = language_of(request, languages.normalise(fields.get("language", [""])[-1]))
        email = fields.get("email", [""])[-1]
        given: dict[str, Any] = {"email": email, "website": fields.get("website", [""])[-1]}
        given["purposes"] = fields.get("purposes") or [NEWSLETTER]
        try:
            await self._visitors.in_thread(self._request, request, _validated(given), language)
        except (InvalidInputError, RequestValidationError):
            return _form(language, 422, texts.text("subscribe.wrong_address", language), email)
        return html.plain("subscribe.asked", language, path=PAGE_PATH, role="status", days=DAYS)

    def _request(self, request: Request, wanted: SubscribeRequest, language: str) -> None:
        if wanted.website:
            return
        with session_scope(self._database) as session:
            subscribing.request(
                session,
                wanted.email,
                language,
                source=rules.origin_of(request.headers.get("origin")) or "page",
                client=self._visitors.address(request),
                purposes=wanted.purposes,
                limited=self._visitors.limited,
            )

    async def _with(self, request: Request, token: str, act: Any) -> Response:
        link = links.read(self._settings, token)
        if link is None:
            self._visitors.count_wrong_link(request)
            return _late(language_of(request), 404)
        self._visitors.count_link(link.id)
        language, client = language_of(request, link.language), self._visitors.address(request)
        answer: Response = await self._visitors.in_thread(act, link, language, f"{CONFIRM}/{token}", client)
        return answer

    def _question(self, link: Link, language: str, path: str, _client: str) -> Response:
        with read_scope(self._database) as session:
            asked = subscribing.find(session, link)
            if asked is None:
                return _late(language, 410)
            if asked.address is None:
                return self._welcome(asked.customer_id, language, path)
            return html.page(
                "confirm.html",
                language,
                texts.text("subscribe.confirm_title", language),
                path=path,
                address=rules.masked(asked.address),
                ask=_ask(asked, language),
            )

    def _confirm(self, link: Link, language: str, path: str, client: str) -> Response:
        with session_scope(self._database) as session:
            result, customer_id = subscribing.confirm(session, link, client)
        return _late(language, 410) if result == "gone" else self._welcome(customer_id, language, path)

    def _welcome(self, customer_id: int | None, language: str, path: str) -> HTMLResponse:
        token = links.make(self._settings, "preferences", customer_id or 0, language)
        return html.plain(
            "subscribe.confirmed",
            language,
            path=path,
            role="status",
            link=f"{links.PREFERENCES}/{token}",
            link_text=texts.text("subscribe.choose", language),
        )


async def _json(request: Request) -> object:
    try:
        return await request.json()
    except (ValueError, RecursionError):
        return None


def _validated(given: object) -> SubscribeRequest:
    """Raises RequestValidationError."""
    try:
        return SubscribeRequest.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError(
            [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        ) from None


def _form(language: str, status: int = 200, problem: str = "", email: str = "") -> HTMLResponse:
    title = texts.text("subscribe.title", language, shop=get_facts().name)
    return html.page("subscribe.html", language, title, status, PAGE_PATH, problem=problem, email=email[:320])


def _late(language: str, status: int) -> HTMLResponse:
    again = {"link": PAGE_PATH, "link_text": texts.text("subscribe.button", language)}
    return html.plain("subscribe.late", language, status, days=DAYS, **again)


def _asked(language: str) -> str:
    return texts.text("subscribe.asked", language, days=DAYS)


def _ask(asked: Subscription, language: str) -> str:
    """What they agree to with the button, in so many words."""
    what = listed([texts.purpose(name, language) for name in asked.purposes], language)
    return texts.text("agreed.subscribe_ask", language, shop=get_facts().name, what=what)
