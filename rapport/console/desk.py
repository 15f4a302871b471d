"""A request by a member of staff: who they are, what they may do, and the ways to answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import quote, unquote, urlsplit

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.datastructures import FormData, UploadFile

from rapport.console import templating
from rapport.console.i18n import translations
from rapport.console.navigation import ENTRIES
from rapport.conversations.engine import ConversationEngine
from rapport.conversations.events import Events
from rapport.kit import tokens
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import ForbiddenError, InvalidInputError, NotFoundError, UnauthorizedError
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import Settings
from rapport.mentions.base import Source
from rapport.shop.facts import get_facts
from rapport.staff import rules, service
from rapport.staff.models import Staff
from rapport.staff.rules import May

COOKIE = "rapport_staff"
SAID_COOKIE = "rapport_said"
REFUSED = "!"  # before what was said, which never begins so itself: it is quoted
MOST_FIELDS = 500
# No row has a higher number; databases stumble over some that are.
HIGHEST_ID = 2**31 - 1
# Days that others can be counted from, in every time zone.
YEARS = range(2000, 2200)
LONGEST_FIELD = 20_000
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Parts:
    """What pages need of the app. `sources` are those of mentions."""

    settings: Settings
    database: Engine
    engine: ConversationEngine
    events: Events
    sources: Mapping[str, Source] = field(default_factory=dict)


@dataclass(frozen=True)
class Desk:
    """One request. `staff` is detached: read it, change it through a session."""

    request: Request
    parts: Parts
    staff: Staff
    csrf: str
    form: FormData

    def may(self, what: May) -> bool:
        """Whether they may do that."""
        return rules.may(self.staff.role, what)

    def sees_person(self, mine: bool = False) -> bool:
        """Whether personal data are shown to them as they are; `mine`: it is in their own hands."""
        return rules.sees_person(self.staff.role, mine)

    def check(self, what: May) -> None:
        """Raises ForbiddenError."""
        if not self.may(what):
            raise ForbiddenError(self.gettext("Your role does not allow that."))

    def reading(self) -> AbstractContextManager[Session]:
        """A session for reading only."""
        return read_scope(self.parts.database)

    def writing(self) -> AbstractContextManager[Session]:
        """A session that commits when the block ends."""
        return session_scope(self.parts.database)

    def note(
        self, session: Session, action: str, subject: str, subject_id: object, **details: object
    ) -> None:
        """Keeps in the audit log that they looked at or changed this."""
        service.note(session, self.staff.id, action, subject, subject_id, **details)

    def gettext(self, message: str, **values: object) -> str:
        """A text in their language, with its `%(name)s` filled in."""
        text = translations(self.staff.language).gettext(message)
        return text % values if values else text

    def ngettext(self, one: str, many: str, count: int, **values: object) -> str:
        """A text about `%(num)s` things in their language."""
        text = translations(self.staff.language).ngettext(one, many, count)
        return text % {"num": count, **values}

    def field(self, name: str, longest: int = 1000) -> str:
        """A field of the form, trimmed, with line breaks as \\n; "" without it. Raises InvalidInputError."""
        value = self.form.get(name, "")
        if isinstance(value, UploadFile) or len(value) > longest:
            raise InvalidInputError(
                self.gettext("%(field)s: at most %(longest)s characters.", field=name, longest=longest)
            )
        return value.replace("\r\n", "\n").replace("\0", "").strip()

    def fields(self, name: str) -> list[str]:
        """All values of a field that may come several times."""
        return [value for value in self.form.getlist(name) if isinstance(value, str)]

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A whole page."""
        cookie = self.request.cookies.get(SAID_COOKIE, "")
        answer = html(
            template,
            self.staff.language,
            {
                "desk": self,
                "staff": self.staff,
                "csrf": self.csrf,
                "menu": [entry for entry in ENTRIES if self.may(entry.permission)],
                "path": self.request.url.path,
                "said": unquote(cookie.removeprefix(REFUSED)),
                "refused": cookie.startswith(REFUSED),
                "shop": get_facts(),
                "May": May,
                **values,
            },
            status,
        )
        if cookie:
            answer.delete_cookie(SAID_COOKIE, path="/console")
        return answer

    def go(self, path: str, said: str | None = None, refused: bool = False) -> Response:
        """To another page of the console, which shows what was `said`: done, or why it was `refused`."""
        answer = RedirectResponse(path, 303)
        if said:
            value = (REFUSED if refused else "") + quote(said)
            answer.set_cookie(
                SAID_COOKIE, value, max_age=60, path="/console", httponly=True, samesite="strict"
            )
        return answer


def number(text: str | None) -> int | None:
    """What a row may have as its number; None for all else that somebody sends."""
    if not text or not (text.isascii() and text.isdigit()) or len(text) > len(str(HIGHEST_ID)):
        return None
    return int(text) if int(text) <= HIGHEST_ID else None


def html(template: str, language: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """A rendered template with the console's Content-Security-Policy."""
    common = {"languages": LANGUAGES, "language": language}
    text = templating.render(template, language, {**common, **values})
    return HTMLResponse(text, status, headers={"Content-Security-Policy": POLICY})


def next_path(wanted: str | None) -> str:
    """Where to go after logging in: a page of the console, never another site."""
    parts = urlsplit(wanted or "")
    inside = parts.path.startswith("/console/") and not parts.scheme and not parts.netloc
    if not inside or "\\" in parts.path or parts.path.startswith("/console/login"):
        return "/console/"
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def csrf_token(secret: str, token: str) -> str:
    """What each form of a login carries."""
    return tokens.keyed_hash(secret, "csrf", token)


def check_same_site(request: Request, settings: Settings) -> None:
    """Raises ForbiddenError when a browser sends this from another site's page."""
    origin = request.headers.get("origin")
    ours = {request.headers.get("host"), urlsplit(settings.public_url or "").netloc} - {"", None}
    other_site = request.headers.get("sec-fetch-site") not in {None, "same-origin", "none"}
    if other_site or (origin is not None and urlsplit(origin).netloc not in ours):
        raise ForbiddenError("This came from another site.")


async def read_form(request: Request) -> FormData:
    """The fields of a form that was sent; none of another request."""
    if request.method != "POST":
        return FormData()
    return await request.form(max_files=0, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD * 4)


Form = Annotated[FormData, Depends(read_form)]


def signed_in(request: Request, form: Form) -> Desk:
    """A dependency: somebody who is logged in. Raises UnauthorizedError, ForbiddenError without the token
    that their own pages carry, and NotFoundError for an address with a number that nothing can have.
    """
    parts: Parts = request.app.state.parts
    secret = parts.settings.secret_key.get_secret_value()
    token = request.cookies.get(COOKIE)
    if not token:
        raise UnauthorizedError("You are not logged in.")
    with read_scope(parts.database) as session:
        staff, tell = service.logged_in(session, secret, token)
        session.expunge_all()
    # For what goes wrong from here on.
    request.state.language = staff.language
    csrf = csrf_token(secret, token)
    if request.method != "GET":
        check_same_site(request, parts.settings)
        shown = request.headers.get("x-csrf-token") or form.get("csrf") or ""
        if not isinstance(shown, str) or not tokens.same(shown, csrf):
            raise ForbiddenError("The form is too old. Load the page again.")
    if tell:
        with session_scope(parts.database) as session:
            service.seen(session, secret, token)
    _check_numbers(request)
    return Desk(request, parts, staff, csrf, form)


def _check_numbers(request: Request) -> None:
    """Raises NotFoundError when an id in the address is beyond what a column of the database takes."""
    for name, value in request.path_params.items():
        # A conversation's is a text, which may happen to have digits only.
        if name.endswith("_id") and name != "conversation_id" and _is_beyond(str(value)):
            raise NotFoundError("There is no such page.")


def _is_beyond(number: str) -> bool:
    # All that is read as a whole number.
    digits = number.strip().lstrip("+-").replace("_", "").partition(".")[0].lstrip("0")
    return digits.isdecimal() and (len(digits) > len(str(HIGHEST_ID)) or int(digits) > HIGHEST_ID)


@dataclass(frozen=True)
class Allowed:
    """A dependency: somebody who is logged in and may do that. A test asks routes for `permission`."""

    permission: May

    def __call__(self, desk: Annotated[Desk, Depends(signed_in)]) -> Desk:
        desk.check(self.permission)
        return desk


def allowed(permission: May) -> Callable[..., Desk]:
    """The dependency of a route that only those may use who may do that."""
    return Allowed(permission)
