"""`rapport api-key create|list|revoke`: keys for the shop's own programs."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rapport.api import service
from rapport.api.rules import SCOPES
from rapport.cli.database import ready_engine
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import InvalidInputError
from rapport.kit.settings import get_settings

console = Console(highlight=False)
app = typer.Typer(help="Keys for the shop's own programs (docs/shop-api.md).", no_args_is_help=True)

LONGEST_NAME = 60


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for, e.g. webshop.", show_default=False)],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope", "-s", help=f"What it may do: {', '.join(SCOPES)}. Repeatable. Default: everything."
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="The system whose orders it tells of: numbers and customer ids are its own. Use the name you"
            " imported them under. Default: the key's name.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make a key. It is shown this once; only a hash of it is kept."""
    if not name.isprintable() or not 0 < len(name.strip()) <= LONGEST_NAME:
        raise InvalidInputError(f"The name needs 1 to {LONGEST_NAME} letters.")
    engine = ready_engine()
    with session_scope(engine) as session:
        key = service.create_key(
            session, get_settings().secret_key.get_secret_value(), name.strip(), scope or SCOPES, source
        )
    print(key)
    Console(stderr=True, highlight=False).print("Keep it safe: it is not shown again.")


@app.command("list")
def list_keys() -> None:
    """Show the keys there are, and when each was last used."""
    table = Table("name", "begins with", "may", "speaks for", "made", "last used", "revoked")
    with read_scope(ready_engine()) as session:
        for key in service.keys(session):
            table.add_row(
                escape(key.name),
                key.prefix,
                ", ".join(key.scopes),
                key.source,
                f"{key.created_at:%Y-%m-%d}",
                f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never",
                f"{key.revoked_at:%Y-%m-%d}" if key.revoked_at else "",
            )
    if table.row_count:
        console.print(table)
    else:
        console.print("No keys yet. Make one: uv run rapport api-key create webshop")


@app.command("revoke")
def revoke(name: Annotated[str, typer.Argument(help="The key's name.", show_default=False)]) -> None:
    """Make a key useless, at once and for good."""
    with session_scope(ready_engine()) as session:
        service.revoke_key(session, name)
    console.print(f"{escape(name)} is revoked.", markup=True)
