"""`rapport doctor`: looks at everything an installation needs and says what to do about what is missing."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import typer
from rich.console import Console
from rich.markup import escape
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from rapport import migrations
from rapport.cli import bot_environment, doctor_mail, model
from rapport.cli.findings import Finding
from rapport.edits import effective
from rapport.kit.database import make_engine, read_scope
from rapport.kit.errors import RapportError
from rapport.kit.settings import ROOT, Settings, get_settings
from rapport.shop.facts import load_facts
from rapport.shop.knowledge import load_knowledge

RASA = "3.6.21"
console = Console(highlight=False)


def command() -> None:
    """Check both environments, database, model, ports, mail and settings; say what to do."""
    marks = {"ok": "[green]✓[/green]", "warning": "[yellow]![/yellow]", "wrong": "[red]✗[/red]"}
    wrong = False
    for finding in examine():
        wrong = wrong or finding.state == "wrong"
        console.print(f"{marks[finding.state]} {finding.name:<18} {escape(finding.detail)}", soft_wrap=True)
        if finding.advice:
            console.print(f"  {'':<18} → {escape(finding.advice)}", soft_wrap=True)
    if wrong:
        raise typer.Exit(1)


def examine() -> Iterator[Finding]:
    """Every finding, in the order in which things must work."""
    yield Finding("Python", "ok", f"{sys.version.split()[0]} for the app")
    yield _bot()
    try:
        settings = get_settings()
        make_engine(settings.database_url).dispose()
    except RapportError as error:
        yield Finding("Settings", "wrong", str(error), "rapport up writes the secrets; see .env.example")
        return
    source = ".env and environment" if (ROOT / ".env").is_file() else "environment only, there is no .env"
    yield Finding("Settings", "ok", f"read from {source}")
    checks: list[Callable[[Settings], Finding]] = [
        _shop_file,
        _knowledge,
        _database,
        _edited,
        _model,
        _running,
        doctor_mail.server,
        doctor_mail.signatures,
        doctor_mail.unasked,
        _channels,
        _mentions,
        _staff,
        _openid,
    ]
    for check in checks:
        yield check(settings)


def _bot() -> Finding:
    name, python = "Bot environment", bot_environment.python()
    if not python.exists():
        return Finding(name, "wrong", "bot/.venv is not there", "rapport up installs it")
    probe = subprocess.run(
        [python, "-c", "import sys, rasa.version as v; print(sys.version.split()[0], v.__version__)"],
        env=bot_environment.clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    found = probe.stdout.split()
    if probe.returncode or found[1] != RASA or not found[0].startswith("3.10."):
        detail = " ".join(found) or "Rasa cannot be imported"
        return Finding(name, "wrong", detail, "delete bot/.venv and run rapport up")
    return Finding(name, "ok", f"Python {found[0]}, Rasa {found[1]}")


def _shop_file(settings: Settings) -> Finding:
    try:
        facts = load_facts(settings.shop_file)
    except RapportError as error:
        return Finding("Shop", "wrong", str(error), f"mend {settings.shop_file}")
    return Finding("Shop", "ok", f"{facts.name} ({settings.shop_file.name})")


def _knowledge(settings: Settings) -> Finding:
    name, folder = "Knowledge", settings.knowledge_dir
    try:
        knowledge = load_knowledge(folder, load_facts(settings.shop_file))
    except RapportError as error:
        return Finding(name, "wrong", str(error), f"mend {folder} (how: {folder / 'README.md'})")
    counts = f"{len(knowledge.entries)} answers, {len(knowledge.care)} care tips"
    return Finding(name, "ok", f"{counts} ({folder.name}/)")


def _database(settings: Settings) -> Finding:
    name, engine = "Database", make_engine(settings.database_url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        version = migrations.current(engine)
    except Exception as error:  # noqa: BLE001 - whatever a driver raises is the finding
        return Finding(
            name, "wrong", f"no connection: {error}", "look at RAPPORT_DATABASE_URL; is it running?"
        )
    finally:
        engine.dispose()
    kind = engine.dialect.name
    if version != migrations.newest():
        state = "is empty" if version is None else f"is at {version}, the code expects {migrations.newest()}"
        return Finding(name, "warning", f"{kind} {state}", "rapport up brings it up to date")
    return Finding(name, "ok", f"{kind}, version {version}")


def _edited(settings: Settings) -> Finding:
    """What was edited in the console, as far as it still fits the files."""
    name, engine = "Edits", make_engine(settings.database_url)
    try:
        with read_scope(engine) as session:
            count, broken = effective.broken(session)
    except SQLAlchemyError:
        return Finding(name, "ok", "none can be read yet")
    except RapportError as error:
        return Finding(name, "wrong", str(error))
    finally:
        engine.dispose()
    if not broken:
        return Finding(name, "ok", f"{count} part(s) of the files are edited in the console")
    told = "; ".join(f"{section}: {why[0]}" for section, why in broken.items())
    advice = "save these again in the console under Settings, or go back to the file there"
    return Finding(name, "warning", f"left out, because they don't fit the files any more: {told}", advice)


def _model(settings: Settings) -> Finding:
    try:
        now, last = model.inputs(), model.live(settings.models_dir)
    except RapportError as error:
        return Finding("Model", "wrong", str(error))
    if last is None:
        return Finding("Model", "warning", "none trained yet", "rapport train (rapport up does it too)")
    differences = model.changes(last.inputs, now)
    if differences and not model.is_right(last, settings.models_dir, now):
        return Finding("Model", "warning", f"older than {len(differences)} changed file(s)", "rapport train")
    return Finding("Model", "ok", f"{last.path.name}, trained {last.trained_at:%Y-%m-%d %H:%M} UTC")


def _running(settings: Settings) -> Finding:
    state_file = settings.var_dir / "run.json"
    if state_file.is_file():
        state = json.loads(state_file.read_text(encoding="utf-8"))
        if psutil.pid_exists(state["supervisor"]):
            return Finding("Running", "ok", f"yes, on {settings.host}:{settings.port}")
    for port, option in ((settings.port, "rapport up --port"), (settings.rasa_port, "RAPPORT_RASA_PORT")):
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return Finding(
                    "Ports", "wrong", f"{port} is used by something else", f"choose another: {option}"
                )
    return Finding("Running", "ok", f"no; ports {settings.port} and {settings.rasa_port} are free")


def _channels(settings: Settings) -> Finding:
    from rapport.channels import registry

    try:
        on = registry.make(settings)
    except RapportError as error:
        return Finding("Messaging apps", "wrong", str(error), "rapport channel list")
    if not on:
        return Finding("Messaging apps", "ok", "none is on (rapport channel add telegram)")
    return Finding("Messaging apps", "ok", f"{', '.join(on)} (rapport channel check asks the providers)")


def _mentions(settings: Settings) -> Finding:
    from rapport.channels.base import InDoubtError, RefusedError, TryAgainError
    from rapport.mentions import registry

    name = "Mentions"
    try:
        sources = registry.make(settings)
    except RapportError as error:
        return Finding(name, "wrong", str(error), "docs/mentions.md")
    if not sources:
        return Finding(name, "ok", "no source is connected (docs/mentions.md)")
    good, bad = [], []
    for source in sources.values():
        try:
            good.append(f"{source.name}: {source.check()}")
        except (RefusedError, TryAgainError, InDoubtError) as error:
            bad.append(f"{source.name}: {error or 'no answer'}")
    if bad:
        return Finding(name, "wrong", "; ".join([*bad, *good]), "look at its settings (docs/mentions.md)")
    return Finding(name, "ok", "; ".join(good))


def _staff(settings: Settings) -> Finding:
    from rapport.staff import repository

    name, engine = "Staff", make_engine(settings.database_url)
    try:
        with read_scope(engine) as session:
            admins, everybody = repository.count_active(session, "admin"), repository.count(session)
    except SQLAlchemyError:  # said by the check of the database
        return Finding(name, "warning", "cannot be looked at yet", "rapport up makes the tables")
    finally:
        engine.dispose()
    if not admins:
        advice = 'rapport staff add EMAIL --name "…" --role admin'
        return Finding(name, "warning", "nobody can administer the console", advice)
    return Finding(name, "ok", f"{everybody} account(s), {admins} administrator(s)")


def _openid(settings: Settings) -> Finding:
    from rapport.staff import oidc

    name = "OpenID Connect"
    try:
        provider = oidc.make(settings)
        if provider is None:
            return Finding(name, "ok", "not set up; staff log in with passwords (docs/console.md)")
        provider.check()
    except RapportError as error:
        return Finding(name, "wrong", str(error), "look at the RAPPORT_OIDC_… settings")
    return Finding(name, "ok", f"{provider.label} answers")
