"""Training a better model, how the trainings went, and which model is live."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session

from rapport.cli import bot_environment, model
from rapport.console import intents
from rapport.console.desk import Desk, allowed
from rapport.console.i18n import mark
from rapport.kit import clock
from rapport.kit.errors import ConflictError, NotFoundError
from rapport.staff import repository as people
from rapport.staff.rules import May
from rapport.teaching import live, repository, rules, service, tasks
from rapport.teaching import project as projects
from rapport.teaching.models import TrainingRun
from rapport.teaching.training import last_seconds

PLACE = "/console/teaching/training"
PHASE_NAMES = {
    "prepare": mark("Preparing the examples"),
    "check": mark("Looking for mistakes in the examples"),
    "train": mark("Training"),
    "evaluate": mark("Measuring the model before and after"),
    "switch": mark("Switching to the new model"),
}
STATE_NAMES = {
    "running": mark("Running"),
    "live": mark("Went live"),
    "worse": mark("Not taken: it understands less"),
    "failed": mark("Failed"),
    "cancelled": mark("Cancelled"),
}
# What the bot's programs say of each step; warnings and what goes wrong are shown as they are.
STEPS = (
    mark("reading domain.yml and data/nlu"),
    mark("comparing %(examples)s examples with each other and with %(held_out)s held-out messages"),
    mark("loading Rasa"),
    mark("checking domain.yml and data/"),
    mark("training on %(examples)s examples of %(intents)s intents"),
    mark("done in %(seconds)s s"),
    mark("%(done)s of %(all)s messages"),
    mark("writing the report"),
)
# What the training itself says, so that it is translated.
TOLD = (
    mark("data/nlu cannot be written here."),
    mark("There are no messages in tests/nlu/held_out/ to measure a model with."),
    mark("There is nothing new to learn."),
    mark("The training left no model."),
    mark("With these examples the training data would have mistakes."),
    mark("data/nlu was changed while the model was trained. Train again."),
    mark("Rasa did not start with the new model; the one before is live again."),
    mark("Rasa takes the model when it starts again."),
    mark("The process it ran in has ended."),
    mark("A training is running already."),
    mark("A training is running. Wait for its end or cancel it."),
    mark("This model is not kept any more."),
)

routes = APIRouter()
Teaching = Annotated[Desk, Depends(allowed(May.TEACH))]


@routes.get("/teaching/training")
def show(desk: Teaching) -> Response:
    """What would be learned, the running training, and all before it."""
    settings = desk.parts.settings
    project = projects.read(settings.project_dir)
    with desk.reading() as session:
        plan = service.plan(project, repository.accepted(session))
        runs = repository.runs(session)
        for run in runs:
            _tell_if_gone(session, run)
        running = next((run for run in runs if run.state == "running"), None)
        now = model.live(settings.models_dir)
        return desk.page(
            "training.html",
            tab="training",
            plan=plan,
            diff=plan.diff.splitlines(),
            writable=project.is_writable(),
            measured=bool(projects.held_out_files(project.folder)),
            installed=bot_environment.python().exists(),
            running=_progress(desk, running) if running else None,
            runs=runs,
            models=model.kept(settings.models_dir),
            live_name=now.name if now else None,
            by_model={run.model: run for run in runs if run.model and run.state == "live"},
            names=people.names(session),
            state_names=STATE_NAMES,
            rules=rules,
        )


@routes.get("/teaching/training/progress")
def progress(desk: Teaching) -> Response:
    """Where the running training is, for the page's script."""
    with desk.reading() as session:
        run = repository.running(session)
        gone = run is not None and rules.is_gone(run.seen_at, clock.now())
        return JSONResponse(_progress(desk, run) if run and not gone else {"running": False})


@routes.post("/teaching/training/start")
def start(desk: Teaching) -> Response:
    try:
        with desk.writing() as session:
            run = tasks.begin(session, desk.parts.settings, desk.staff.id)
            desk.note(session, "start a training", "model", run.id)
            run_id = run.id
    except ConflictError as error:
        return desk.go(PLACE, desk.gettext(str(error)), refused=True)
    tasks.launch(desk.parts.settings, desk.parts.database, run_id)
    return desk.go(PLACE, desk.gettext("The training has begun. You can leave this page."))


@routes.post("/teaching/training/cancel")
def cancel(desk: Teaching) -> Response:
    with desk.writing() as session:
        run = tasks.cancel(session)
        if run is not None:
            desk.note(session, "cancel a training", "model", run.id)
    return desk.go(PLACE, desk.gettext("The training ends in a few seconds; nothing is changed."))


@routes.get("/teaching/runs/{run_id}")
def run_page(run_id: int, desk: Teaching) -> Response:
    """One training: figures before and after, what is understood otherwise, what was added."""
    with desk.reading() as session:
        run = session.get(TrainingRun, run_id)
        if run is None:
            raise NotFoundError(desk.gettext("There is no such training."))
        _tell_if_gone(session, run)
        now = model.live(desk.parts.settings.models_dir)
        return desk.page(
            "training_run.html",
            tab="training",
            run=run,
            live_name=now.name if now else None,
            kept=run.model in {one.name for one in model.kept(desk.parts.settings.models_dir)},
            names=people.names(session),
            diff=run.diff.splitlines(),
            figures=_figures(run),
            state_names=STATE_NAMES,
            meaning=intents.meaning,
            rules=rules,
        )


@routes.post("/teaching/live")
def switch(desk: Teaching) -> Response:
    """Another model, with the examples it was made from."""
    name = desk.field("model", 80)
    try:
        with desk.writing() as session:
            tasks.clear_gone(session, desk.parts.settings)
            done = live.switch(session, desk.parts.settings, desk.staff.id, name)
            about = {"taken_out": done.taken_out, "put_in": done.put_in, "missing": len(done.missing)}
            desk.note(session, "switch the model", "model", name, **about)
    except ConflictError as error:
        return desk.go(PLACE, desk.gettext(str(error)), refused=True)
    said = desk.gettext("The model %(name)s is live.", name=name)
    if done.missing:
        said += " " + desk.ngettext(
            "%(num)s example was not found any more and could not be taken out.",
            "%(num)s examples were not found any more and could not be taken out.",
            len(done.missing),
        )
    said += " " + (
        desk.gettext("Rasa starts again with it; for some seconds messages wait for their answer.")
        if live.is_supervised(desk.parts.settings)
        else desk.gettext("Rasa takes the model when it starts again.")
    )
    return desk.go(PLACE, said)


def _tell_if_gone(session: Session, run: TrainingRun) -> None:
    """A run whose process has gone reads as it will be on record when the next begins; nothing is changed."""
    if run.state == "running" and rules.is_gone(run.seen_at, clock.now()):
        session.expunge(run)
        run.state, run.told = "failed", tasks.GONE


def _progress(desk: Desk, run: TrainingRun) -> dict[str, Any]:
    """For page and script: what it does, how much is done and how long it still takes."""
    past = last_seconds(desk.parts.database)
    now = clock.now()
    passed = (now - run.started_at).total_seconds()
    before = sum(run.seconds.values())
    expected = {phase: rules.expected_seconds(phase, past) for phase in rules.PHASES}
    share, left = rules.how_far(run.phase, passed - before, expected)
    return {
        "running": True,
        "id": run.id,
        "phase": desk.gettext(PHASE_NAMES[run.phase]),
        "told": _step(desk, run.told),
        "share": round(share, 3),
        "passed": _minutes(passed),
        "left": _minutes(left),
        "cancelling": run.cancel_asked,
        "final": run.phase == "switch",
    }


def _step(desk: Desk, told: str) -> str:
    """A line of the bot's programs in the reader's language, if it is one of a step."""
    for step in STEPS:
        pattern = re.sub(r"%\\\((\w+)\\\)s", r"(?P<\1>\\d+)", re.escape(step))
        if found := re.fullmatch(pattern, told):
            return desk.gettext(step, **found.groupdict())
    return told


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _figures(run: TrainingRun) -> list[tuple[str, str, float | None, float | None]]:
    """(figure, language, before, after) of what is compared."""
    if run.after is None:
        return []
    before, after = run.before or {}, run.after
    rows = [
        (name, "", before.get("overall", {}).get(name), after["overall"][name])
        for name in ("accuracy", "out_of_scope_caught", "in_scope_refused")
    ]
    for language, figures in after["languages"].items():
        old = before.get("languages", {}).get(language, {}).get("accuracy")
        rows.append(("accuracy", language, old, figures["accuracy"]))
    return rows
