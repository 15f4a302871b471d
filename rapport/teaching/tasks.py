"""Starting and cancelling trainings; each runs in a thread of the process whose page started it."""

from __future__ import annotations

import threading

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from rapport.cli import model
from rapport.kit import clock
from rapport.kit.errors import ConflictError
from rapport.kit.settings import Settings
from rapport.teaching import repository, rules
from rapport.teaching.models import TrainingRun
from rapport.teaching.training import Training

GONE = "The process it ran in has ended."


def begin(session: Session, settings: Settings, staff_id: int) -> TrainingRun:
    """Puts a run on record; `launch` it when that is committed. Raises ConflictError while another runs."""
    clear_gone(session, settings)
    run = TrainingRun(staff_id=staff_id, seconds={})
    try:
        with session.begin_nested():
            session.add(run)
    except IntegrityError:
        raise ConflictError("A training is running already.") from None
    return run


def launch(settings: Settings, engine: Engine, run_id: int) -> threading.Thread:
    """Works on a run that is on record, in the background."""
    thread = threading.Thread(target=Training(settings, engine, run_id).work, name="training", daemon=True)
    thread.start()
    return thread


def cancel(session: Session) -> TrainingRun | None:
    """Asks the running training to end, which it does within seconds; None when none runs."""
    run = repository.running(session)
    if run is not None and run.phase != "switch":
        run.cancel_asked = True
    return run


def clear_gone(session: Session, settings: Settings) -> None:
    """A run whose process has gone is no longer running: it failed, or was live before it could say so."""
    run = repository.running(session)
    if run is None or not rules.is_gone(run.seen_at, clock.now()):
        return
    live = run.model is not None and run.model == model.named(settings.models_dir)
    run.state, run.finished_at = ("live" if live else "failed"), clock.now()
    run.told = "" if live else GONE
    for annotation in repository.of_run(session, [run.id]):
        if annotation.status == "accepted":
            annotation.status = "applied" if live else "accepted"
            annotation.run_id = run.id if live else None
    session.flush()
