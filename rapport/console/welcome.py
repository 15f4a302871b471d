"""Ways in for those who have no password: the first account, an invitation, a password that was forgotten."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from rapport.console import login
from rapport.console.desk import Form, Parts, check_same_site, html
from rapport.console.i18n import translations
from rapport.kit import languages
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import InvalidInputError, TooManyRequestsError, UnauthorizedError
from rapport.shop.facts import get_facts
from rapport.staff import accounts, rules, service

LONGEST_TOKEN = 2000

routes = APIRouter()


@routes.get("/welcome")
def first(request: Request, token: str = "") -> Response:
    """The form for the first account."""
    parts: Parts = request.app.state.parts
    try:
        with read_scope(parts.database) as session:
            accounts.check_welcome(session, parts.settings, token[:LONGEST_TOKEN])
    except UnauthorizedError as error:
        return _worthless(request, error)
    return _page(request, "welcome.html", token=token, email="", name="", chosen=login.spoken(request))


@routes.post("/welcome")
def make_first(request: Request, sent: Form) -> Response:
    parts: Parts = request.app.state.parts
    check_same_site(request, parts.settings)
    fields = {name: str(sent.get(name, ""))[:400] for name in ("email", "name", "password", "language")}
    token = str(sent.get("token", ""))[:LONGEST_TOKEN]
    try:
        with session_scope(parts.database) as session:
            staff = accounts.create_first(session, parts.settings, token, **fields)
            return login.let_in(request, session, staff, "/console/")
    except UnauthorizedError as error:
        return _worthless(request, error)
    except InvalidInputError as error:
        return _page(
            request,
            "welcome.html",
            422,
            problem=str(error),
            token=token,
            email=fields["email"],
            name=fields["name"],
            chosen=fields["language"],
        )


@routes.get("/password")
def choose(request: Request, token: str = "") -> Response:
    """The form to choose a password, for who has a link."""
    parts: Parts = request.app.state.parts
    try:
        with read_scope(parts.database) as session:
            staff = accounts.check_link(session, parts.settings, token[:LONGEST_TOKEN])
            session.expunge_all()
    except UnauthorizedError as error:
        return _worthless(request, error)
    return _page(
        request,
        "password.html",
        language=staff.language,
        token=token,
        email=staff.email,
        name=staff.name,
        chosen=staff.language,
        is_new=staff.password_hash is None,
    )


@routes.post("/password")
def take(request: Request, sent: Form) -> Response:
    """Keeps the password and logs its owner in."""
    parts: Parts = request.app.state.parts
    check_same_site(request, parts.settings)
    token = str(sent.get("token", ""))[:LONGEST_TOKEN]
    name, password, wanted = (str(sent.get(field, ""))[:400] for field in ("name", "password", "language"))
    try:
        with read_scope(parts.database) as session:
            staff = accounts.check_link(session, parts.settings, token)
            session.expunge_all()
    except UnauthorizedError as error:
        return _worthless(request, error)
    try:
        name = rules.checked_name(name)
        # Worked out while no transaction is open, as it takes its time.
        new = service.hashed(password, staff.email, name)
        with session_scope(parts.database) as session:
            staff = accounts.accept(session, parts.settings, token, new, name, wanted)
            return login.let_in(request, session, staff, "/console/")
    except UnauthorizedError as error:
        return _worthless(request, error)
    except InvalidInputError as error:
        return _page(
            request,
            "password.html",
            422,
            language=staff.language,
            problem=str(error),
            token=token,
            email=staff.email,
            name=name,
            chosen=languages.normalise(wanted) or staff.language,
            is_new=staff.password_hash is None,
        )


@routes.get("/forgot")
def ask(request: Request) -> Response:
    return _page(request, "forgot.html", sent_to=None)


@routes.post("/forgot")
def mail(request: Request, sent: Form) -> Response:
    """Mails a link if the address has an account; says the same whether it has."""
    parts: Parts = request.app.state.parts
    check_same_site(request, parts.settings)
    email = str(sent.get("email", ""))[:320]
    throttle: login.Throttle = request.app.state.throttle
    try:
        throttle.check_link(parts, request, email)
    except TooManyRequestsError as error:
        answer = _page(request, "forgot.html", 429, sent_to=None, minutes=(error.retry_after + 59) // 60)
        answer.headers["Retry-After"] = str(error.retry_after)
        return answer
    with session_scope(parts.database) as session:
        accounts.forgot(session, parts.settings, email)
    return _page(request, "forgot.html", sent_to=email)


def _worthless(request: Request, error: UnauthorizedError) -> Response:
    return _page(request, "link.html", 401, problem=str(error))


def _page(
    request: Request,
    template: str,
    status: int = 200,
    *,
    language: str | None = None,
    problem: str | None = None,
    **values: object,
) -> Response:
    language = language or login.spoken(request)
    said = translations(language).gettext(problem) if problem else None
    return html(template, language, {"shop": get_facts(), "problem": said, "minutes": 0, **values}, status)
