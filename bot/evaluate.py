"""Measures a model: `bot/.venv/bin/python -m bot.evaluate --model MODEL --out DIR [options] FILE…`.

It writes report.json, errors.csv, confusion.png and calibration.png into DIR and says each step in a line.
`rapport nlu evaluate` calls it and shows the report. Exit code 1 and one clear line when something is wrong.
"""

import argparse
import asyncio
import csv
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from bot.evaluation import measures
from bot.evaluation.measures import Answer
from bot.evaluation.messages import read
from bot.train import ROOT, prepare_environment


def main() -> None:
    """Evaluates as the options say."""
    options = read_options()
    prepare_environment()
    try:
        evaluate(options)
    except KeyboardInterrupt:
        fail("stopped")
    except (ValueError, OSError) as error:
        fail(" ".join(str(error).split()))


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure how well a model of Rapport's bot understands.")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="CSV or Rasa NLU files")
    parser.add_argument("--model", type=Path, required=True, help="a trained model")
    parser.add_argument("--out", type=Path, required=True, help="the folder for the report")
    parser.add_argument("--also", action="append", default=[], metavar="INTENT=OTHER")
    parser.add_argument("--compare", action="store_true", help="beside Rasa's default pipeline")
    parser.add_argument("--epochs", type=int, default=100, help="of the reference's training")
    parser.add_argument("--before", type=Path, help="another model on the same messages; DIR/before/ tells")
    parser.add_argument("--kept", type=Path, default=ROOT / "var" / "nlu", help="where references are kept")
    parser.add_argument("--project", type=Path, default=ROOT, help="the folder with data/nlu")
    return parser.parse_args(arguments)


def evaluate(options: argparse.Namespace) -> dict[str, Any]:
    """Writes all files of the report and returns what report.json holds.

    Raises ValueError for a file or model that cannot be read.
    """
    also = read_also(options.also)
    messages = read(options.files)
    step("loading Rasa")
    from bot import speedups

    speedups.apply()
    from bot.evaluation import pictures, understanding

    paths, agents = [options.model], [understanding.load(options.model)]
    warn_of_unknown({message.intent for message in messages} - set(agents[0].domain.intents))
    if options.compare:
        from bot.evaluation.reference import reference_model

        paths.append(reference_model(options.project, options.kept, options.epochs, step))
        agents.append(understanding.load(paths[1]))
    if options.before:
        agents.append(understanding.load(options.before))
    asked = asyncio.run(understanding.ask(agents, messages, step))
    answers = [measures.accepting(of_one, also) for of_one in asked]
    report = {
        "model": options.model.name,
        "files": [str(file) for file in options.files],
        "also": {meant: sorted(accepted) for meant, accepted in also.items()},
        **measures.report(answers[0]),
    }
    if options.compare:
        step("loading both again, to time it")
        report["reference"] = comparison(paths, answers, understanding.load_seconds(paths))
    if options.before:
        write_before(options.before, answers[-1], options.out / "before")
    step("writing the report")
    options.out.mkdir(parents=True, exist_ok=True)
    write_errors(answers[0], options.out / "errors.csv")
    pictures.draw_confusion(answers[0], options.out / "confusion.png")
    pictures.draw_calibration(report["calibration"], options.out / "calibration.png")
    text = json.dumps(report, ensure_ascii=False, indent=1)
    (options.out / "report.json").write_text(text, encoding="utf-8")
    return report


def write_before(model: Path, answers: Sequence[Answer], out: Path) -> None:
    """The figures and mistakes of the model that another one is to replace."""
    out.mkdir(parents=True, exist_ok=True)
    write_errors(answers, out / "errors.csv")
    text = json.dumps({"model": model.name, **measures.report(answers)}, ensure_ascii=False, indent=1)
    (out / "report.json").write_text(text, encoding="utf-8")


def read_also(pairs: Sequence[str]) -> dict[str, set[str]]:
    """`meant=accepted` pairs. Raises ValueError for anything else."""
    also: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        meant, equals, accepted = (part.strip() for part in pair.partition("="))
        if not (meant and equals and accepted):
            raise ValueError(f"--also takes INTENT=OTHER, not {pair!r}")
        also[meant].add(accepted)
    return dict(also)


def comparison(
    paths: Sequence[Path], answers: Sequence[Sequence[Answer]], load_seconds: Sequence[float]
) -> dict[str, Any]:
    """The reference's figures, and how many times as long as ours it takes for a message and for loading."""
    ours, reference = (measures.report(of_one) for of_one in answers)
    took, took_reference = (report["overall"]["parse_ms"] for report in (ours, reference))
    return {
        "model": paths[1].name,
        "overall": reference["overall"],
        "languages": reference["languages"],
        "parity": reference["parity"],
        "load_seconds": dict(zip(("ours", "reference"), load_seconds, strict=True)),
        "times_as_long": {
            **{rank: took_reference[rank] / took[rank] for rank in took},
            "load": load_seconds[1] / load_seconds[0],
        },
    }


def warn_of_unknown(intents: set[str]) -> None:
    if intents:
        step(f"warning: the model does not know {', '.join(sorted(intents))}; all of these count as wrong")


def write_errors(answers: Sequence[Answer], file: Path) -> None:
    """Every message that was understood wrongly, the surest mistakes first."""
    wrong = sorted((answer for answer in answers if not answer.right), key=lambda answer: -answer.confidence)
    with file.open("w", encoding="utf-8", newline="") as lines:
        rows = csv.writer(lines)
        rows.writerow(["language", "text", "intent", "predicted", "best_intent", "confidence"])
        for one in wrong:
            rows.writerow(
                [one.language, one.text, one.intent, one.predicted, one.top, f"{one.confidence:.3f}"]
            )


def step(text: str) -> None:
    print(f"evaluate: {text}", flush=True)


def fail(message: str) -> NoReturn:
    print(f"evaluate: {message}", file=sys.stderr, flush=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
