"""`rapport nlu evaluate` and `rapport nlu lint`; the work is done in the bot's environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from rapport.cli import bot_environment, model, nlu_tables
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import ROOT, get_settings

HELD_OUT = ROOT / "tests" / "nlu" / "held_out"
# What the understanding is made from; stories and responses may change without a word to it.
UNDERSTANDING = ("config.yml", "data/nlu/", "bot/nlu/")

console = Console(highlight=False)
progress = Console(highlight=False, stderr=True)
app = typer.Typer(
    help="Measure how well the bot understands, and check what it learns from.",
    no_args_is_help=True,
)


@app.command("evaluate")
def evaluate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            help="CSV with columns text (or utterance), intent and perhaps language, or Rasa NLU YAML."
            " Default: the project's own held-out messages in tests/nlu/held_out/.",
            show_default=False,
        ),
    ] = None,
    model_name: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="A model's file or name. Default: the live one.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the report and the pictures. Default: var/nlu/<model>/.", show_default=False
        ),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="INTENT=OTHER",
            help="Where INTENT is meant, count OTHER as right too, for files whose intents are cut"
            " differently, e.g. newsletter_subscription=unsubscribe. Repeatable.",
            show_default=False,
        ),
    ] = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare",
            help="Beside Rasa's default pipeline, trained on the same data. The first time that takes two to"
            " four minutes an epoch on two cores; the model is kept in var/nlu/ until the data changes.",
        ),
    ] = False,
    epochs: Annotated[
        int, typer.Option(min=1, help="With --compare: fewer train faster and understand less.")
    ] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")] = False,
) -> None:
    """Measure how well the bot understands messages whose intent is known.

    Each message goes through the model as a customer's would. The report
    tells, for each language: how many are understood, how many that no
    shop's bot can answer are caught and how many others are refused, what is
    confused with what, whether confidences can be believed, and how long a
    message takes. How to read it: docs/nlu.md.
    """
    sync()
    chosen = find_model(model_name)
    folder = out or get_settings().var_dir / "nlu" / chosen.name.removesuffix(".tar.gz")
    arguments: list[str | Path] = ["--model", chosen.resolve(), "--out", folder.resolve()]
    arguments += ["--kept", (get_settings().var_dir / "nlu").resolve()]
    for pair in also or []:
        arguments += ["--also", pair]
    if compare:
        arguments += ["--compare", "--epochs", str(epochs)]
    run("evaluate", [*arguments, "--", *(file.resolve() for file in files or held_out())])
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    if as_json:
        print(json.dumps(report, ensure_ascii=False, indent=1))
        return
    for table in nlu_tables.of_evaluation(report):
        console.print(table)
    console.print(f"All of it, the mistakes one by one, and pictures: {folder}", soft_wrap=True)


@app.command("lint")
def lint(
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings as well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Look for mistakes in the training data in data/nlu/.

    Errors: one utterance under two intents; fewer than 40 examples of an
    intent in a language; a marked entity that domain.yml does not have; a
    held-out message (tests/nlu/held_out/) that is, or nearly is, an example.

    Warnings: nearly the same utterance under two intents; examples that do
    not tell their language.

    Answers to a form's question, such as a code, may be few and alike.
    The exit code is 1 when there are errors.
    """
    sync()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "lint.json"
        run("lint", ["--report", file, "--held-out", HELD_OUT])
        report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if as_json:
        print(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        for part in nlu_tables.of_lint(report):
            console.print(part, soft_wrap=isinstance(part, str))
    if report["errors"] or (strict and report["warnings"]):
        raise typer.Exit(1)


def find_model(name: str | None) -> Path:
    """The model's file. Says so when it was made from other data than there is now.

    Raises ConfigurationError when there is none.
    """
    folder = get_settings().models_dir
    if name is not None:
        for path in (Path(name), folder / name, folder / f"{name}.tar.gz"):
            if path.is_file():
                return path
        raise ConfigurationError(f"There is no model {name}; those that are kept are in {folder}.")
    last = model.live(folder)
    if last is None:
        raise ConfigurationError("There is no model yet. Train one: uv run rapport train")
    made_from, now = (
        {path: digest for path, digest in inputs.items() if path.startswith(UNDERSTANDING)}
        for inputs in (last.inputs, model.inputs())
    )
    if made_from != now:
        progress.print(
            "[yellow]![/yellow] The model is older than the data or the code it is made from;"
            " for a new one: uv run rapport train",
            soft_wrap=True,
        )
    return last.path


def held_out() -> list[Path]:
    """The project's own messages. Raises ConfigurationError when there are none."""
    files = sorted(HELD_OUT.glob("*.csv"))
    if not files:
        raise ConfigurationError(f"No messages in {HELD_OUT}. Name a file: rapport nlu evaluate FILE")
    return files


def sync() -> None:
    """Make sure that the bot's environment is there."""
    with progress.status("The bot's environment …") as status:
        bot_environment.sync(lambda line: status.update(f"The bot's environment: {line}"))


def run(name: str, arguments: list[str | Path]) -> None:
    """Run `bot/<name>.py` and show what it does. Raises ConfigurationError with its last line if it fails."""
    with progress.status("Loading …") as status:
        code, lines = bot_environment.run(
            name, ["-m", f"bot.{name}", *arguments], ROOT, teller(status.update)
        )
    if code != 0:
        raise ConfigurationError(lines[-1] if lines else f"bot/{name}.py ended without a reason")


def teller(show: Callable[[str], None]) -> Callable[[str], None]:
    """Lines come and go on one line of the screen, except warnings, which stay."""

    def say(line: str) -> None:
        if line.startswith("warning: "):
            warning = escape(line.removeprefix("warning: "))
            progress.print(f"[yellow]![/yellow] {warning}", soft_wrap=True)
        else:
            show(escape(line[:110]))

    return say
