"""Which model answers customers: making one live together with its examples, and going back to an earlier."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests
from sqlalchemy.orm import Session

from rapport.cli import model
from rapport.kit import clock
from rapport.kit.errors import ConflictError, NotFoundError
from rapport.kit.settings import Settings
from rapport.teaching import files, project, repository, rules
from rapport.teaching.files import Change
from rapport.teaching.rules import Step

RESTART_SECONDS = 180.0


@dataclass(frozen=True)
class Switched:
    """What a switch did to the files: `missing` are examples that were not there any more."""

    taken_out: int
    put_in: int
    missing: tuple[Change, ...]


def switch(session: Session, settings: Settings, staff_id: int, name: str) -> Switched:
    """Makes an earlier (or later) model live and takes the examples of the trainings in between out (or in).

    Raises NotFoundError when the model is not kept any more, and ConflictError while a training runs or when
    the files cannot be written.
    """
    if repository.running(session) is not None:
        raise ConflictError("A training is running. Wait for its end or cancel it.")
    there = {one.name: one for one in model.kept(settings.models_dir)}
    now = model.live(settings.models_dir)
    if name not in there:
        raise NotFoundError("This model is not kept any more.")
    runs = {run.id: run for run in repository.live_runs(session)}
    steps = [Step(run.id, run.base_model, run.model or "") for run in runs.values()]
    out, into = rules.way(steps, now.name if now else None, name)
    read = project.read(settings.project_dir)
    if (out or into) and not read.is_writable():
        raise ConflictError("data/nlu cannot be written here.")
    texts, missing = dict(read.texts), list[Change]()
    for run_id in out:
        for change in map(Change.read, runs[run_id].changes):
            texts[change.file], gone = files.remove(texts.get(change.file, ""), [change])
            missing += gone
    for run_id in into:
        for change in map(Change.read, runs[run_id].changes):
            texts[change.file] = files.add(texts.get(change.file, ""), [change])
    write(read, texts)
    # What it is not quite made from, because somebody changed files by hand, must not be trained anew now.
    inputs = model.inputs(settings.project_dir)
    differs = bool(model.changes(there[name].inputs, inputs))
    model.set_live(settings.models_dir, name, inputs if differs else None)
    for run_id in out:
        runs[run_id].rolled_back_at, runs[run_id].rolled_back_by = clock.now(), staff_id
    for run_id in into:
        runs[run_id].rolled_back_at = runs[run_id].rolled_back_by = None
    for annotation in repository.of_run(session, [*out, *into]):
        annotation.status = "proposed" if annotation.run_id in out else "applied"
    session.flush()
    return Switched(len(out), len(into), tuple(missing))


def write(read: project.Project, texts: Mapping[str, str]) -> None:
    """Writes the files of data/nlu that differ, each in one go."""
    for name, text in texts.items():
        if read.texts.get(name, "") == text:
            continue
        file = read.nlu / name
        if text.strip() == files.NEW_FILE.strip():
            file.unlink(missing_ok=True)  # it was made for examples that are taken out again
            continue
        written = file.with_suffix(".new")
        written.write_text(text, encoding="utf-8")
        if file.exists():
            shutil.copymode(file, written)
        written.replace(file)


def is_supervised(settings: Settings) -> bool:
    """Whether `rapport up` runs and starts Rasa again with another model."""
    try:
        state = json.loads((settings.var_dir / "run.json").read_text(encoding="utf-8"))
        # This very process is one of its parts, or else it is the state of another time.
        return psutil.pid_exists(state["supervisor"]) and os.getpid() in state["parts"].values()
    except (OSError, ValueError, KeyError):
        return False


def model_of_rasa(settings: Settings) -> str | None:
    """The name of the model that Rasa answers with now; None while it does not answer."""
    try:
        answer = requests.get(
            f"{settings.rasa_url}/webhooks/rapport/",
            headers={"X-Rapport-Secret": settings.bot_secret.get_secret_value()},
            timeout=2,
        )
        answered: str = answer.json()["model"] if answer.status_code == 200 else ""
    except (requests.RequestException, ValueError, KeyError):
        return None
    return Path(answered).name.removesuffix(".tar.gz") or None


def wait_for_rasa(settings: Settings, name: str, stay: Callable[[], None]) -> bool:
    """Whether Rasa answers with this model in time; `stay` is called while it does not."""
    end = time.monotonic() + RESTART_SECONDS
    while model_of_rasa(settings) != name:
        if time.monotonic() > end:
            return False
        stay()
        time.sleep(0.5)
    return True
