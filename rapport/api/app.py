"""The shop API as an app of its own below /api/shop/v1, with its own document and page."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy import Engine

from rapport.api import answers, coupons, customers, docs, orders, points
from rapport.api.access import Access
from rapport.kit import middleware, problems
from rapport.kit.errors import ConflictError
from rapport.kit.settings import Settings

PATH = "/api/shop/v1"
VERSION = "1.0"
# An order of five hundred lines, with room.
MAX_BODY_BYTES = 512 * 1024
DESCRIPTION = """\
For the shop's own programs: tell Rapport what happens to orders, check and redeem the codes it issued, and
move points. Every write needs an `Idempotency-Key`: sent again with the same request it changes nothing and
gets the same answer. Money is in minor units (øre, cents), points are whole numbers, times have an offset.
Errors are problem details (RFC 9457)."""


def create(settings: Settings, database: Engine) -> FastAPI:
    """The app to mount at `PATH`."""
    app = FastAPI(
        title="Rapport shop API",
        version=VERSION,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
    )
    app.state.access = Access(settings, database)
    problems.install(app)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ConflictError, _conflict)
    for part in (orders, coupons, points, customers):
        app.include_router(part.routes)
    app.include_router(docs.router(app))
    # The outer app's own would come too late: a mounted app answers its errors itself.
    app.add_middleware(middleware.LastResort)
    return app


def _conflict(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ConflictError)
    return answers.of_error(error)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    for item in error.errors():
        if item["type"] == "missing" and item["loc"][-1] == "Idempotency-Key":
            return problems.problem("idempotency-key-missing", "Send one with every write, such as a UUID.")
    return problems.invalid(request, error)
