"""Logging in and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from rapport.console.desk import (
    COOKIE,
    Desk,
    Form,
    Parts,
    check_same_site,
    html,
    next_path,
    signed_in,
)
from rapport.kit import addresses, languages, tokens
from rapport.kit.database import session_scope
from rapport.kit.errors import TooManyRequestsError, UnauthorizedError
from rapport.kit.rates import Rate
from rapport.shop.facts import get_facts
from rapport.staff import rules, service
from rapport.staff.models import Staff

TRIES_PER_ACCOUNT = 10
TRIES_PER_ADDRESS = 50
PERIOD_SECONDS = 15 * 60

routes = APIRouter()


class Throttle:
    """How often a password may be tried: for one account, and from one network address."""

    def __init__(self) -> None:
        self._per_account = Rate(TRIES_PER_ACCOUNT, PERIOD_SECONDS)
        self._per_address = Rate(TRIES_PER_ADDRESS, PERIOD_SECONDS)

    def check(self, parts: Parts, request: Request, email: str) -> None:
        """Counts one try. Raises TooManyRequestsError."""
        proxies = addresses.parse_proxies(parts.settings.trusted_proxies)
        self._per_address.check(addresses.rate_key(addresses.client_address(request, proxies)))
        secret = parts.settings.secret_key.get_secret_value()
        self._per_account.check(tokens.keyed_hash(secret, "login", email.strip().lower()))


@routes.get("/login")
def ask(request: Request, next: str = "") -> Response:  # noqa: A002 - the name in the address
    return form(request, wanted=next)


@routes.post("/login")
def log_in(request: Request, sent: Form) -> Response:
    parts: Parts = request.app.state.parts
    check_same_site(request, parts.settings)
    email, password, wanted = (str(sent.get(name, ""))[:400] for name in ("email", "password", "next"))
    try:
        throttle: Throttle = request.app.state.throttle
        throttle.check(parts, request, email)
        with session_scope(parts.database) as session:
            staff = service.check_password(session, email, password)
            return let_in(request, session, staff, wanted)
    except TooManyRequestsError as error:
        return form(request, wanted, email, problem="throttled", status=429, retry_after=error.retry_after)
    except UnauthorizedError:
        return form(request, wanted, email, problem="wrong", status=401)


@routes.post("/logout")
def log_out(request: Request, desk: Annotated[Desk, Depends(signed_in)]) -> Response:
    with desk.writing() as session:
        secret = desk.parts.settings.secret_key.get_secret_value()
        service.log_out(session, secret, request.cookies[COOKIE])
        desk.note(session, "log out", "staff", desk.staff.id)
    answer = RedirectResponse("/console/login", 303)
    answer.delete_cookie(COOKIE, path="/console")
    return answer


def let_in(request: Request, session: Session, staff: Staff, wanted: str) -> Response:
    """Logs somebody in who has shown who they are: a new cookie, whatever the browser had before."""
    parts: Parts = request.app.state.parts
    secret = parts.settings.secret_key.get_secret_value()
    if before := request.cookies.get(COOKIE):
        service.log_out(session, secret, before)
    token = service.log_in(session, secret, staff)
    answer = RedirectResponse(next_path(wanted), 303)
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(rules.LONGEST_SESSION.total_seconds()),
        path="/console",
        secure=is_secure(request, parts),
        httponly=True,
        samesite="lax",
    )
    return answer


def is_secure(request: Request, parts: Parts) -> bool:
    """Whether browsers reach the console by https, perhaps through a proxy."""
    return request.url.scheme == "https" or (parts.settings.public_url or "").startswith("https:")


def form(
    request: Request,
    wanted: str = "",
    email: str = "",
    problem: str | None = None,
    status: int = 200,
    retry_after: int = 0,
) -> Response:
    """The page that asks for address and password."""
    spoken = [part.split(";")[0] for part in request.headers.get("accept-language", "").split(",")]
    language = next((ours for tag in spoken if (ours := languages.normalise(tag))), "en")
    values = {
        "shop": get_facts(),
        "next": wanted,
        "email": email,
        "problem": problem,
        "retry_after": retry_after,
    }
    answer = html("login.html", language, values, status)
    if retry_after:
        answer.headers["Retry-After"] = str(retry_after)
    return answer
