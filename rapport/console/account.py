"""One's own account: language, password."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from rapport.console import login
from rapport.console.desk import Desk, signed_in
from rapport.console.i18n import mark
from rapport.kit import languages
from rapport.kit.errors import InvalidInputError, UnauthorizedError
from rapport.staff import rules, service

routes = APIRouter()
MyDesk = Annotated[Desk, Depends(signed_in)]


@routes.get("/account")
def show(desk: MyDesk) -> Response:
    return _page(desk)


@routes.post("/account")
def change(desk: MyDesk) -> Response:
    """Name and language."""
    language = languages.normalise(desk.field("language"))
    if language is None:
        raise InvalidInputError(desk.gettext("That is none of the languages spoken here."))
    try:
        name = rules.checked_name(desk.field("name", 400))
    except InvalidInputError as error:
        return _page(desk, str(error), name=desk.field("name", 400), chosen=language)
    with desk.writing() as session:
        staff = service.get(session, desk.staff.id)
        staff.name, staff.language = name, language
        desk.note(session, "change account", "staff", staff.id)
    return desk.go("/console/account", desk.gettext("Saved."))


@routes.post("/account/password")
def change_password(request: Request, desk: MyDesk) -> Response:
    """A new password; all other browsers are logged out."""
    try:
        known = login.prove(request, desk.staff.email, desk.field("current"))
        new = service.hashed(desk.field("password"), desk.staff.email, desk.staff.name)
        with desk.writing() as session:
            staff = service.unchanged(session, known, desk.field("current"))
            service.set_password(session, staff, new)
            desk.note(session, "change password", "staff", staff.id)
            return login.let_in(request, session, staff, "/console/account")
    except UnauthorizedError:
        return _page(desk, mark("The current password is wrong."))
    except InvalidInputError as error:
        return _page(desk, str(error))


def _page(desk: Desk, problem: str | None = None, *, name: str | None = None, chosen: str = "") -> Response:
    """With what was typed, where there is a problem."""
    return desk.page(
        "account.html",
        422 if problem else 200,
        problem=desk.gettext(problem) if problem else None,
        name=desk.staff.name if name is None else name,
        chosen=chosen or desk.staff.language,
    )
