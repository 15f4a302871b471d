"""`rapport log`: the conversation log in a terminal."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rapport.cli.database import ready_engine
from rapport.cli.terminal import LARGEST, MOST_DAYS, plain
from rapport.conversations import log
from rapport.kit.database import read_scope
from rapport.review import service
from rapport.review.filters import Filters
from rapport.review.service import Reader

console = Console(highlight=False)


def command(
    conversation: Annotated[
        str | None, typer.Argument(help="A conversation's id or its beginning; none lists the latest.")
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Only this channel, e.g. web.")] = None,
    language: Annotated[str | None, typer.Option(help="Only this language: en, es, nb, ro.")] = None,
    status: Annotated[str | None, typer.Option(help="Only bot, waiting or human.")] = None,
    intent: Annotated[str | None, typer.Option(help="With a message understood as this.")] = None,
    below: Annotated[
        float | None, typer.Option(min=0, max=1, help="With a message understood less surely than this.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=MOST_DAYS, help="Only the last days.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=LARGEST, help="How many.")] = 20,
) -> None:
    """List conversations, or show one: what was said, understood and done, and how long it took."""
    with read_scope(ready_engine()) as session:
        if conversation:
            show(log.show(session, conversation))
            return
        filters = Filters(
            channel=channel, language=language, status=status, intent=intent, below=below, days=days
        )
        found = service.page(session, filters, Reader(), size=limit).rows
    if not found:
        console.print("No such conversations yet. Start one: uv run rapport chat")
        return
    table = Table(
        "conversation", "last", "channel", "language", "status", "messages", "unanswered", "least sure"
    )
    for one in found:
        table.add_row(
            one.id[:8],
            f"{one.last_at:%Y-%m-%d %H:%M}",
            one.channel,
            one.language,
            one.status,
            str(one.messages),
            str(one.unanswered or ""),
            "" if one.lowest_confidence is None else f"{one.lowest_confidence:.2f}",
        )
    console.print(table)
    console.print("[dim]rapport log CONVERSATION shows one.[/dim]")


def show(transcript: log.Transcript) -> None:
    """Print one conversation."""
    about = transcript.summary
    console.print(
        f"[bold]{about.id}[/bold]  {about.channel}, {about.language}, {about.status}, "
        f"{'customer ' + str(about.customer_id) if about.customer_id else 'visitor'}"
    )
    for entry in transcript.entries:
        text = escape(plain(entry.text or ""))
        console.print(f"[dim]{entry.at:%H:%M:%S}[/dim] [bold]{entry.author:<8}[/bold] {text}", soft_wrap=True)
        if details := _details(entry):
            console.print(f"[dim]{'':<18}{escape(plain(details))}[/dim]", soft_wrap=True)


def _details(entry: log.Entry) -> str:
    parts = []
    if entry.intent:
        parts.append(f"{entry.intent} {entry.confidence or 0:.2f}")
    if entry.entities:
        parts.append(", ".join(f"{entity['entity']}={entity['value']}" for entity in entry.entities))
    if entry.actions:
        parts.append(" → ".join(entry.actions))
    if entry.took_ms is not None:
        parts.append(f"{entry.took_ms:.0f} ms")
    if entry.response:
        parts.append(entry.response)
    if entry.buttons:
        parts.append(" ".join(f"[{title}]" for title in entry.buttons))
    if entry.card:
        parts.append(f"card {entry.card['type']}")
    if entry.status == "received":
        parts.append("not answered yet")
    return " · ".join(parts)
