"""`rapport jobs`: what runs by itself, when it last did, and a way to run it now."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from rapport.cli.database import ready_engine
from rapport.kit.database import read_scope
from rapport.kit.errors import NotFoundError
from rapport.schedule import repository, service
from rapport.schedule.jobs import JOBS
from rapport.schedule.models import JobRun

console = Console(highlight=False)
app = typer.Typer(help="What Rapport does by itself, every few minutes or every night.")


@app.callback(invoke_without_command=True)
def show(context: typer.Context) -> None:
    """List the jobs and their last runs."""
    if context.invoked_subcommand is not None:
        return
    engine = ready_engine()
    with read_scope(engine) as session:
        last = {run.name: run for run in repository.runs(session)}
        table = Table("job", "what it does", "when", "last started (UTC)", "took", "outcome")
        for job in JOBS:
            run = last.get(job.name)
            started = run.started_at if run else None
            table.add_row(
                job.name,
                job.about,
                str(job.rhythm),
                f"{started:%Y-%m-%d %H:%M}" if started else "never",
                _took(run),
                (run.outcome if run else "") or "",
            )
    console.print(table)
    console.print("[dim]They run while `rapport up` does. By hand: rapport jobs run NAME[/dim]")


@app.command("run")
def run(name: Annotated[str, typer.Argument(help="The job's name, as `rapport jobs` lists it.")]) -> None:
    """Run a job now, whether it is due or not; nothing is ever done twice by it."""
    job = next((job for job in JOBS if job.name == name), None)
    if job is None:
        raise NotFoundError(f"There is no job {name!r}. There are: {', '.join(job.name for job in JOBS)}.")
    engine = ready_engine()
    with console.status(f"{job.name}: {job.about}"):
        outcome = service.run_now(engine, job)
    console.print(f"[green]✓[/green] {job.name}: {outcome}")


def _took(run: JobRun | None) -> str:
    if run is None or run.started_at is None or run.finished_at is None or run.finished_at < run.started_at:
        return ""
    return f"{(run.finished_at - run.started_at).total_seconds():.1f} s"
