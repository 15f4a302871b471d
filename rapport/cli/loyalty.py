"""`rapport loyalty`: whether the points add up, and one customer's points for support."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from sqlalchemy.orm import Session

from rapport.cli.database import ready_engine
from rapport.cli.terminal import LARGEST
from rapport.customers import service as customers
from rapport.kit import clock
from rapport.kit.database import read_scope
from rapport.kit.errors import NotFoundError
from rapport.kit.format import money, number, short_day
from rapport.loyalty.points import service as ledger
from rapport.loyalty.points import tasks
from rapport.shop.facts import get_facts

console = Console(highlight=False)
app = typer.Typer(help="Points: whether they add up, and what one customer has.", no_args_is_help=True)


@app.command("check")
def check() -> None:
    """Check the whole points ledger; tell what customers have in it. The exit code is 1 when it is broken."""
    engine = ready_engine()
    with (
        read_scope(engine) as session,
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            transient=True,
        ) as bar,
    ):
        task = bar.add_task("Checking", total=None)
        broken = tasks.check(session, lambda done, total: bar.update(task, completed=done, total=total))
        owed = ledger.liability(session)
    currency = get_facts().currency
    table = Table("points", "how many", "worth")
    for name, points, minor in (
        ("spendable", owed.points, owed.value_minor - owed.held_minor),
        ("held", owed.held, owed.held_minor),
        ("pending (may still be taken back)", owed.pending, owed.pending_minor),
        ("owed by customers", owed.debt, None),
    ):
        worth = "" if minor is None else money(minor, currency, "en")
        table.add_row(name, number(points, "en"), worth)
    console.print(table)
    for line in broken:
        console.print(f"[red]✗[/red] {line}", soft_wrap=True)
    if broken:
        raise typer.Exit(1)
    console.print(f"[green]✓[/green] All adds up ({len(tasks.INVARIANTS)} checks).")


@app.command("points")
def points(
    email: Annotated[str, typer.Argument(help="The customer's e-mail address.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=LARGEST, help="How many movements.")] = 20,
) -> None:
    """Show a customer's points: what they have, when it ends, and how it came about."""
    engine = ready_engine()
    with read_scope(engine) as session:
        customer = customers.find_by_identity(session, "email", email)
        if customer is None:
            raise NotFoundError("No customer has that e-mail address.")
        _statement(session, customer.id)
        _lots(session, customer.id)
        _history(session, customer.id, limit)


def _statement(session: Session, customer_id: int) -> None:
    facts = get_facts()
    one = ledger.statement(session, customer_id)
    worth = money(one.available * facts.club.point_value_minor, facts.currency, "en")
    names = {tier.key: tier.name.en for tier in facts.club.tiers}
    console.print(f"[bold]{number(one.available, 'en')} points[/bold] to spend, worth {worth}")
    console.print(f"pending {one.pending}, held {one.held}, owed {one.debt}")
    missing = f", {one.tier.missing} to {names[one.tier.next_key]}" if one.tier.next_key else ""
    days = facts.club.tier_days
    console.print(
        f"level {names[one.tier.key]}: {one.tier.window_points} points earned in {days} days{missing}"
    )


def _lots(session: Session, customer_id: int) -> None:
    zone = get_facts().timezone
    table = Table("points", "what becomes of them", "when")
    for count, end in ledger.open_lots(session, customer_id):
        table.add_row(str(count), "end", short_day(end, "en", zone) if end else "never")
    for count, at in ledger.pending(session, customer_id):
        table.add_row(str(count), "can be spent", short_day(at, "en", zone))
    if table.row_count:
        console.print(table)


def _history(session: Session, customer_id: int, limit: int) -> None:
    table = Table("when (UTC)", "what", "reason", "points", "pending", "held", "owed", "key")
    for line in ledger.history(session, customer_id, limit):
        table.add_row(
            f"{line.at:%Y-%m-%d %H:%M}",
            line.kind,
            line.reason or "",
            *(_signed(line.changes.get(account, 0)) for account in ("points", "pending", "held", "debt")),
            line.key,
        )
    if table.row_count:
        console.print(table)
    else:
        console.print(f"[dim]No movements yet ({clock.now():%Y-%m-%d}).[/dim]")


def _signed(points: int) -> str:
    return f"{points:+d}" if points else ""
