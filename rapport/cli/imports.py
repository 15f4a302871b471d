"""`rapport import orders|customers|products FILE`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from rapport.cli.database import ready_engine
from rapport.connectors import importers
from rapport.kit.errors import RapportError

console = Console(highlight=False)


class Kind(StrEnum):
    """What a file holds."""

    ORDERS = "orders"
    CUSTOMERS = "customers"
    PRODUCTS = "products"


def command(
    kind: Annotated[Kind, typer.Argument(help="What the file holds.", show_default=False)],
    file: Annotated[
        Path, typer.Argument(help="A CSV file, or CDNOW's text format for orders.", show_default=False)
    ],
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", help="Say which column is what, e.g. --map date=InvoiceDate. Repeatable."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Name of the shop or system the file comes from; default: 'import'.")
    ] = None,
    currency: Annotated[str | None, typer.Option(help="Currency of the amounts, e.g. GBP.")] = None,
    consent_source: Annotated[
        str | None,
        typer.Option(help="Where the consents in the file were given, when the file does not say."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and report, change nothing.")] = False,
) -> None:
    """Take over a real shop's file: again changes nothing, bad rows are reported and never stop the run."""
    plan = importers.plan(
        kind.value,
        file,
        overrides(mapping or []),
        source=source,
        currency=currency,
        consent_source=consent_source,
    )
    show_plan(plan)
    engine = ready_engine()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as bar:
        task = bar.add_task(f"Importing {kind.value}", total=file.stat().st_size)
        report = importers.run(
            plan,
            engine,
            lambda done, total: bar.update(task, completed=done, total=total),
            dry_run=dry_run,
        )
    for line in report.lines():
        console.print(line, soft_wrap=True, markup=False)


def overrides(pairs: list[str]) -> dict[str, str]:
    """`field=Column` pairs as a dictionary. Raises RapportError for anything else."""
    result = {}
    for pair in pairs:
        field, equals, column = pair.partition("=")
        if not (field and equals and column):
            raise RapportError(f"--map takes field=Column, not {pair!r}.")
        result[field.strip()] = column.strip()
    return result


def show_plan(plan: importers.Plan) -> None:
    """Print which column is read as what."""
    table = Table(
        "we need",
        "column in the file",
        title=escape(f"{plan.path.name}: {plan.describe()}"),
        title_justify="left",
    )
    for field, column in plan.mapping.items():
        table.add_row(field, escape(column) if column else "[dim]not there[/dim]")
    console.print(table)
