"""What the guides to messaging apps share: asking, checking the address, saving, saying what was found."""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import requests
import typer
from rich.console import Console
from rich.markup import escape

from rapport.cli import env_file
from rapport.cli.findings import Finding as Finding
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import ROOT, Settings, get_settings

console = Console(highlight=False)

MARKS = {"ok": "[green]✓[/green]", "warning": "[yellow]![/yellow]", "wrong": "[red]✗[/red]"}
HOST = re.compile(r"(?=.{4,253}$)([a-z0-9-]{1,63}\.)+[a-z][a-z0-9-]{1,62}", re.IGNORECASE)
# Names that lead nowhere from outside.
AT_HOME = (".local", ".localhost", ".internal", ".lan", ".home", ".test", ".invalid")
LOCAL_SECONDS = 3.0


def show(finding: Finding) -> None:
    """One finding and, below it, what to do."""
    console.print(f"{MARKS[finding.state]} {finding.name:<12} {escape(finding.detail)}", soft_wrap=True)
    if finding.advice:
        console.print(f"  {'':<12} → {escape(finding.advice)}", soft_wrap=True)


def done(said: str) -> None:
    console.print(f"[green]✓[/green] {escape(said)}", soft_wrap=True)


def file() -> Path:
    """Where settings are written to."""
    used = Settings.model_config.get("env_file")
    return Path(used) if isinstance(used, str | Path) else ROOT / ".env"


def use_file(path: Path) -> None:
    """Read settings from this file and write them there, instead of `.env`."""
    if not path.parent.is_dir():
        raise ConfigurationError(f"{path.parent} is no folder: make it first.")
    Settings.model_config["env_file"] = path
    get_settings.cache_clear()


def settings() -> Settings:
    """The settings; those without which nothing runs are written when they are missing."""
    from rapport.cli.up import ensure_secrets

    ensure_secrets(file())
    get_settings.cache_clear()
    return get_settings()


def given(option: str | None, name: str) -> str:
    """What an option was given; `-` reads a line from standard input, which no other user can see."""
    value = (sys.stdin.readline() if option == "-" else option or "").strip()
    if option is not None and not value:
        raise ConfigurationError(f"--{name} is empty.")
    return value


def secret(question: str) -> str:
    """Asks for something that is not shown while it is typed."""
    return str(typer.prompt(f"{question} (it stays hidden)", hide_input=True)).strip()


def public_url(settings: Settings, option: str | None, yes: bool, ports: Collection[int] = (443,)) -> str:
    """The address the provider is to call: the option's, the settings', or asked for.

    Raises ConfigurationError when no provider could call it.
    """
    found = option or settings.public_url
    if found or yes:
        return checked_url(found or "", ports)
    console.print(
        "\nWhere do customers reach Rapport? Messages are brought to this address, so it must be reachable\n"
        "from the internet and begin with https://. Usually a web server with a certificate stands there\n"
        "and hands on to Rapport; to try things out, a tunnel does it too (docs/channels.md).",
    )
    while True:
        try:
            return checked_url(str(typer.prompt("Address (https://…)")), ports)
        except ConfigurationError as error:
            console.print(f"{MARKS['wrong']} {escape(str(error))}", soft_wrap=True)


def checked_url(url: str, ports: Collection[int] = (443,)) -> str:
    """The address without a slash at its end. Raises ConfigurationError when no provider could call it."""
    url = url.strip().rstrip("/")
    if not url:
        raise ConfigurationError(
            "The address customers reach Rapport at is not known: give it with --url https://…, or set"
            " RAPPORT_PUBLIC_URL."
        )
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or ""), parts.port or 443
    except ValueError:
        raise ConfigurationError(f"{url} is no address.") from None
    if parts.scheme != "https":
        raise ConfigurationError(
            f"{url} does not begin with https://, and nothing else is called: put a web server with a"
            " certificate in front of Rapport (docs/channels.md)."
        )
    if host and not _is_public(host):
        raise ConfigurationError(f"{host} cannot be reached from the internet: give the public name.")
    if parts.query or parts.fragment or parts.username or not (_is_address(host) or HOST.fullmatch(host)):
        raise ConfigurationError(f"{url} is not the address of a site, like https://chat.your-shop.com.")
    if port not in ports:
        listed = ", ".join(map(str, sorted(ports)))
        raise ConfigurationError(f"Port {port} is never called; it may be {listed}.")
    return url


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_public(host: str) -> bool:
    if _is_address(host):
        return ipaddress.ip_address(host).is_global
    return "." in host and not host.lower().endswith(AT_HOME)


def save(values: Mapping[str, str]) -> list[str]:
    """Write these settings, and say which were changed; never what they are."""
    path = file()
    changed = env_file.write(path, values)
    if changed:
        done(f"Written to {path.name}: {', '.join(changed)}")
    for name in env_file.overruled(values):
        console.print(
            f"{MARKS['warning']} {name} is also set in the environment, to something else, and that counts:"
            " change it there.",
            soft_wrap=True,
        )
    return changed


def app_state(settings: Settings, channel: str) -> str:
    """Whether the app here takes the channel's messages: `on`, `off` (it runs without it) or `away`."""
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104
    address = f"http://{host}:{settings.port}/channels/{channel}"
    try:
        # Nobody signed it, so it changes nothing: a channel that is on says so, and only that is asked.
        answer = requests.post(address, json={}, timeout=LOCAL_SECONDS)
    except requests.RequestException:
        return "away"
    return "on" if answer.status_code in {401, 403} else "off"


def app_finding(settings: Settings, channel: str) -> Finding:
    """Whether the app here takes the channel's messages."""
    state = app_state(settings, channel)
    if state == "on":
        return Finding("App", "ok", f"takes messages on port {settings.port}")
    if state == "off":
        return Finding(
            "App", "wrong", "runs, but without this channel", "stop it and start it again: rapport up"
        )
    return Finding("App", "wrong", f"does not answer on port {settings.port}", "start it: rapport up")
