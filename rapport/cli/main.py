"""Puts the commands together."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from sqlalchemy.exc import DatabaseError

from rapport.cli import (
    api_keys,
    channel,
    chat,
    customers,
    doctor,
    imports,
    jobs,
    journeys,
    log,
    loyalty,
    nlu,
    offers,
    staff,
    train,
    up,
    value,
    webhooks,
    worker,
)
from rapport.edits import source as edits
from rapport.kit.database import DATABASE_AWAY, get_engine
from rapport.kit.errors import RapportError

app = typer.Typer(
    name="rapport",
    help="Rapport: a conversational assistant for relationship marketing. Start with `rapport up`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(up.command)
app.command("chat")(chat.command)
app.command("train")(train.command)
app.command("doctor")(doctor.command)
app.command("log")(log.command)
app.command("import")(imports.command)
app.command("value")(value.command)
app.command("worker")(worker.command)
app.add_typer(nlu.app, name="nlu")
app.add_typer(jobs.app, name="jobs")
app.add_typer(journeys.app, name="journeys")
app.add_typer(api_keys.app, name="api-key")
app.add_typer(channel.app, name="channel")
app.add_typer(customers.app, name="customers")
app.add_typer(loyalty.app, name="loyalty")
app.add_typer(offers.app, name="offers")
app.add_typer(staff.app, name="staff")
app.add_typer(webhooks.app, name="webhooks")


def main() -> None:
    """Entry point; whatever a person can mend is one clear line, not a stack trace."""
    edits.follow(get_engine)
    try:
        app()
    except RapportError as error:
        _say(str(error))
    except DATABASE_AWAY as error:
        _say(f"The database does not answer: {getattr(error, 'orig', error)}")
    except DatabaseError as error:
        if type(error) is not DatabaseError:  # the others are mistakes of ours
            raise
        _say(f"The database cannot be read: {error.orig}")


def _say(text: str) -> NoReturn:
    Console(stderr=True).print(f"[red]✗[/red] {escape(text)}", highlight=False, soft_wrap=True)
    sys.exit(1)
