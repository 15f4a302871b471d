"""A training from its beginning to whichever end, with a stand-in for the bot's own programs."""

from __future__ import annotations

import csv
import itertools
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from rapport.cli import model
from rapport.conversations.models import Conversation, Message
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import ConflictError
from rapport.kit.settings import ROOT, Settings
from rapport.staff import service as staff
from rapport.teaching import live, project, repository, service, tasks
from rapport.teaching.models import TrainingRun
from rapport.teaching.training import Training

SAID = "gimme the whereabouts of FJ-99871"
LEARNED = "    - gimme the whereabouts of FJ-12345\n"
BASE = "20260101-000000-000000"


class Bot:
    """Runs no Rasa: a model is a file, and its mistakes are those of `wrong`."""

    def __init__(self, wrong: Sequence[str] = (), fails: str = "", lint: Sequence[str] = ()) -> None:
        self.wrong, self.fails, self.lint = wrong, fails, lint
        self.calls: list[str] = []
        self.data = ""

    def __call__(
        self, name: str, arguments: Sequence[str | Path], _folder: Path, say: Any, _stopped: Any
    ) -> tuple[int, list[str]]:
        self.calls.append(name)
        say(f"{name} works")
        if name == self.fails:
            return 1, ["the reason"]
        options = dict(itertools.pairwise(arguments))
        if name == "lint":
            errors = list(self.lint) if "run-" in str(options["--project"]) else []
            Path(options["--report"]).write_text(json.dumps({"errors": errors}), encoding="utf-8")
        elif name == "train":
            source = Path(options["--project"]) / "data" / "nlu" / "track_order.yml"
            self.data = source.read_text(encoding="utf-8")
            out = Path(options["--out"])
            out.mkdir(parents=True)
            (out / f"{options['--fixed-name']}.tar.gz").write_bytes(b"model")
        elif name == "evaluate":
            _report(Path(options["--out"]), self.wrong)
            _report(Path(options["--out"]) / "before", ())
        return 0, []


def _report(folder: Path, wrong: Sequence[str]) -> None:
    folder.mkdir(parents=True)
    figures = {
        "messages": 100,
        "accuracy": 1 - len(wrong) / 100,
        "out_of_scope_caught": None,
        "in_scope_refused": 0.0,
    }
    report = {"overall": figures, "languages": {"en": figures}, "parity": {}}
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
    with (folder / "errors.csv").open("w", encoding="utf-8", newline="") as lines:
        rows = csv.writer(lines)
        rows.writerow(["language", "text", "intent", "predicted"])
        rows.writerows(("en", text, "greet", "thank") for text in wrong)


@pytest.fixture
def settings(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A project of two files and a live model that is made from it."""
    folder = tmp_path / "project"
    for file in ("data/nlu/track_order.yml", "data/nlu/greet.yml", "config.yml", "domain.yml"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    shutil.copytree(ROOT / "tests" / "nlu" / "held_out", folder / "tests" / "nlu" / "held_out")
    models = tmp_path / "models"
    models.mkdir()
    (models / f"{BASE}.tar.gz").write_bytes(b"base")
    model.keep(models, models / f"{BASE}.tar.gz", model.inputs(folder))
    return settings.model_copy(update={"project_dir": folder, "models_dir": models})


def begin(engine: Engine, settings: Settings) -> int:
    """One accepted correction and a training of it; the run's id."""
    with session_scope(engine) as session:
        who = staff.create(session, "mia@example.com", "Mia", "manager").id
        conversation = Conversation(channel="web", language="en")
        session.add(conversation)
        session.flush()
        message = Message(conversation_id=conversation.id, sequence=1, author="customer", channel="web")
        message.status, message.text = "answered", SAID
        session.add(message)
        session.flush()
        read = project.read(settings.project_dir)
        service.label(session, read, who, [message.id], "track_order")
        return tasks.begin(session, settings, who).id


def nlu(settings: Settings) -> str:
    return (settings.project_dir / "data" / "nlu" / "track_order.yml").read_text(encoding="utf-8")


def train(engine: Engine, settings: Settings, bot: Bot) -> TrainingRun:
    run_id = begin(engine, settings)
    Training(settings, engine, run_id, bot).work()
    with read_scope(engine) as session:
        run = session.get(TrainingRun, run_id)
        assert run is not None
        session.expunge(run)
    assert not (settings.var_dir / "teaching" / f"run-{run_id}").exists()
    return run


def live_name(settings: Settings) -> str:
    found = model.live(settings.models_dir)
    assert found is not None
    assert model.is_right(found, settings.models_dir, model.inputs(settings.project_dir))
    return found.name


def marked(engine: Engine) -> list[str]:
    with read_scope(engine) as session:
        return [one.status for one in repository.by_ids(session, range(100))]


def test_not_worse_goes_live_with_its_examples_and_back_again(engine: Engine, settings: Settings) -> None:
    before, bot = nlu(settings), Bot()
    run = train(engine, settings, bot)
    assert (run.state, run.base_model) == ("live", BASE), run.output
    assert bot.calls == ["lint", "train", "evaluate"]
    assert LEARNED in bot.data
    assert nlu(settings) == bot.data
    assert run.model is not None
    assert live_name(settings) == run.model, "and nothing need be trained for it"
    assert marked(engine) == ["applied"]
    assert set(run.seconds) == {"prepare", "check", "train", "evaluate", "switch"}
    with session_scope(engine) as session:
        assert live.switch(session, settings, 1, BASE).taken_out == 1
    assert nlu(settings) == before
    assert live_name(settings) == BASE
    assert marked(engine) == ["proposed"], "somebody looks at it again"
    with session_scope(engine) as session:
        assert live.switch(session, settings, 1, run.model).put_in == 1
    assert nlu(settings) == bot.data
    assert live_name(settings) == run.model
    # Somebody takes the example out by hand; the way back still works, and tells.
    (settings.project_dir / "data/nlu/track_order.yml").write_text(before + "# mine\n", encoding="utf-8")
    with session_scope(engine) as session:
        assert len(live.switch(session, settings, 1, BASE).missing) == 1
    assert live_name(settings) == BASE, "the files as they are now were accepted with it"


def test_worse_is_not_taken_and_says_why(engine: Engine, settings: Settings) -> None:
    before = nlu(settings)
    run = train(engine, settings, Bot(wrong=["hi", "hello"]))
    assert run.state == "worse"
    assert [reason["what"] for reason in run.reasons] == ["understood", "understood"]
    assert run.after is not None
    assert [one[1] for one in run.after["regressions"]] == ["hi", "hello"]
    assert (nlu(settings), live_name(settings)) == (before, BASE)
    assert [one.name for one in model.kept(settings.models_dir)] == [BASE]
    assert marked(engine) == ["accepted"], "it waits for the next"


@pytest.mark.parametrize(
    ("bot", "told"),
    [
        (Bot(fails="train"), "the reason"),
        (Bot(lint=["one utterance under two intents"]), "With these examples the training data"),
        (Bot(fails="evaluate"), "the reason"),
    ],
)
def test_what_fails_changes_nothing(engine: Engine, settings: Settings, bot: Bot, told: str) -> None:
    before = nlu(settings)
    run = train(engine, settings, bot)
    assert run.state == "failed"
    assert run.told.startswith(told)
    assert "lint works" in run.output
    assert (nlu(settings), live_name(settings)) == (before, BASE)
    assert marked(engine) == ["accepted"]


def test_files_that_somebody_changed_meanwhile_are_not_overwritten(
    sqlite_engine: Engine, settings: Settings
) -> None:
    class Meanwhile(Bot):
        def __call__(self, name: str, *more: Any) -> tuple[int, list[str]]:
            if name == "evaluate":
                (settings.project_dir / "data/nlu/greet.yml").write_text("# mine\n", encoding="utf-8")
            return super().__call__(name, *more)

    run = train(sqlite_engine, settings, Meanwhile())
    assert (run.state, run.told[:12]) == ("failed", "data/nlu was")
    assert (settings.project_dir / "data/nlu/greet.yml").read_text(encoding="utf-8") == "# mine\n"


def test_a_cancelled_training_ends_and_changes_nothing(sqlite_engine: Engine, settings: Settings) -> None:
    class Cancelled(Bot):
        def __call__(self, name: str, *more: Any) -> tuple[int, list[str]]:
            if name == "train":
                with session_scope(sqlite_engine) as session:
                    assert tasks.cancel(session) is not None
                assert more[-1].__self__.wait(20), "the bot's program is told to stop"
            return super().__call__(name, *more)

    before = nlu(settings)
    run = train(sqlite_engine, settings, Cancelled())
    assert run.state == "cancelled"
    assert (nlu(settings), live_name(settings)) == (before, BASE)


def test_there_is_one_training_at_a_time(engine: Engine, settings: Settings) -> None:
    begin(engine, settings)
    with pytest.raises(ConflictError), session_scope(engine) as session:
        tasks.begin(session, settings, 1)
    with pytest.raises(ConflictError), session_scope(engine) as session:
        live.switch(session, settings, 1, BASE)


@pytest.mark.parametrize("fault", ["silent", "full disk"])
def test_a_model_that_rasa_does_not_start_with_leaves_everything_as_it_was(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(live, "is_supervised", lambda _settings: True)
    monkeypatch.setattr(live, "wait_for_rasa", lambda *_: False)
    folder, before = settings.project_dir / "data" / "nlu", nlu(settings)
    # The model before was accepted with files it is not quite made from.
    (folder / "greet.yml").write_text("# mine\n", encoding="utf-8")
    model.set_live(settings.models_dir, BASE, model.inputs(settings.project_dir))
    run_id = begin(engine, settings)
    with session_scope(engine) as session:
        other = repository.accepted(session)[0]
        other.value = "cancel_order"  # it has no file yet
    if fault == "full disk":

        def full(*_: object) -> None:
            raise OSError("No space left on device")

        monkeypatch.setattr(model, "keep", full)
    names = sorted(folder.iterdir())
    Training(settings, engine, run_id, Bot()).work()
    with read_scope(engine) as session:
        assert session.get_one(TrainingRun, run_id).state == "failed"
    assert sorted(folder.iterdir()) == names
    assert (nlu(settings), live_name(settings)) == (before, BASE)
    assert [one.name for one in model.kept(settings.models_dir)] == [BASE]
    assert marked(engine) == ["accepted"]
