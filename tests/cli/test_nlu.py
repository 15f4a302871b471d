"""`rapport nlu`: what is asked of the bot's environment, and what is shown of its reports."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rapport.cli import bot_environment, model, nlu
from rapport.cli.main import app
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import Settings
from tests.cli import running

FIGURES = {
    "messages": 300,
    "accuracy": 0.875,
    "margin": 0.037,
    "accuracy_without_threshold": 0.9,
    "macro_f1": 0.8512,
    "out_of_scope_messages": 0,
    "out_of_scope_caught": None,
    "in_scope_messages": 300,
    "in_scope_refused": 0.0234,
    "calibration_error": 0.0312,
    "parse_ms": {"p50": 0.51, "p95": 1.13},
}
EVALUATION: dict[str, Any] = {
    "model": "m.tar.gz",
    "files": ["x.csv"],
    "also": {},
    "overall": FIGURES,
    "languages": {"en": FIGURES, "nb": FIGURES},
    "parity": {"nb": -1.25},
    "worst_intents": [
        {
            "intent": f"intent_{number}",
            "messages": 9,
            "understood": 0.5,
            "taken_for": {"greet": 2, "thank": 1},
        }
        for number in range(30)
    ],
    "confusions": [{"intent": "greet", "predicted": "thank", "times": 7, "example": "[red]hi\x1b[2J"}],
    "calibration": [],
}
REFERENCE = {
    "model": "reference-1.tar.gz",
    "overall": FIGURES | {"accuracy": 0.5},
    "languages": {"en": FIGURES, "nb": FIGURES},
    "load_seconds": {"ours": 0.1, "reference": 5.0},
    "times_as_long": {"p50": 12.34, "p95": 9.87, "load": 50.0},
}
LINT: dict[str, Any] = {
    "examples": 10,
    "held_out": 5,
    "errors": [],
    "warnings": [],
    "near_duplicates": [{"intent": "greet", "pairs": 3, "examples": [["hi", "hi [there]"]]}],
    "balance": {"languages": ["en"], "intents": {"greet": {"en": 10}}, "largest_to_smallest": 2.5},
}


class Bot:
    """Stands in for the bot's environment: notes what it is asked and writes the report it was given."""

    def __init__(self) -> None:
        self.report: dict[str, Any] = EVALUATION
        self.lines: list[str] = ["loading"]
        self.code = 0
        self.asked: list[str] = []

    def run(
        self, name: str, arguments: Sequence[str | Path], folder: Path, say: Callable[[str], None]
    ) -> tuple[int, list[str]]:
        self.asked = [str(argument) for argument in arguments]
        for line in self.lines:
            say(line)
        if self.code == 0:
            file = Path(self.option("--report") if name == "lint" else f"{self.option('--out')}/report.json")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(self.report), encoding="utf-8")
        return self.code, self.lines

    def option(self, name: str) -> str:
        return self.asked[self.asked.index(name) + 1]


@pytest.fixture
def bot(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> Bot:
    bot = Bot()
    monkeypatch.setattr(bot_environment, "run", bot.run)
    monkeypatch.setattr(bot_environment, "sync", lambda say: None)
    monkeypatch.setattr(nlu.console, "width", 130)
    changed = settings.model_copy(update={"models_dir": tmp_path / "models"})
    monkeypatch.setattr(nlu, "get_settings", lambda: changed)
    return bot


def train(folder: Path, inputs: dict[str, str] | None = None) -> Path:
    """Something that looks like a trained model."""
    folder.mkdir(exist_ok=True)
    manifest = {
        "trained_at": "2026-01-01T00:00:00+00:00",
        "inputs": model.inputs() if inputs is None else inputs,
    }
    (folder / "m.json").write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "m.tar.gz").write_bytes(b"")
    return folder / "m.tar.gz"


def rapport(*arguments: str, code: int = 0) -> str:
    """What the command prints; it must end with `code`."""
    result = CliRunner().invoke(app, ["nlu", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_evaluating_the_newest_model(bot: Bot, tmp_path: Path) -> None:
    archive = train(tmp_path / "models")
    file = tmp_path / "new.csv"
    shown = rapport("evaluate", str(file), "--also", "a=b", "--also", "a=c")
    assert bot.asked[:2] == ["-m", "bot.evaluate"]
    assert bot.option("--model") == str(archive)
    assert bot.option("--out") == str(tmp_path / "nlu" / "m")
    assert bot.asked[-6:] == ["--also", "a=b", "--also", "a=c", "--", str(file)]
    assert "--compare" not in bot.asked
    for said in ("87.5 %", "0.851", "–", "2.3 %", "-1.2", "0.51 ms", "greet 2, thank 1", "12 of 30"):
        assert said in shown, said
    assert "[red]hi�[2J" in shown
    assert "older than the data" not in shown
    assert str(tmp_path / "nlu" / "m") in shown


def test_without_a_file_the_held_out_messages_are_taken(
    bot: Bot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tmp_path / "models")
    monkeypatch.setattr(nlu, "HELD_OUT", tmp_path / "held_out")
    with pytest.raises(ConfigurationError, match="Name a file"):
        nlu.held_out()
    (tmp_path / "held_out").mkdir()
    for name in ("nb.csv", "en.csv"):
        (tmp_path / "held_out" / name).write_text("", encoding="utf-8")
    rapport("evaluate")
    assert bot.asked[-2:] == [str(tmp_path / "held_out" / name) for name in ("en.csv", "nb.csv")]


def test_beside_rasas_default_pipeline(bot: Bot, tmp_path: Path) -> None:
    train(tmp_path / "models")
    bot.report = EVALUATION | {"reference": REFERENCE}
    shown = rapport("evaluate", "x.csv", "--compare", "--epochs", "5", "--out", str(tmp_path / "out"))
    assert bot.option("--epochs") == "5"
    assert bot.option("--kept") == str(tmp_path / "nlu")
    assert bot.option("--out") == str(tmp_path / "out")
    for said in ("reference-1.tar.gz", "50.0 %", "12.3 times as long", "9.9 times as long", "5.00 s"):
        assert said in shown, said


def test_as_json_nothing_else_is_printed(bot: Bot, tmp_path: Path) -> None:
    train(tmp_path / "models", {})
    bot.lines = ["warning: the model does not know [x]"]
    result = CliRunner().invoke(app, ["nlu", "evaluate", "x.csv", "--json"])
    assert json.loads(result.stdout) == EVALUATION
    assert "The model is older than the data" in result.stderr
    assert "the model does not know [x]" in result.stderr


def test_only_what_the_understanding_is_made_of_makes_a_model_old(bot: Bot, tmp_path: Path) -> None:
    inputs = model.inputs()
    story = next(name for name in inputs if name.startswith("data/stories/"))
    train(tmp_path / "models", inputs | {story: "other"})
    assert "older" not in rapport("evaluate", "x.csv")
    train(tmp_path / "models", inputs | {"data/nlu/gone.yml": "other"})
    assert "uv run rapport train" in rapport("evaluate", "x.csv")


def test_a_model_by_its_name_or_file(bot: Bot, tmp_path: Path) -> None:
    archive = train(tmp_path / "models")
    assert nlu.find_model("m") == nlu.find_model("m.tar.gz") == nlu.find_model(str(archive)) == archive
    with pytest.raises(ConfigurationError, match="no model other"):
        nlu.find_model("other")


def test_without_a_model_it_says_how_to_get_one(bot: Bot) -> None:
    with pytest.raises(ConfigurationError, match="uv run rapport train"):
        nlu.find_model(None)


def test_the_scripts_last_line_is_the_reason(bot: Bot) -> None:
    bot.code, bot.lines = 1, ["loading Rasa", "no such file: x.csv"]
    with pytest.raises(ConfigurationError, match=r"^no such file: x\.csv$"):
        nlu.run("evaluate", [])


@pytest.mark.parametrize(
    ("errors", "warnings", "strict", "code"),
    [([], [], True, 0), ([], ["w"], False, 0), ([], ["w"], True, 1), (["e"], [], False, 1)],
)
def test_lint_fails_on_errors_and_if_strict_on_warnings(
    bot: Bot, errors: list[str], warnings: list[str], strict: bool, code: int
) -> None:
    bot.report = LINT | {"errors": errors, "warnings": warnings}
    shown = rapport("lint", *(["--strict"] if strict else []), code=code)
    assert bot.asked[:2] == ["-m", "bot.lint"]
    assert f"{len(errors)} errors, {len(warnings)} warnings" in shown
    assert "2.5 times" in shown
    assert "«hi», «hi [there]»" in shown
    assert json.loads(rapport("lint", "--json", code=1 if errors else 0)) == bot.report


def test_a_long_list_is_cut_short(bot: Bot) -> None:
    bot.report = LINT | {"errors": [f"mistake {number}" for number in range(100)]}
    shown = rapport("lint", code=1)
    assert "mistake 29" in shown
    assert "mistake 30" not in shown
    assert "and 70 more errors" in shown


def test_the_bots_python_is_run_and_each_line_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot_environment, "python", lambda: Path(sys.executable))
    (tmp_path / "script.py").write_text(
        "import sys\nprint('script: one')\nprint()\nprint('two')\nsys.exit(3)", encoding="utf-8"
    )
    said: list[str] = []
    code, lines = bot_environment.run("script", ["script.py"], tmp_path, said.append)
    assert (code, lines) == (3, ["one", "two"])
    assert said == lines


@pytest.mark.parametrize("command", [(), ("evaluate",), ("lint",)])
def test_help_is_worth_reading(command: tuple[str, ...]) -> None:
    shown = running.rapport("nlu", *command, "--help").stdout
    assert shown.count("\n") > 10
    for word in {
        "evaluate": ("held-out", "docs/nlu.md", "--compare"),
        "lint": ("Errors", "Warnings", "40"),
    }.get("".join(command), ("evaluate", "lint")):
        assert word in shown
