"""`rapport channel list|check|add`: messaging apps, whether they work, and how to switch them on.

A channel is added by its line in `ABOUT`, and its guide by one in `add_app`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.markup import escape
from rich.table import Table

from rapport.channels.base import MessagingChannel
from rapport.cli import channel_setup, channel_telegram
from rapport.cli.channel_setup import Finding, console
from rapport.kit.errors import ConfigurationError, NotFoundError
from rapport.kit.settings import Settings, get_settings

app = typer.Typer(help="Messaging apps (docs/channels.md).", no_args_is_help=True)
add_app = typer.Typer(help="Switch a messaging app on, step by step.", no_args_is_help=True)
app.add_typer(add_app, name="add")
add_app.command("telegram")(channel_telegram.add)


@dataclass(frozen=True)
class About:
    """A channel, the settings it cannot do without, and what looks whether it works."""

    name: str
    title: str
    needs: tuple[str, ...]
    check: Callable[[Settings], Iterable[Finding]] | None = None


ABOUT = (About("telegram", "Telegram", ("telegram_token", "telegram_secret"), channel_telegram.check),)


@app.callback()
def options(
    env_file: Annotated[
        Path | None, typer.Option(help="Where the settings are kept. Default: .env", dir_okay=False)
    ] = None,
) -> None:
    """Messaging apps (docs/channels.md)."""
    if env_file is not None:
        channel_setup.use_file(env_file.absolute())


@app.command("list")
def list_channels() -> None:
    """Show which messaging apps are on, what the others need, and how each is doing."""
    settings = get_settings()
    on, wrong = _made(settings)
    figures = _figures()
    table = Table("channel", "state", "people", "waiting", "failed", "to switch it on")
    for about in ABOUT:
        people, waiting, failed = figures.get(about.name, (0, 0, 0))
        state = "[green]on[/green]" if about.name in on else "off"
        needed = "" if about.name in on else escape(_needed(about, settings))
        table.add_row(about.title, state, str(people), str(waiting), str(failed), needed)
    console.print(table)
    for sentence in wrong:
        console.print(f"{channel_setup.MARKS['wrong']} {escape(sentence)}", soft_wrap=True)
    if wrong:
        raise typer.Exit(1)


@app.command("check")
def check(
    name: Annotated[str | None, typer.Argument(help="Only this one.", show_default=False)] = None,
) -> None:
    """Ask the providers whether all is well, and say what to do where it is not."""
    settings = get_settings()
    known = {about.name: about for about in ABOUT}
    if name is not None and name not in known:
        raise NotFoundError(f"There is no channel {name}. There are: {', '.join(known)}.")
    on, wrong = _made(settings)
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    if name is not None and name not in on:
        raise ConfigurationError(f"{name} is off. {_needed(known[name], settings)}")
    chosen = [about for about in ABOUT if about.name in on and name in (None, about.name)]
    if not chosen:
        console.print("No messaging app is on. To begin: rapport channel add telegram")
    bad = False
    for about in chosen:
        console.print(f"[bold]{about.title}[/bold]")
        for finding in about.check(settings) if about.check else ():
            channel_setup.show(finding)
            bad = bad or finding.state == "wrong"
    if bad:
        raise typer.Exit(1)


def _made(settings: Settings) -> tuple[dict[str, MessagingChannel], list[str]]:
    """The channels that are on, and what is wrong with the settings of others."""
    from rapport.channels import registry

    on, wrong = {}, []
    for maker in registry.MAKERS:
        try:
            channel = maker(settings)
        except ConfigurationError as error:
            wrong.append(str(error))
            continue
        if channel is not None:
            on[channel.name] = channel
    return on, wrong


def _needed(about: About, settings: Settings) -> str:
    missing = [f"RAPPORT_{name.upper()}" for name in about.needs if not _set(getattr(settings, name))]
    how = f"rapport channel add {about.name}" if about.name in _guides() else "set it in .env"
    return f"{', '.join(missing) or 'see below'}: {how}"


def _set(value: object) -> bool:
    return bool(value.get_secret_value() if isinstance(value, SecretStr) else value)


def _guides() -> set[str | None]:
    return {command.name for command in add_app.registered_commands}


def _figures() -> dict[str, tuple[int, int, int]]:
    """(people, waiting, failed) by channel; nothing before there is a database."""
    from rapport import migrations
    from rapport.channels import repository
    from rapport.kit.database import get_engine, read_scope

    if migrations.current(get_engine()) != migrations.newest():
        return {}
    with read_scope() as session:
        return repository.figures(session)
