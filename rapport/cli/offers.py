"""`rapport offers`: the shop's offers, checked, taken over, and how they do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rapport.cli.database import ready_engine
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import RapportError
from rapport.kit.format import day, money, number
from rapport.kit.settings import get_settings
from rapport.loyalty.offers import audit, figures, sync
from rapport.loyalty.offers.figures import Figures
from rapport.loyalty.offers.rulebook import get_rulebook, get_rulebook_file
from rapport.loyalty.offers.sync import Changes
from rapport.shop.facts import get_facts

LANGUAGE = "en"  # of the command line

console = Console(highlight=False)
app = typer.Typer(help="The shop's offers, which stand in offers.yml.", no_args_is_help=True)


@app.command("list")
def show(
    past: Annotated[bool, typer.Option("--all", help="Also those that are made no more.")] = False,
) -> None:
    """Every offer with what it gives, how many codes are out, and what they cost."""
    engine = ready_engine()
    with read_scope(engine) as session:
        rows = figures.of_all(session, past)
    if not rows:
        console.print("No offers yet. Write some into offers.yml, then: uv run rapport offers sync")
        return
    table = Table("offer", "for", "gives", "codes", "good", "used", "cost", "until")
    for column in table.columns[:2]:
        column.no_wrap = True
    for row in rows:
        table.add_row(*(escape(cell) for cell in _cells(row)))
    console.print(table)


@app.command("check")
def check() -> None:
    """Find mistakes in offers.yml, and whether codes and budgets add up. Changes nothing."""
    book = get_rulebook()
    engine = ready_engine()
    with read_scope(engine) as session:
        noted, broken = sync.warnings(session, book), audit.find(session)
    made = len(book.offers) - len(get_rulebook_file().offers)
    more = f" and {made} made in the console" if made else ""
    in_file = f"{len(book.offers) - made} offers in {escape(str(get_settings().offers_file))}"
    console.print(f"[green]✓[/green] {in_file}{more}", soft_wrap=True)
    _warn(noted)
    for line in broken:
        console.print(f"[red]✗[/red] {escape(line)}", soft_wrap=True)
    if broken:
        raise RapportError("What the database says about offers does not add up; nothing was changed.")


@app.command("sync")
def take_over() -> None:
    """Take offers.yml over now; the running assistant does so by itself within minutes."""
    engine = ready_engine()
    with session_scope(engine) as session:
        changes = sync.take_over(session)
    _tell(changes)


def _tell(changes: Changes) -> None:
    console.print(str(changes), soft_wrap=True, markup=False)
    _warn(changes.warnings)


def _warn(lines: list[str] | tuple[str, ...]) -> None:
    for line in lines:
        console.print(f"[yellow]![/yellow] {escape(line)}", soft_wrap=True)


def _cells(row: Figures) -> tuple[str, ...]:
    def sum_of(minor: int | None) -> str:
        return "" if minor is None else money(minor, get_facts().currency, LANGUAGE)

    return (
        row.key if row.active else f"{row.key} (ended)",
        row.occasion,
        _gives(row),
        number(row.codes, LANGUAGE) if row.cap is None else f"{row.codes} of {row.cap}",
        number(row.good, LANGUAGE),
        number(row.used, LANGUAGE),
        sum_of(row.cost_minor) + (f" of {sum_of(row.budget_minor)}" if row.budget_minor is not None else ""),
        _date(row.ends_at),
    )


def _gives(row: Figures) -> str:
    match row.kind:
        case "percent":
            return f"{row.percent} %"
        case "amount":
            return money(row.amount_minor, get_facts().currency, LANGUAGE)
        case "gift":
            return row.gift_sku or ""
    return "their worth"


def _date(at: datetime | None) -> str:
    return "" if at is None else day(at, LANGUAGE, get_facts().timezone)
