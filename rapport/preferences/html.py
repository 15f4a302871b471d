"""How the pages behind our links are made: no script, nothing from elsewhere, in the reader's language."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from fastapi.routing import APIRoute
from jinja2 import Environment
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from rapport.kit import errors, languages, templates
from rapport.kit.database import DATABASE_AWAY
from rapport.kit.format import day
from rapport.preferences import texts
from rapport.shop.facts import get_facts

log = logging.getLogger(__name__)

TEMPLATES = Path(__file__).parent / "templates"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
MOST_FIELDS = 1000


def page(
    template: str, language: str, title: str, status: int = 200, path: str = "", **values: Any
) -> HTMLResponse:
    """A page. `path`: its own address, where it is in other languages; without it there is no choice."""
    text = _environment(language).get_template(template)
    body = text.render(title=title, path=path, shop=get_facts(), **values)
    headers = {"Content-Security-Policy": POLICY, "X-Robots-Tag": "noindex", "Vary": "Accept-Language"}
    return HTMLResponse(body, status, headers=headers)


def plain(
    name: str, language: str, status: int = 200, path: str = "", role: str = "", **values: Any
) -> HTMLResponse:
    """A page of one sentence: the texts `name` and `name`_title."""
    return page(
        "plain.html",
        language,
        texts.text(f"{name}_title", language, **values),
        status,
        path,
        text=texts.text(name, language, **values),
        role=role,
        link=values.get("link"),
        link_text=values.get("link_text"),
    )


def language_of(request: Request, otherwise: str | None = None) -> str:
    """The language a page is asked for: named in the address, or the link's, or the browser's, or the
    shop's.
    """
    named = languages.normalise(request.query_params.get("lang"))
    browser = request.headers.get("accept-language", "").split(",")[0].split(";")[0]
    return named or otherwise or languages.normalise(browser) or get_facts().language


async def read_form(request: Request) -> FormData:
    """The fields of a form; none when it cannot be read."""
    try:
        return await request.form(max_files=0, max_fields=MOST_FIELDS)
    except HTTPException:
        return FormData()


def fields_of(form: FormData) -> dict[str, list[str]]:
    """All values of each field, without what no database takes."""
    read: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            read.setdefault(name, []).append(value.replace("\0", ""))
    return read


class PageRoute(APIRoute):
    """Answers errors as pages that say what to do next."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def kindly(request: Request) -> Response:
            try:
                return await handle(request)
            except errors.TooManyRequestsError as error:
                answer = _trouble(request, "many", 429)
                answer.headers["Retry-After"] = str(error.retry_after)
                return answer
            except errors.ForbiddenError:
                return _trouble(request, "refused", 403)
            except DATABASE_AWAY as error:
                log.error("The database is away: %s", type(error).__name__)
                return _trouble(request, "away", 503)

        return kindly


def _trouble(request: Request, what: str, status: int) -> HTMLResponse:
    language = language_of(request)
    said = texts.text(f"trouble.{what}", language, email=get_facts().contact.email)
    title = texts.text("trouble.title", language)
    return page("plain.html", language, title, status, text=said, role="alert", link=None, link_text=None)


@cache
def _environment(language: str) -> Environment:
    made = templates.environment(TEMPLATES)
    made.globals.update(
        t=partial(texts.text, language=language),
        language=language,
        language_names=languages.NAMES,
    )
    made.filters.update(upper_first=_upper_first, day=partial(_day, language=language))
    return made


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _day(at: datetime, language: str) -> str:
    return day(at, language, get_facts().timezone)
