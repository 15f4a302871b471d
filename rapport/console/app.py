"""The staff console as an app of its own below /console."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from rapport.console import (
    account,
    audit,
    case,
    case_new,
    cases,
    conversation,
    conversations,
    customers,
    home,
    insight,
    journey_edit,
    journeys,
    live,
    login,
    marking,
    mention,
    mentions,
    oidc,
    settings,
    settings_answers,
    settings_offers,
    settings_replies,
    staff,
    stepping,
    teaching,
    training,
    waiting,
    welcome,
)
from rapport.console.desk import Parts, html
from rapport.console.i18n import translations
from rapport.kit import errors, middleware
from rapport.kit.database import DATABASE_AWAY
from rapport.shop.facts import get_facts
from rapport.staff.oidc import make as make_provider

PATH = "/console"
MAX_BODY_BYTES = 512 * 1024
STATIC = Path(__file__).parent / "static"
PAGES = (
    home,
    login,
    welcome,
    oidc,
    account,
    waiting,
    conversations,
    conversation,
    stepping,
    marking,
    customers,
    cases,
    # Before the page that takes any case.
    case_new,
    case,
    mentions,
    mention,
    teaching,
    training,
    insight,
    journey_edit,
    journeys,
    # Before the page that takes any section.
    settings_replies,
    settings_offers,
    settings_answers,
    settings,
    staff,
    audit,
    live,
)
STATUS = {
    errors.InvalidInputError: 422,
    errors.ForbiddenError: 403,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.TooManyRequestsError: 429,
}


def create(parts: Parts) -> FastAPI:
    """The app to mount at `PATH`. Raises ConfigurationError."""
    app = FastAPI(title="Rapport console", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.parts = parts
    app.state.throttle = login.Throttle()
    app.state.oidc = make_provider(parts.settings)
    for page in PAGES:
        app.include_router(page.routes)
    app.mount("/static", StaticFiles(directory=STATIC))
    _answer_errors(app)
    app.add_middleware(middleware.WithoutNul)
    app.add_middleware(middleware.LastResort)
    return app


def _answer_errors(app: FastAPI) -> None:
    """Errors as pages that say what to do next."""
    app.add_exception_handler(errors.UnauthorizedError, _to_login)
    app.add_exception_handler(errors.RapportError, _rapport_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    for kind in DATABASE_AWAY:
        app.add_exception_handler(kind, _database_away)


def _to_login(request: Request, _error: Exception) -> Response:
    if request.method != "GET" or "text/html" not in request.headers.get("accept", ""):
        return _page(request, 401, "")
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"{PATH}/login?next={quote(wanted, safe='/')}", 303)


def _rapport_error(request: Request, error: Exception) -> Response:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    answer = _page(request, status, str(error))
    if isinstance(error, errors.TooManyRequestsError):
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def _invalid(request: Request, _error: Exception) -> Response:
    return _page(request, 422, "")


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _page(request, error.status_code, "")


def _database_away(request: Request, _error: Exception) -> Response:
    return _page(request, 503, "")


def _page(request: Request, status: int, detail: str) -> Response:
    language = getattr(request.state, "language", None) or login.spoken(request)
    said = translations(language).gettext(detail) if detail else ""
    return html("error.html", language, {"status": status, "detail": said, "shop": get_facts()}, status)
