"""The `rapport` command. One file per command; this one only puts them together."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from rapport.cli import chat, demo, doctor, imports, log, train, up
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
app.add_typer(imports.app, name="import")
app.add_typer(demo.app, name="demo")


def main() -> None:
    """Entry point; whatever a person can mend is one clear line, not a stack trace."""
    try:
        app()
    except RapportError as error:
        Console(stderr=True).print(f"[red]✗[/red] {error}", highlight=False, soft_wrap=True)
        sys.exit(1)
