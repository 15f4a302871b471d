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
from rapport.cli import (
    channel_email,
    channel_messenger,
    channel_setup,
    channel_telegram,
    channel_twilio,
    channel_whatsapp,
)
from rapport.cli.channel_setup import Finding, console
from rapport.kit.errors import ConfigurationError, NotFoundError
from rapport.kit.settings import Settings, get_settings

app = typer.Typer(help="Messaging apps (docs/channels.md).", no_args_is_help=True)
add_app = typer.Typer(help="Switch a messaging app on, step by step.", no_args_is_help=True)
app.add_typer(add_app, name="add")
add_app.command("telegram")(channel_telegram.add)
add_app.command("whatsapp")(channel_whatsapp.add)
add_app.command("messenger")(channel_messenger.add)


@dataclass(frozen=True)
class About:
    """A way to a channel, the settings it cannot do without, and what looks whether it works."""

    name: str
    title: str
    needs: tuple[str, ...]
    check: Callable[[Settings], Iterable[Finding]] | None = None


META = ("meta_app_secret", "meta_verify_token")
TWILIO = ("twilio_account", "twilio_token")
ABOUT = (
    About("telegram", "Telegram", ("telegram_token", "telegram_secret"), channel_telegram.check),
    About("whatsapp", "WhatsApp", (*META, "whatsapp_token", "whatsapp_phone_id"), channel_whatsapp.check),
    About("messenger", "Messenger", (*META, "messenger_token", "messenger_page"), channel_messenger.check),
    About("sms", "SMS (Twilio)", (*TWILIO, "twilio_sms_from"), channel_twilio.check_sms),
    About("whatsapp", "WhatsApp (Twilio)", (*TWILIO, "twilio_whatsapp_from"), channel_twilio.check_whatsapp),
    About("email", "E-mail", ("imap_host", "imap_user", "imap_password", "smtp_host"), channel_email.check),
)


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
        is_on = about.name in on and not _missing(about, settings)
        # Those of a channel with two ways stand at the one that is on, or else at the first.
        found = figures.pop(about.name, None) if is_on or about.name not in on else None
        people, waiting, failed = found or (0, 0, 0)
        needed = "" if is_on else escape(_needed(about, settings))
        state = "[green]on[/green]" if is_on else "off"
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
    asked = [about for about in ABOUT if name in (None, about.name)]
    if not asked:
        names = dict.fromkeys(about.name for about in ABOUT)
        raise NotFoundError(f"There is no channel {name}. There are: {', '.join(names)}.")
    on, wrong = _made(settings)
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    if name is not None and name not in on:
        raise ConfigurationError(f"{name} is off. It needs {_needed(asked[0], settings)}")
    chosen = [about for about in asked if about.name in on and not _missing(about, settings)]
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
        if channel is not None and channel.name in on:
            wrong.append(f"{channel.name} is set up in two ways: remove the settings of one.")
        elif channel is not None:
            on[channel.name] = channel
    return on, wrong


def _needed(about: About, settings: Settings) -> str:
    missing = ", ".join(f"RAPPORT_{name.upper()}" for name in _missing(about, settings))
    guided = about.name in _guides() and not set(TWILIO) & set(about.needs)
    return f"{missing or 'see below'}: {f'rapport channel add {about.name}' if guided else 'in .env'}"


def _missing(about: About, settings: Settings) -> list[str]:
    return [name for name in about.needs if not _set(getattr(settings, name))]


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
