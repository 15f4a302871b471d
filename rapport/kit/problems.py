"""Errors as JSON problem details (RFC 9457), each with a stable `type`; never a stack trace."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request

from rapport.kit import errors
from rapport.kit.database import DATABASE_AWAY

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TITLES = {
    "invalid-request": (422, "The request cannot be understood."),
    "message-too-long": (422, "The message is too long."),
    "malformed": (400, "The request is not of the form that is taken here."),
    "idempotency-key-missing": (400, "The request needs an Idempotency-Key."),
    "unauthorized": (401, "Who is asking has not been shown."),
    "forbidden": (403, "This is not for you."),
    "not-found": (404, "There is no such thing."),
    "method-not-allowed": (405, "This address does not take that method."),
    "timeout": (408, "The request took too long to arrive."),
    "conflict": (409, "It contradicts what was sent before."),
    "idempotency-key-reused": (422, "This Idempotency-Key stands for another request."),
    "payload-too-large": (413, "The request is too large."),
    "too-many-requests": (429, "Too many requests."),
    "internal-error": (500, "Something went wrong on our side."),
    "unavailable": (503, "A part that is needed for this is away."),
}
SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "examples": ["/problems/invalid-request"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}
# How an error's status is told when nothing more is known of it.
_SLUG_OF = {
    400: "invalid-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    408: "timeout",
    409: "conflict",
    413: "payload-too-large",
    422: "invalid-request",
    429: "too-many-requests",
    503: "unavailable",
}


class MessageTooLongError(errors.InvalidInputError):
    """A message of more characters than we take."""


class PayloadTooLargeError(errors.InvalidInputError):
    """A request of more bytes than we take."""


def problem(
    slug: str,
    detail: str | None = None,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """The response for one kind of problem (a key of `TITLES`); `more` are members of its own."""
    status, title = TITLES[slug]
    content: dict[str, Any] = {"type": f"/problems/{slug}", "title": title, "status": status}
    if detail:
        content["detail"] = detail
    content |= more or {}
    return JSONResponse(content, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These statuses as `responses` of a route, for the OpenAPI document."""
    return {
        status: {"description": TITLES[_SLUG_OF[status]][1], "content": {MEDIA_TYPE: {"schema": SCHEMA}}}
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem."""
    app.add_exception_handler(errors.RapportError, _rapport_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, _http_error)
    for kind in DATABASE_AWAY:
        app.add_exception_handler(kind, _database_away)


def _rapport_error(_request: Request, error: Exception) -> JSONResponse:
    return of_error(error)


def of_error(error: Exception) -> JSONResponse:
    """The problem that one of our errors is."""
    detail = str(error)
    match error:
        case MessageTooLongError():
            return problem("message-too-long", detail)
        case PayloadTooLargeError():
            return problem("payload-too-large", detail)
        case errors.InvalidInputError():
            return problem("invalid-request", detail)
        case errors.UnauthorizedError():
            return problem("unauthorized", detail, {"WWW-Authenticate": "Bearer"})
        case errors.ForbiddenError():
            return problem("forbidden", detail)
        case errors.NotFoundError():
            return problem("not-found", detail)
        case errors.ConflictError():
            return problem("conflict", detail)
        case errors.TooManyRequestsError():
            return problem("too-many-requests", detail, {"Retry-After": str(error.retry_after)})
    log.error("%s: %s", type(error).__name__, detail)
    return problem("internal-error")


def invalid(_request: Request, error: Exception) -> JSONResponse:
    """The problem that a request which does not fit its schema is."""
    assert isinstance(error, RequestValidationError)
    # What was sent is not repeated: it may be huge, or not even text.
    said = [f"{_place(item['loc'])}: {item['msg']}" for item in error.errors()[:3]]
    return problem("invalid-request", "; ".join(said))


def _place(location: tuple[int | str, ...]) -> str:
    # The first part says body or query, the second may be a body's variant; a field's name the sender's own.
    names = [part for part in location[1:] if part not in {"text", "button"}] or [location[-1]]
    return ".".join(str(name)[:60] for name in names).encode("utf-8", "replace").decode()


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return problem("method-not-allowed", headers=_allowed(request) or error.headers)
    slug = _SLUG_OF.get(
        error.status_code, "internal-error" if error.status_code >= 500 else "invalid-request"
    )
    return problem(slug, headers=error.headers)


def _allowed(request: Request) -> dict[str, str]:
    """All methods of an address; the framework names only those of the first route it finds there."""
    operations = request.app.openapi()["paths"].get(request.url.path, {})
    return {"Allow": ", ".join(sorted(method.upper() for method in operations))} if operations else {}


def _database_away(_request: Request, error: Exception) -> JSONResponse:
    # The statement and its parameters stand in the error's text, and with them what people wrote.
    log.error("The database is away: %s", type(error).__name__)
    return problem("unavailable", "The database cannot be reached. Try again.", {"Retry-After": "2"})
