"""`rapport train`."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.console import Console

from rapport.cli import bot_environment, model
from rapport.kit.settings import get_settings

console = Console(highlight=False)


def command(
    force: Annotated[bool, typer.Option("--force", "-f", help="Train even when nothing changed.")] = False,
) -> None:
    """Train the bot when its data, domain or config changed since the last model."""
    with console.status("The bot's environment …") as status:
        bot_environment.sync(lambda line: status.update(f"The bot's environment: {line}"))
    if not train_if_needed(force=force):
        console.print("[green]✓[/green] Nothing changed since the last model. --force trains all the same.")


def train_if_needed(*, force: bool = False) -> bool:
    """Train when the inputs of the live model are not those of now. True when a model was trained."""
    folder = get_settings().models_dir
    last, now = model.live(folder), model.inputs()
    if last is not None and not force and model.is_right(last, folder, now):
        return False
    differences = model.changes(last.inputs if last else {}, now)
    if last is None:
        console.print("  No model yet: training the first one (about two minutes).")
    for line in differences if last else []:
        console.print(f"  {line}", style="dim")
    start = time.monotonic()
    with console.status("Training …") as status:
        trained = model.train(folder, lambda line: status.update(f"Training: {line[:90]}"))
    took, size = time.monotonic() - start, trained.path.stat().st_size / 1e6
    console.print(f"[green]✓[/green] Model trained in {took:.0f} s: {trained.path.name} ({size:.1f} MB)")
    return True
