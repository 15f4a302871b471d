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
from rapport.console.i18n import translations
from rapport.kit import addresses, languages, tokens
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import TooManyRequestsError, UnauthorizedError
from rapport.kit.rates import Rate
from rapport.shop.facts import get_facts
from rapport.staff import repository, rules, service
from rapport.staff.models import Staff
from rapport.staff.oidc import Provider

KNOWN_BROWSER_COOKIE = "rapport_browser"
KNOWN_BROWSER_SECONDS = 180 * 24 * 3600
TRIES_PER_ACCOUNT = 10
TRIES_PER_ADDRESS = 50
PERIOD_SECONDS = 15 * 60
LINKS_PER_ACCOUNT = 3
LINKS_PER_ADDRESS = 10
LINKS_PERIOD_SECONDS = 3600
# Of the way to the OpenID provider and back, each of which may wait for it.
PROVIDER_PER_ADDRESS = 100

routes = APIRouter()


class Throttle:
    """How often a password may be tried, and a link asked for: for one account, and from one network address.

    A browser in which somebody has logged in before has tries of its own, so that nobody who guesses at an
    account keeps its owner out.
    """

    def __init__(self) -> None:
        self._per_account = Rate(TRIES_PER_ACCOUNT, PERIOD_SECONDS)
        self._per_address = Rate(TRIES_PER_ADDRESS, PERIOD_SECONDS)
        self._links_per_account = Rate(LINKS_PER_ACCOUNT, LINKS_PERIOD_SECONDS)
        self._links_per_address = Rate(LINKS_PER_ADDRESS, LINKS_PERIOD_SECONDS)
        self._provider_per_address = Rate(PROVIDER_PER_ADDRESS, PERIOD_SECONDS)

    def check(self, parts: Parts, request: Request, email: str) -> None:
        """Counts one try of a password. Raises TooManyRequestsError."""
        self._per_address.check(_network(parts, request))
        secret = parts.settings.secret_key.get_secret_value()
        browser = known_browser(request, secret, email)
        self._per_account.check(browser or _account_key(secret, email))

    def check_link(self, parts: Parts, request: Request, email: str) -> None:
        """Counts one wish for a link by mail. Raises TooManyRequestsError."""
        self._links_per_address.check(_network(parts, request))
        self._links_per_account.check(_account_key(parts.settings.secret_key.get_secret_value(), email))

    def check_provider(self, parts: Parts, request: Request) -> None:
        """Counts one question to the OpenID provider. Raises TooManyRequestsError."""
        self._provider_per_address.check(_network(parts, request))


@routes.get("/login")
def ask(request: Request, next: str = "") -> Response:  # noqa: A002 - the name in the address
    return form(request, wanted=next)


@routes.post("/login")
def log_in(request: Request, sent: Form) -> Response:
    parts: Parts = request.app.state.parts
    check_same_site(request, parts.settings)
    email, password, wanted = (str(sent.get(name, ""))[:400] for name in ("email", "password", "next"))
    try:
        known = prove(request, email, password)
        with session_scope(parts.database) as session:
            staff = service.unchanged(session, known, password)
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


def prove(request: Request, email: str, password: str) -> Staff:
    """Whose address and password these are, as they were just now (`service.unchanged` looks again); what is
    wrong is kept in the audit log. Raises UnauthorizedError and TooManyRequestsError.
    """
    parts: Parts = request.app.state.parts
    throttle: Throttle = request.app.state.throttle
    throttle.check(parts, request, email)
    with read_scope(parts.database) as session:
        known = service.known_as(session, email)
        session.expunge_all()
    try:
        # No transaction is open: on SQLite nobody else could write while the hash is worked out.
        return service.verify(known, password)
    except UnauthorizedError:
        with session_scope(parts.database) as session:
            service.note(session, None, "refuse log in", "staff", known.id if known else None)
        raise


def let_in(request: Request, session: Session, staff: Staff, wanted: str) -> Response:
    """Logs somebody in who has shown who they are: a new cookie, whatever the browser had before."""
    parts: Parts = request.app.state.parts
    secret = parts.settings.secret_key.get_secret_value()
    if before := request.cookies.get(COOKIE):
        service.log_out(session, secret, before)
    token = service.log_in(session, secret, staff)
    answer = RedirectResponse(next_path(wanted), 303)
    secure = is_secure(request, parts)
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(rules.LONGEST_SESSION.total_seconds()),
        path="/console",
        secure=secure,
        httponly=True,
        samesite="lax",
    )
    answer.set_cookie(
        KNOWN_BROWSER_COOKIE,
        _mark_browser(secret, staff.email),
        max_age=KNOWN_BROWSER_SECONDS,
        path="/console",
        secure=secure,
        httponly=True,
        samesite="strict",
    )
    return answer


def known_browser(request: Request, secret: str, email: str) -> str | None:
    """A name for the browser if this account was logged in there before."""
    name, _, proof = request.cookies.get(KNOWN_BROWSER_COOKIE, "").partition(".")
    return name if name and tokens.same(proof, _browser_proof(secret, name, email)) else None


def _mark_browser(secret: str, email: str) -> str:
    name = tokens.new_token()
    return f"{name}.{_browser_proof(secret, name, email)}"


def _browser_proof(secret: str, name: str, email: str) -> str:
    return tokens.keyed_hash(secret, "known browser", f"{name}\0{email.strip().lower()}")


def _account_key(secret: str, email: str) -> str:
    return tokens.keyed_hash(secret, "login", email.strip().lower())


def _network(parts: Parts, request: Request) -> str:
    proxies = addresses.parse_proxies(parts.settings.trusted_proxies)
    return addresses.rate_key(addresses.client_address(request, proxies))


def is_secure(request: Request, parts: Parts) -> bool:
    """Whether browsers reach the console by https, perhaps through a proxy."""
    return request.url.scheme == "https" or (parts.settings.public_url or "").startswith("https:")


def spoken(request: Request) -> str:
    """The language of ours that a browser asks for, before we know whose it is."""
    tags = [part.split(";")[0] for part in request.headers.get("accept-language", "").split(",")]
    return next((ours for tag in tags if (ours := languages.normalise(tag))), languages.DEFAULT_LANGUAGE)


def form(
    request: Request,
    wanted: str = "",
    email: str = "",
    problem: str | None = None,
    status: int = 200,
    retry_after: int = 0,
) -> Response:
    """The page that asks for address and password."""
    parts: Parts = request.app.state.parts
    provider: Provider | None = request.app.state.oidc
    language = spoken(request)
    with read_scope(parts.database) as session:
        nobody = repository.count(session) == 0
    values = {
        "shop": get_facts(),
        "next": wanted,
        "email": email,
        "problem": translations(language).gettext(problem) if problem else None,
        "retry_after": retry_after,
        "provider": provider.label if provider else None,
        "nobody": nobody,
    }
    answer = html("login.html", language, values, status)
    if retry_after:
        answer.headers["Retry-After"] = str(retry_after)
    return answer
