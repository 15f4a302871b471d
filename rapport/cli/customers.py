"""`rapport customers merges|undo-merge`: prospects that turned out to be customers, and back."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.orm import Session

from rapport.channels.models import ContactPoint
from rapport.cli.database import ready_engine
from rapport.cli.terminal import LARGEST, plain
from rapport.customers import merging, repository
from rapport.customers import service as customers
from rapport.customers.models import Customer, CustomerMerge
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import NotFoundError

console = Console(highlight=False)
app = typer.Typer(
    help="Who turned out to be whom in messaging apps (docs/channels.md).", no_args_is_help=True
)

# Why two records became one, as `CustomerMerge.why` has it.
REASONS = {"code": "typed the code from the mail", "link": "came by a link from the website"}
# What changes hands, as people call it.
WORDS = {
    "contact_point": "app",
    "identity": "address",
    "conversation": "conversation",
    "consent_event": "consent or its end",
    "contact_policy": "wishes about contact",
    "interest": "interest",
    "case": "case",
    "verification": "code",
    "channel_link": "link",
}


@app.command("merges")
def merges(
    customer: Annotated[
        str | None,
        typer.Option(help="Only those of the customer with this e-mail address.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=LARGEST, help="How many.")] = 20,
) -> None:
    """Show which prospects were found to be which customers, when and why; the newest first."""
    engine = ready_engine()
    table = Table("id", "when (UTC)", "prospect", "customer", "why", "what moved", "undone")
    with read_scope(engine) as session:
        for one in repository.merges(session, _named(session, customer), limit):
            table.add_row(
                str(one.id),
                f"{one.at:%Y-%m-%d %H:%M}",
                f"{one.from_id} ({_apps(session, one)})",
                _customer(session, one.into_id),
                REASONS.get(one.why, one.why),
                _what(one),
                f"{one.undone_at:%Y-%m-%d %H:%M}" if one.undone_at else "",
            )
    if table.row_count:
        console.print(table)
    else:
        console.print("Nobody in a messaging app was found to be a customer yet.")


@app.command("undo-merge")
def undo_merge(
    merge: Annotated[
        int, typer.Argument(max=LARGEST, help="Its id, as `rapport customers merges` shows it.")
    ],
) -> None:
    """Make two of them again: what was moved goes back, what they did since stays with the customer.

    Whoever writes from that app has to show anew who they are before they are told anything about a customer.
    """
    engine = ready_engine()
    with session_scope(engine) as session:
        done = merging.undo(session, merge)
        apps, name = _apps(session, done), _customer(session, done.into_id)
    console.print(f"[green]✓[/green] Merge {merge} is undone: {apps} is prospect {done.from_id}'s again.")
    console.print(f"What was done there since stays with customer {name}.")


def _named(session: Session, email: str | None) -> int | None:
    if email is None:
        return None
    found = customers.find_by_identity(session, "email", email)
    if found is None:
        raise NotFoundError("No customer has that e-mail address.")
    return found.id


def _customer(session: Session, customer_id: int) -> str:
    customer = session.get_one(Customer, customer_id)
    return f"{customer_id} {escape(plain(customer.name))}" if customer.name else str(customer_id)


def _apps(session: Session, merge: CustomerMerge) -> str:
    points = (session.get(ContactPoint, point) for point in merge.moved.get("contact_point", ()))
    return ", ".join(sorted(point.channel for point in points if point)) or "no app"


def _what(merge: CustomerMerge) -> str:
    found = []
    for name, ids in sorted(merge.moved.items()):
        many = len(ids) > 1 and name != "contact_policy"  # of that one it tells what there was
        found.append(f"{len(ids)} × {WORDS.get(name, name)}" if many else WORDS.get(name, name))
    return ", ".join(found)
