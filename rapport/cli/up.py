"""`rapport up`: from a fresh clone to a running shop assistant in one command."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import time
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated
from uuid import uuid4

import psutil
import requests
import typer
from rich.console import Console
from sqlalchemy import Engine

from rapport import demo, migrations
from rapport.cli import bot_environment, model
from rapport.cli.supervisor import Part, Supervisor
from rapport.cli.train import train_if_needed
from rapport.kit import clock
from rapport.kit.database import get_engine, read_scope, session_scope
from rapport.kit.errors import ConfigurationError, RapportError
from rapport.kit.settings import ROOT, Settings, get_settings
from rapport.replies import service as replies
from rapport.shop.facts import get_facts
from rapport.shop.knowledge import get_knowledge
from rapport.staff import accounts, oidc, repository, rules

START_SECONDS = 180.0
console = Console(highlight=False)


def command(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; loopback unless you say so.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port of the website and API.")] = None,
    no_demo: Annotated[
        bool, typer.Option("--no-demo", help="Without the demo shop and its customers.")
    ] = False,
) -> None:
    """Set everything up, start Rasa and the app, and keep them running until Ctrl-C."""
    # A service manager that stops us must end the parts as Ctrl-C does; and a shell that starts us in the
    # background has Ctrl-C ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _raise_interrupt)
    start = time.monotonic()
    ensure_secrets(ROOT / ".env")
    settings = _settings(host, port, no_demo)
    get_facts()
    get_knowledge()
    oidc.make(settings)
    _check_ports(settings)
    try:
        prepare(settings)
        supervisor = Supervisor(
            parts(settings),
            settings.var_dir / "run.json",
            lambda line: console.print(f"[yellow]![/yellow] {line}"),
        )
        _run(supervisor, settings, start)
    except KeyboardInterrupt:
        console.print("\nStopped.")


def prepare(settings: Settings) -> None:
    """Both environments, the database, the demo shop and the model: whatever is not there yet is made."""
    keep_private(settings.var_dir)
    with console.status("The bot's environment (the first time this takes a minute) …") as status:
        bot_environment.sync(lambda line: status.update(f"The bot's environment: {line}"))
    console.print("[green]✓[/green] The bot's environment")
    engine = get_engine()
    before = migrations.current(engine)
    migrations.upgrade(engine)
    after = migrations.current(engine)
    console.print(
        f"[green]✓[/green] Database {'is up to date' if before == after else f'brought to {after}'}"
    )
    with session_scope(engine) as session:
        replies.seed(session)
    if settings.demo:
        _load_demo(engine)
    if not train_if_needed():
        console.print("[green]✓[/green] Model is up to date")


def keep_private(folder: Path) -> None:
    """Makes the folder if need be, and only for this user: conversations, codes and customers lie there."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def parts(settings: Settings) -> list[Part]:
    """Rasa and the app, each run by its own environment's Python."""
    local = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104
    secret = settings.bot_secret.get_secret_value()
    logs = settings.var_dir / "log"
    rasa = Part(
        name="Rasa",
        command=_rasa_command(settings),
        # Another model was made the live one: Rasa starts again with it.
        fresh_command=partial(_rasa_command, settings),
        environment=bot_environment.clean_environment(
            RAPPORT_BOT_SECRET=secret,
            RAPPORT_ACTIONS_URL=f"http://{local}:{settings.port}/actions/webhook",
            RAPPORT_TRACKER_URL=settings.tracker_url,
        ),
        log=logs / "rasa.log",
        ready_url=f"{settings.rasa_url}/webhooks/rapport/",
        ready_headers={"X-Rapport-Secret": secret},
    )
    app = Part(
        name="The app",
        command=[sys.executable, "-m", "rapport.app", "--host", settings.host, "--port", str(settings.port)],
        environment=dict(os.environ),
        log=logs / "app.log",
        ready_url=f"http://{local}:{settings.port}/healthz",
    )
    return [rasa, app]


def _rasa_command(settings: Settings) -> list[str]:
    """Rasa with the live model; raises ConfigurationError when there is none."""
    trained = model.live(settings.models_dir)
    if trained is None:
        raise ConfigurationError("There is no trained model; run `rapport train`.")
    options = [
        "--host",
        "127.0.0.1",
        "--port",
        str(settings.rasa_port),
        "--model",
        str(trained.path.resolve()),
    ]
    return [str(bot_environment.python()), str(bot_environment.BOT / "serve.py"), *options]


def ensure_secrets(path: Path) -> None:
    """Write the two secrets to `.env` when neither the environment nor the file has them."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    missing = [
        name
        for name in ("RAPPORT_SECRET_KEY", "RAPPORT_BOT_SECRET")
        if name not in os.environ and not any(line.startswith(f"{name}=") for line in text.splitlines())
    ]
    if not missing:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if text and not text.endswith("\n"):
            file.write("\n")
        for name in missing:
            file.write(f"{name}={secrets.token_urlsafe(32)}\n")
    console.print(f"[green]✓[/green] New secrets written to {path.name} (keep it; it is not in git)")


def _settings(host: str | None, port: int | None, no_demo: bool) -> Settings:
    """The settings, with the options of this call put into the environment so that the app sees them too."""
    if host:
        os.environ["RAPPORT_HOST"] = host
    if port:
        os.environ["RAPPORT_PORT"] = str(port)
    if no_demo:
        os.environ["RAPPORT_DEMO"] = "false"
    return get_settings()


def _check_ports(settings: Settings) -> None:
    wanted = [
        (settings.host, settings.port, "--port"),
        ("127.0.0.1", settings.rasa_port, "RAPPORT_RASA_PORT"),
    ]
    for host, port, option in wanted:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            # As the servers themselves do: a port that only lingers after a restart is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise ConfigurationError(
                    f"Port {port} on {host} cannot be used ({error.strerror}{_owner(port)}). "
                    f"Stop what uses it or choose another with {option}."
                ) from None


def _owner(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.pid:
                return f"; process {connection.pid}, {psutil.Process(connection.pid).name()}"
    except psutil.Error:
        pass
    return ""


def _load_demo(engine: Engine) -> None:
    with session_scope(engine) as session:
        if not demo.is_empty(session):
            return
        with console.status("Loading the demo shop …"):
            summary = demo.load(session, clock.now().date())
    console.print(f"[green]✓[/green] Demo shop loaded: {summary}")


def _run(supervisor: Supervisor, settings: Settings, start: float) -> None:
    try:
        with console.status("Starting Rasa and the app …") as status:
            began = time.monotonic()
            supervisor.start()
            supervisor.wait_ready(
                START_SECONDS,
                lambda part: status.console.print(
                    f"[green]✓[/green] {part.name} answers after {time.monotonic() - began:.1f} s"
                ),
            )
            first = _first_answer(settings)
        _print_ready(settings, time.monotonic() - start, first)
        supervisor.watch()
        console.print("\nStopped.")
    finally:
        # A second Ctrl-C must not leave half of it running.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        supervisor.stop()


def _first_answer(settings: Settings) -> float:
    """Have Rasa say what it is in a throw-away conversation; how long it took, in seconds.

    That needs no action: an action would look for a conversation that is on record.
    """
    headers = {"X-Rapport-Secret": settings.bot_secret.get_secret_value()}
    channel = f"{settings.rasa_url}/webhooks/rapport"
    conversation = uuid4().hex
    body = {
        "conversation_id": conversation,
        "message_id": "start",
        "text": "are you a bot?",
        "metadata": {"language": "en", "verified": False, "entities": []},
    }
    began = time.monotonic()
    try:
        answer = requests.post(f"{channel}/turn", json=body, headers=headers, timeout=30)
        answer.raise_for_status()
        took = time.monotonic() - began
        if not answer.json()["replies"]:
            raise RapportError("The bot gave no answer; run `rapport train --force`.")
        requests.delete(f"{channel}/conversations/{conversation}", headers=headers, timeout=30)
    except requests.RequestException as error:
        raise RapportError(f"Rasa runs but does not answer: {error}") from error
    return took


def _print_ready(settings: Settings, seconds: float, first: float) -> None:
    local = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104
    address = f"http://{local}:{settings.port}"
    mail = f"sent through {settings.smtp_host}" if settings.smtp_host else f"{address}/dev/mail"
    console.print(
        f"\n[bold green]Ready[/bold green] in {seconds:.1f} s; "
        f"the first message was answered in {first * 1000:.0f} ms.\n"
    )
    console.print(f"  Shop with chat   {address}/")
    console.print(f"  Staff console    {settings.base_url}/console/")
    console.print(f"  Outgoing mail    {mail}")
    # In another terminal `rapport chat` knows nothing of --port.
    elsewhere = "" if settings.port == Settings.model_fields["port"].default else f" --url {address}"
    console.print(f"  In a terminal    uv run rapport chat{elsewhere}")
    console.print(f"  Logs             {settings.var_dir / 'log'}")
    if settings.demo:
        hint = "ask for an order, give the address, read the code in the mail"
        console.print(f"\n  Demo customers ({hint}):", soft_wrap=True)
        for persona in demo.personas():
            console.print(f"    {persona.email:<26} {persona.language}  {persona.name}")
    if link := _first_account(settings):
        hours = int(rules.WELCOME_LIFE.total_seconds() // 3600)
        console.print(f"\n  The staff console has no account yet. Make the first (within {hours} hours):")
        # On a line of its own and never broken, so that it can be clicked and copied.
        console.print(f"    {link}", soft_wrap=True)
    console.print("\n  Stop with Ctrl-C.\n")


def _first_account(settings: Settings) -> str | None:
    """The link that makes the first account, while there is none."""
    with read_scope() as session:
        return None if repository.count(session) else accounts.welcome_link(settings)


def _raise_interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
