"""One training from accepted corrections: prepare, check, train, evaluate, and go live if it is not worse."""

from __future__ import annotations

import csv
import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from rapport.cli import bot_environment, model
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import RapportError
from rapport.kit.settings import ROOT, Settings
from rapport.staff import service as staff
from rapport.teaching import files, live, project, repository, rules, service
from rapport.teaching.rules import Mistake

HEARTBEAT_SECONDS = 3.0
LINES_KEPT = 60
REGRESSIONS_KEPT = 100
RunBot = Callable[..., tuple[int, list[str]]]


class CancelledError(Exception):
    """Somebody cancelled the training, or another process took it for dead."""


class Training:
    """A run that is on record already. `work` is called once, from a thread of its own."""

    def __init__(
        self, settings: Settings, engine: Engine, run_id: int, run_bot: RunBot = bot_environment.run
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._id = run_id
        self._run_bot = run_bot
        self._folder = settings.var_dir / "teaching" / f"run-{run_id}"
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self._phase, self._phase_began = "", 0.0
        self._seconds: dict[str, float] = {}
        self._told_at = 0.0
        self._lines: list[str] = []

    def work(self) -> None:
        """Runs all phases and writes how it ended; raises nothing."""
        heart = threading.Thread(target=self._beat, name="training heartbeat", daemon=True)
        heart.start()
        try:
            self._phases()
        except CancelledError:
            self._end("cancelled")
        except RapportError as error:
            self._end("failed", told=str(error).splitlines()[0])
        except Exception as error:  # noqa: BLE001 - whatever it was, the run must not stay "running"
            self._lines.append(f"{type(error).__name__}: {error}")
            self._end("failed", told=type(error).__name__)
        finally:
            self._ended.set()
            heart.join(HEARTBEAT_SECONDS * 2)
            shutil.rmtree(self._folder, ignore_errors=True)

    def _phases(self) -> None:
        self._begin("prepare")
        read = project.read(self._settings.project_dir)
        plan = self._prepare(read)
        copy = self._copy(read, plan)
        made_from = model.inputs(copy)
        self._begin("check")
        self._check(copy)
        self._begin("train")
        archive = self._train(copy)
        self._begin("evaluate")
        reasons = self._evaluate(archive)
        if reasons:
            self._end("worse", reasons=reasons)
            return
        self._begin("switch")
        self._go_live(read, plan, archive, made_from)

    def _prepare(self, read: project.Project) -> service.Plan:
        if not read.is_writable():
            raise RapportError("data/nlu cannot be written here.")
        if not project.held_out_files(read.folder):
            raise RapportError("There are no messages in tests/nlu/held_out/ to measure a model with.")
        with session_scope(self._engine) as session:
            plan = service.plan(read, repository.accepted(session))
            for annotation in repository.by_ids(session, plan.taken):
                annotation.run_id = self._id
            base = model.live(self._settings.models_dir)
            repository.write(
                session,
                self._id,
                changes=[vars(change) for change in plan.changes],
                diff=plan.diff,
                base_model=base.name if base else None,
            )
        if not plan.changes:
            raise RapportError("There is nothing new to learn.")
        return plan

    def _copy(self, read: project.Project, plan: service.Plan) -> Path:
        """The project as it would be; its own files stay untouched until the model is live."""
        shutil.rmtree(self._folder, ignore_errors=True)
        copy = self._folder / "project"
        shutil.copytree(read.folder / "data", copy / "data")
        for name in ("config.yml", "domain.yml"):
            shutil.copy(read.folder / name, copy)
        live.write(project.Project(copy, read.texts, ()), plan.texts)
        return copy

    def _check(self, copy: Path) -> None:
        """Raises RapportError when the linter finds mistakes that were not there before."""
        errors = self._lint(copy)
        if errors:
            before = set(self._lint(self._settings.project_dir))
            errors = [line for line in errors if line not in before]
        if errors:
            self._lines += errors
            raise RapportError("With these examples the training data would have mistakes.")

    def _lint(self, folder: Path) -> list[str]:
        report = self._folder / "lint.json"
        held_out = self._settings.project_dir / "tests" / "nlu" / "held_out"
        self._bot(
            "lint",
            [
                "-m",
                "bot.lint",
                "--report",
                report,
                "--project",
                folder.resolve(),
                "--held-out",
                held_out.resolve(),
                "--errors-only",
            ],
        )
        found: list[str] = json.loads(report.read_text(encoding="utf-8"))["errors"]
        # More examples never make them too few; only the number in that sentence would be another.
        return [line for line in found if not line.endswith("are needed")]

    def _train(self, copy: Path) -> Path:
        name = clock.now().strftime("%Y%m%d-%H%M%S-%f")
        out = self._folder / "model"
        arguments: list[str | Path] = ["-m", "bot.train", "--project", copy.resolve(), "--out", out.resolve()]
        self._bot("train", [*arguments, "--fixed-name", name])
        archive = out / f"{name}.tar.gz"
        if not archive.is_file():
            raise RapportError("The training left no model.")
        return archive

    def _evaluate(self, archive: Path) -> list[dict[str, Any]]:
        """Measures both models on the same messages and keeps the figures; why the new one is worse."""
        base = model.live(self._settings.models_dir)
        out = self._folder / "evaluation"
        measured = project.held_out_files(self._settings.project_dir)
        arguments: list[str | Path] = [
            "-m",
            "bot.evaluate",
            "--model",
            archive.resolve(),
            "--out",
            out.resolve(),
        ]
        if base is not None:
            arguments += ["--before", base.path.resolve()]
        self._bot("evaluate", [*arguments, "--", *(file.resolve() for file in measured)])
        after, wrong = _figures(out), _mistakes(out)
        before, was_wrong = (_figures(out / "before"), _mistakes(out / "before")) if base else (None, wrong)
        regressions, repaired = rules.changed(was_wrong, wrong)
        meant = Counter(example.intent for example in project.read(self._settings.project_dir).held_out)
        shown = {
            **after,
            "regressions": regressions[:REGRESSIONS_KEPT],
            "repaired": repaired[:REGRESSIONS_KEPT],
            "intents": rules.by_intent(meant, was_wrong, wrong),
        }
        self._write(before=before, after=shown)
        return rules.worse(before, after) if before else []

    def _go_live(
        self, read: project.Project, plan: service.Plan, archive: Path, made_from: dict[str, str]
    ) -> None:
        """Puts model and examples in their places. If that fails or Rasa does not start, all is as before."""
        settings, name = self._settings, archive.name.removesuffix(".tar.gz")
        if project.read(settings.project_dir).texts != read.texts:
            raise RapportError("data/nlu was changed while the model was trained. Train again.")
        before, accepted = model.live(settings.models_dir), model.accepted(settings.models_dir)
        self._stay()
        settings.models_dir.mkdir(parents=True, exist_ok=True)
        self._write(model=name)
        kept = settings.models_dir / archive.name
        waits = live.is_supervised(settings)
        try:
            shutil.move(archive, kept)
            live.write(read, plan.texts)
            model.keep(settings.models_dir, kept, made_from)
            model.set_live(settings.models_dir, name)
            if waits and not live.wait_for_rasa(settings, name, lambda: None):
                raise RapportError("Rasa did not start with the new model; the one before is live again.")
        except Exception:
            # Also the files that were made for new examples.
            texts = {**dict.fromkeys(plan.texts, files.NEW_FILE), **read.texts}
            live.write(project.read(settings.project_dir), texts)
            if before is not None:
                model.set_live(settings.models_dir, before.name, accepted)
            kept.unlink(missing_ok=True)
            (settings.models_dir / f"{name}.json").unlink(missing_ok=True)
            raise
        self._end("live", told="" if waits else "Rasa takes the model when it starts again.")
        model.forget_old(settings.models_dir)

    def _bot(self, name: str, arguments: Sequence[str | Path]) -> None:
        """One of the bot's own programs. Raises RapportError with its last line when it fails."""
        code, lines = self._run_bot(name, arguments, ROOT, self._say, self._cancelled.is_set)
        self._stay()
        if code != 0:
            raise RapportError(lines[-1] if lines else f"bot/{name}.py ended without a reason")

    def _say(self, line: str) -> None:
        self._lines.append(line)
        if time.monotonic() - self._told_at > 1:
            self._told_at = time.monotonic()
            self._write(told=line[:200])

    def _begin(self, phase: str) -> None:
        self._stay()
        now = time.monotonic()
        if self._phase:
            self._seconds[self._phase] = round(now - self._phase_began, 1)
        self._phase, self._phase_began = phase, now
        self._write(phase=phase, told="", seconds=dict(self._seconds))

    def _stay(self) -> None:
        if self._cancelled.is_set():
            raise CancelledError

    def _beat(self) -> None:
        """A sign of life every few seconds, and a look whether somebody has cancelled it."""
        while not self._ended.wait(HEARTBEAT_SECONDS):
            try:
                with session_scope(self._engine) as session:
                    alive = repository.write(session, self._id, seen_at=clock.now())
                    if not alive or repository.cancel_asked(session, self._id):
                        self._cancelled.set()
            except Exception:  # noqa: BLE001, S112 - the database is away; the next beat tries again
                continue

    def _write(self, **values: Any) -> None:
        with session_scope(self._engine) as session:
            if not repository.write(session, self._id, seen_at=clock.now(), **values):
                raise CancelledError

    def _end(self, state: str, told: str = "", **values: Any) -> None:
        if self._phase:
            self._seconds[self._phase] = round(time.monotonic() - self._phase_began, 1)
        with session_scope(self._engine) as session:
            ended = repository.write(
                session,
                self._id,
                state=state,
                told=told[:200],
                finished_at=clock.now(),
                seconds=dict(self._seconds),
                output="\n".join(self._lines[-LINES_KEPT:]),
                **values,
            )
            if not ended:
                return
            for annotation in repository.of_run(session, [self._id]):
                if annotation.status == "accepted" and state == "live":
                    annotation.status = "applied"
                elif annotation.status == "accepted":
                    annotation.run_id = None
            staff.note(session, None, f"training {state}", "model", self._id)


def last_seconds(engine: Engine) -> dict[str, float]:
    """How long each phase took in the last run that had it."""
    seconds: dict[str, float] = {}
    with read_scope(engine) as session:
        for run in reversed(repository.runs(session, 10)):
            if run.state in {"live", "worse"}:
                seconds.update(run.seconds)
    return seconds


def _figures(folder: Path) -> dict[str, Any]:
    return rules.figures(json.loads((folder / "report.json").read_text(encoding="utf-8")))


def _mistakes(folder: Path) -> list[Mistake]:
    with (folder / "errors.csv").open(encoding="utf-8", newline="") as lines:
        return [
            (row["language"], row["text"], row["intent"], row["predicted"]) for row in csv.DictReader(lines)
        ]
