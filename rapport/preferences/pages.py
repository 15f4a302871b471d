"""The pages behind the links in our messages: choices at /p/…, unsubscribing at /u/….

Looking changes nothing: mail programs open links to see where they lead. The token is the only key: there is
no cookie, so another site's page has nothing to send this with.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.customers import contact
from rapport.customers import repository as customers
from rapport.customers.models import Customer
from rapport.customers.rules import MOST_PER_MONTH, PURPOSES
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import InvalidInputError
from rapport.kit.settings import Settings
from rapport.preferences import html, links, rules, service, texts
from rapport.preferences.html import PageRoute, fields_of, language_of, read_form
from rapport.preferences.links import PREFERENCES, UNSUBSCRIBE, Link
from rapport.preferences.rules import Fields
from rapport.preferences.service import Done
from rapport.preferences.visitors import Visitors

LINK_PATH = "/preferences/link"
# What opens the page of choices.
OF_CHOICES: frozenset[links.Kind] = frozenset({"preferences", "chat"})
TO_LEAVE: frozenset[links.Kind] = frozenset({"unsubscribe"})
ONE_CLICK = ("List-Unsubscribe", "One-Click")


def router(settings: Settings, database: Engine, visitors: Visitors, apps: Collection[str] = ()) -> APIRouter:
    """The pages. `apps`: the messaging apps that are switched on."""
    pages = Pages(settings, database, visitors, apps)
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    looking = ["GET", "HEAD"]
    for path, look, act in (
        (PREFERENCES, pages.choices, pages.choose),
        (UNSUBSCRIBE, pages.leaving, pages.leave),
    ):
        routes.add_api_route(f"{path}/{{token}}", look, methods=looking)
        routes.add_api_route(f"{path}/{{token}}", act, methods=["POST"])
    routes.add_api_route(LINK_PATH, pages.lost, methods=looking)
    routes.add_api_route(LINK_PATH, pages.send_link, methods=["POST"])
    routes.add_api_route("/preferences.css", _style, methods=looking)
    return routes


class Pages:
    """What the routes do."""

    def __init__(
        self, settings: Settings, database: Engine, visitors: Visitors, apps: Collection[str]
    ) -> None:
        self._settings = settings
        self._database = database
        self._visitors = visitors
        self._apps = apps

    async def choices(self, request: Request, token: str) -> Response:
        """The page of choices."""
        return await self._with(request, token, OF_CHOICES, self._show, write=False)

    async def choose(self, request: Request, token: str) -> Response:
        """What somebody sends from it."""
        self._visitors.check_same_site(request)
        fields = fields_of(await read_form(request))

        def act(session: Session, customer: Customer, link: Link, language: str) -> Response:
            done = _act(session, customer, link, fields, language)
            return self._show(session, customer, link, language, done or [("nothing", {})])

        return await self._with(request, token, OF_CHOICES, act, write=True)

    async def leaving(self, request: Request, token: str) -> Response:
        """A page with one button."""
        return await self._with(request, token, TO_LEAVE, self._show_leaving, write=False)

    async def leave(self, request: Request, token: str) -> Response:
        """Unsubscribes at once: by that button, or by the one of a mail program (RFC 8058), which shows no
        page and follows no redirect.
        """
        name, value = ONE_CLICK
        # Some send the body without saying what it is.
        body = await request.body()
        pressed = f"{name}={value}".encode() in body or value in fields_of(await read_form(request)).get(
            name, ()
        )

        def act(session: Session, customer: Customer, link: Link, language: str) -> Response:
            if pressed:
                service.leave(session, customer.id, link)
            return self._show_leaving(session, customer, link, language)

        return await self._with(request, token, TO_LEAVE, act, write=True)

    async def lost(self, request: Request) -> Response:
        """For who has no link that works."""
        return _lost(language_of(request))

    async def send_link(self, request: Request) -> Response:
        """Mails a fresh link: to the address of whom an old one stands for, or to one that is typed."""
        self._visitors.check_same_site(request)
        self._visitors.count_asking(request)
        fields = fields_of(await read_form(request))
        token, typed = (fields.get(name, [""])[-1] for name in ("token", "email"))
        link = links.read(self._settings, token)
        language = language_of(request, link.language if link else None)
        return await self._visitors.in_thread(self._send_link, link, typed, language)

    def _send_link(self, link: Link | None, typed: str, language: str) -> Response:
        with session_scope(self._database) as session:
            try:
                if link is not None and link.kind != "confirm":
                    service.send_fresh_link(session, link)
                else:
                    service.send_link_to(session, typed, language)
            except InvalidInputError:
                wrong = texts.text("lost.wrong_address", language)
                return _lost(language, status=422, problem=wrong, email=typed)
        return html.plain("lost.sent", language, path=LINK_PATH, role="status")

    async def _with(
        self,
        request: Request,
        token: str,
        kinds: Collection[links.Kind],
        act: Callable[[Session, Customer, Link, str], Response],
        write: bool,
    ) -> Response:
        """Do it for whom the token stands for; a link that does not work leads to a page that helps."""
        link = links.read(self._settings, token)
        if link is None or link.kind not in kinds:
            self._visitors.count_wrong_link(request)
            return _lost(language_of(request), status=404)
        language = language_of(request, link.language)
        if link.expires_at <= clock.now():
            return _lost(language, token, status=410)
        if write:
            self._visitors.count_link(link.id)
        scope = session_scope if write else read_scope

        def work() -> Response:
            with scope(self._database) as session:
                customer = service.customer_of(session, link)
                return (
                    _lost(language, status=404)
                    if customer is None
                    else act(session, customer, link, language)
                )

        return await self._visitors.in_thread(work)

    def _show(
        self, session: Session, customer: Customer, link: Link, language: str, done: list[Done] | None = None
    ) -> HTMLResponse:
        return html.page(
            "choices.html",
            language,
            texts.text("choices.title", language),
            path=f"{PREFERENCES}/{self._again(link)}",
            page=service.page(session, customer, language, self._apps),
            told=service.told(session, customer.id, language),
            done=done,
            purposes=PURPOSES,
            often=rules.OFTEN,
            most=MOST_PER_MONTH,
            pauses=rules.PAUSES,
        )

    def _show_leaving(self, session: Session, customer: Customer, link: Link, language: str) -> HTMLResponse:
        policy = customers.policy_of(session, customer.id)
        gone = policy is not None and policy.left_at is not None
        left = gone and not contact.is_subscribed(session, customer.id)
        fresh = link.made_at + links.LIFE["preferences"] > clock.now()
        token = self._again(link)
        choices = links.make(self._settings, "preferences", link.subject_id, language, link.made_at)
        return html.page(
            "leave.html",
            language,
            texts.text("leave.done_title" if left else "leave.title", language),
            path=f"{UNSUBSCRIBE}/{token}",
            left=left,
            address=service.masked_address(session, customer.id),
            # An old link still leaves, but shows nobody's wishes any more.
            choices=f"{PREFERENCES}/{choices}" if fresh else None,
            token=token,
        )

    def _again(self, link: Link) -> str:
        """The link's own token."""
        return links.make(self._settings, link.kind, link.subject_id, link.language, link.made_at)


def _act(session: Session, customer: Customer, link: Link, fields: Fields, language: str) -> list[Done]:
    match fields.get("do", [""])[-1]:
        case "save":
            before, now = rules.read(fields, "was_"), rules.read(fields)
            return service.save(session, customer, before, now, link, language)
        case "pause":
            months = fields.get("months", [""])[-1]
            known = {str(number): number for number in rules.PAUSES}
            return service.pause(session, customer.id, known[months], language) if months in known else []
        case "resume":
            return service.resume(session, customer.id)
        case "goodbye":
            return service.say_goodbye(session, customer.id, link)
    return []


def _lost(language: str, token: str = "", status: int = 200, **values: Any) -> HTMLResponse:
    """A page for who has no link that works; `token`: an old one of ours."""
    title = texts.text("lost.expired_title" if token else "lost.unknown_title", language)
    values = {"problem": "", "email": "", **values}
    return html.page("lost.html", language, title, status, LINK_PATH, token=token, **values)


async def _style() -> Response:
    headers = {"Cache-Control": "public, max-age=300"}
    return FileResponse(html.TEMPLATES / "pages.css", media_type="text/css", headers=headers)
