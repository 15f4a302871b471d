"""`rapport webhooks list|retry`: what shops sent, and what came of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rapport.cli.database import ready_engine
from rapport.cli.terminal import LARGEST, plain
from rapport.connectors import repository
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import NotFoundError

console = Console(highlight=False)
app = typer.Typer(help="What WooCommerce and Shopify sent.", no_args_is_help=True)


class Status(StrEnum):
    """What became of a delivery."""

    RECEIVED = "received"
    APPLIED = "applied"
    IGNORED = "ignored"
    FAILED = "failed"


@app.command("list")
def list_deliveries(
    status: Annotated[Status | None, typer.Option(help="Only those.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=LARGEST, help="How many.")] = 20,
) -> None:
    """Show the newest deliveries; of failed ones, why."""
    table = Table("id", "shop", "topic", "received", "status", "tries", "why")
    with read_scope(ready_engine()) as session:
        waiting = repository.waiting_count(session)
        for one in repository.deliveries(session, status.value if status else None, limit):
            table.add_row(
                str(one.id),
                one.source,
                escape(plain(one.topic)),
                f"{one.received_at:%Y-%m-%d %H:%M:%S}",
                one.status,
                str(one.tries),
                escape(plain(one.reason or "")),
            )
    if table.row_count:
        console.print(table)
    else:
        console.print("No such deliveries.")
    if waiting:
        console.print(f"{waiting} events wait for the order they are about.")


@app.command("retry")
def retry(
    delivery: Annotated[
        int | None,
        typer.Argument(max=LARGEST, help="A delivery's id; none tries all that failed.", show_default=False),
    ] = None,
) -> None:
    """Apply again what failed."""
    # What follows from an order needs libraries that take a moment to load.
    from rapport.connectors import tasks

    engine = ready_engine()
    with session_scope(engine) as session:
        count = repository.try_again(session, delivery, clock.now())
    if delivery is not None and count == 0:
        raise NotFoundError(f"No failed delivery has the id {delivery}.")
    console.print(f"{tasks.apply_due(engine)} tried again.")
    list_deliveries(Status.FAILED)
