"""`rapport staff add|list|role|disable|enable|password`: staff accounts, also when nobody can log in."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.orm import Session

from rapport.cli.database import ready_engine
from rapport.handoff import service as handoff
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import InvalidInputError, NotFoundError
from rapport.kit.languages import DEFAULT_LANGUAGE, LANGUAGES
from rapport.kit.settings import get_settings
from rapport.staff import accounts, repository, rules, service
from rapport.staff.models import Staff

console = Console(highlight=False)
app = typer.Typer(help="Accounts of the staff console (docs/console.md).", no_args_is_help=True)

Email = Annotated[str, typer.Argument(help="The address they log in with.", show_default=False)]
Link = Annotated[
    bool,
    typer.Option("--link", help="Do not ask for a password: print a link with which they choose one."),
]


@app.command("add")
def add(
    email: Email,
    name: Annotated[str, typer.Option(help="Their name, as colleagues see it.", show_default=False)],
    role: Annotated[str, typer.Option(help=f"One of {', '.join(rules.ROLES)}.")] = "agent",
    language: Annotated[
        str, typer.Option(help=f"The console's language for them: {', '.join(LANGUAGES)}.")
    ] = DEFAULT_LANGUAGE,
    link: Link = False,
) -> None:
    """Make an account. Asks for the password, or prints a link with which they choose it themselves."""
    email, name, role = rules.checked_email(email), rules.checked_name(name), rules.checked_role(role)
    if language not in LANGUAGES:
        raise InvalidInputError(f"The language is one of {', '.join(LANGUAGES)}.")
    engine = ready_engine()
    password = None if link else _ask(email, name)
    with session_scope(engine) as session:
        staff = service.create(session, email, name, role, password, language)
        service.note(session, None, "create account", "staff", staff.id, role=role)
        made = accounts.invite(session, get_settings(), None, staff, by_mail=False) if link else None
    _say(f"{staff.email} has an account as {staff.role}.", made)


@app.command("list")
def list_accounts() -> None:
    """Show all accounts."""
    table = Table("address", "name", "role", "last login", "state")
    with read_scope(ready_engine()) as session:
        for staff in repository.everybody(session):
            table.add_row(
                escape(staff.email),
                escape(staff.name),
                staff.role,
                f"{staff.last_login_at:%Y-%m-%d %H:%M}" if staff.last_login_at else "never",
                rules.state(staff),
            )
    if table.row_count:
        console.print(table)
    else:
        console.print('No accounts yet. Make one: uv run rapport staff add EMAIL --name "…" --role admin')


@app.command("role")
def role(
    email: Email, role: Annotated[str, typer.Argument(help=f"One of {', '.join(rules.ROLES)}.")]
) -> None:
    """Give somebody another role."""
    with session_scope(ready_engine()) as session:
        accounts.change_role(session, None, _find(session, email).id, role)
    _say(f"{email} is {role} now.")


@app.command("disable")
def disable(email: Email) -> None:
    """Switch an account off: logged out everywhere, no way in, and what they had taken over waits again."""
    engine = ready_engine()
    with session_scope(engine) as session:
        staff_id = accounts.switch_off(session, None, _find(session, email).id).id
    with session_scope(engine) as session:
        handoff.release_all(session, staff_id)
    _say(f"{email} is switched off and logged out everywhere.")


@app.command("enable")
def enable(email: Email) -> None:
    """Switch an account on again."""
    with session_scope(ready_engine()) as session:
        accounts.switch_on(session, None, _find(session, email).id)
    _say(f"{email} may log in again.")


@app.command("password")
def password(email: Email, link: Link = False) -> None:
    """Set a new password, or print a link with which they choose one. Every browser is logged out."""
    engine = ready_engine()
    with read_scope(engine) as session:
        staff = _find(session, email)
        address, name = staff.email, staff.name
    new = None if link else service.hashed(_ask(address, name), address, name)
    made = None
    with session_scope(engine) as session:
        staff = _find(session, email)
        if new is None:
            accounts.log_out_everywhere(session, None, staff.id)
            made = accounts.invite(session, get_settings(), None, staff, by_mail=False)
        else:
            service.set_password(session, staff, new)
            service.note(session, None, "change password", "staff", staff.id)
    _say("The password is changed." if made is None else f"{email} is logged out everywhere.", made)


def _find(session: Session, email: str) -> Staff:
    staff = service.known_as(session, email)
    if staff is None:
        raise NotFoundError(f"{email} has no account. uv run rapport staff list shows all.")
    return staff


def _ask(email: str, name: str) -> str:
    typed: str = typer.prompt("Password (at least 12 characters)", hide_input=True, confirmation_prompt=True)
    return rules.checked_password(typed, email, name)


def _say(text: str, link: str | None = None) -> None:
    console.print(escape(text))
    if link:
        days = rules.INVITATION_LIFE.days
        console.print(f"Hand this link over; it works once and is good for {days} days:")
        print(link)
