"""Accounts of staff: who there is, inviting somebody, roles, switching off and on, logging out everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from sqlalchemy.orm import Session

from rapport.console.desk import Desk, allowed
from rapport.handoff import service as handoff
from rapport.kit.errors import ConflictError, ForbiddenError, InvalidInputError
from rapport.kit.languages import DEFAULT_LANGUAGE
from rapport.staff import accounts, repository, rules, service
from rapport.staff.models import Staff
from rapport.staff.rules import May

routes = APIRouter()
AdminDesk = Annotated[Desk, Depends(allowed(May.STAFF))]
NEW = {"email": "", "name": "", "role": "agent", "language": DEFAULT_LANGUAGE}


@routes.get("/staff")
def show(desk: AdminDesk) -> Response:
    return _page(desk)


@routes.post("/staff")
def invite(desk: AdminDesk) -> Response:
    """A new account, and a link for its owner: mailed, and shown this once to be handed over."""
    typed = {name: desk.field(name, 400) for name in NEW}
    try:
        with desk.writing() as session:
            made, link = accounts.invite_new(session, desk.parts.settings, desk.staff.id, **typed)
    except (InvalidInputError, ConflictError) as error:
        return _page(desk, 422, problem=desk.gettext(str(error)), typed=typed)
    return _page(desk, invited=made, link=link)


@routes.post("/staff/{staff_id}/invitation")
def invite_again(desk: AdminDesk, staff_id: int) -> Response:
    """A new link to choose a password."""
    try:
        with desk.writing() as session:
            staff = service.get(session, staff_id)
            link = accounts.invite(session, desk.parts.settings, desk.staff.id, staff)
    except ConflictError as error:
        return _page(desk, 409, problem=desk.gettext(str(error)))
    return _page(desk, invited=staff, link=link)


@routes.post("/staff/{staff_id}/role")
def change_role(desk: AdminDesk, staff_id: int) -> Response:
    role = desk.field("role")
    return _do(desk, lambda session: accounts.change_role(session, desk.staff.id, staff_id, role))


@routes.post("/staff/{staff_id}/off")
def switch_off(desk: AdminDesk, staff_id: int) -> Response:
    """What they had taken over waits for a colleague: else nobody answers there, not even the bot."""
    answer = _do(desk, lambda session: accounts.switch_off(session, desk.staff.id, staff_id))
    if answer.status_code < 400:
        # Of its own, as it takes the conversations' locks: the accounts' are let go.
        with desk.writing() as session:
            for conversation_id in handoff.release_all(session, staff_id):
                desk.note(session, "release", "conversation", conversation_id, of=staff_id)
    return answer


@routes.post("/staff/{staff_id}/on")
def switch_on(desk: AdminDesk, staff_id: int) -> Response:
    return _do(desk, lambda session: accounts.switch_on(session, desk.staff.id, staff_id))


@routes.post("/staff/{staff_id}/logout")
def log_out(desk: AdminDesk, staff_id: int) -> Response:
    return _do(desk, lambda session: accounts.log_out_everywhere(session, desk.staff.id, staff_id))


def _do(desk: Desk, change: Callable[[Session], Staff]) -> Response:
    """Makes a change, and says why not where a rule forbids it."""
    try:
        with desk.writing() as session:
            name = change(session).name
    except (InvalidInputError, ForbiddenError, ConflictError) as error:
        status = 403 if isinstance(error, ForbiddenError) else 409
        return _page(desk, status, problem=desk.gettext(str(error)))
    return desk.go("/console/staff", desk.gettext("%(name)s: saved.", name=name))


def _page(
    desk: Desk,
    status: int = 200,
    *,
    problem: str | None = None,
    typed: dict[str, str] | None = None,
    invited: Staff | None = None,
    link: str | None = None,
) -> Response:
    with desk.reading() as session:
        everybody = repository.everybody(session)
        return desk.page(
            "staff.html",
            status,
            everybody=everybody,
            states={staff.id: rules.state(staff) for staff in everybody},
            roles=list(rules.ROLES),
            problem=problem,
            typed=typed or {**NEW, "language": desk.staff.language},
            invited=invited,
            link=link,
            days=rules.INVITATION_LIFE.days,
        )
