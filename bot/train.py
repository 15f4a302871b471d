"""Trains a model: `bot/.venv/bin/python bot/train.py [--out DIR] [--fixed-name NAME]`, with one line per
step.

Exit code 1 and one clear line when config.yml, domain.yml or data/ are broken.
"""

import argparse
import contextlib
import io
import logging
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
# Whoever starts a long work holds the other end of this pipe; when they go, the work ends as well.
PARENT_PIPE = "RAPPORT_PARENT_PIPE"


def main() -> None:
    """Trains and prints the path of the model as the last line."""
    options = read_options()
    prepare_environment()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as cache:
        # Rasa keeps results of steps in .rasa/ and takes them again when it believes nothing changed.
        # Training is short here, so each one starts from nothing.
        os.environ["RASA_CACHE_DIRECTORY"] = cache
        try:
            model = train(options.project, options.out, options.fixed_name)
        except KeyboardInterrupt:
            fail("stopped")
        except Exception as error:  # noqa: BLE001, whatever Rasa raises becomes one line
            fail(unreadable_file(options.project) or " ".join(str(error).split()) or type(error).__name__)
    step(f"done in {time.monotonic() - started:.0f} s")
    print(model)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train Rapport's bot.")
    parser.add_argument(
        "--project", type=Path, default=ROOT, help="the folder with config.yml, domain.yml and data/"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "models", help="the folder for the model")
    parser.add_argument("--fixed-name", help="the model's file name; default: the time of training")
    return parser.parse_args()


def prepare_environment() -> None:
    sys.path[0] = str(ROOT)
    os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    os.environ.setdefault("SQLALCHEMY_SILENCE_UBER_WARNING", "1")
    from bot import logs
    from bot.serve import die_with_parent

    if PARENT_PIPE in os.environ:
        die_with_parent(int(os.environ[PARENT_PIPE]))
    logs.configure(logging.ERROR)  # warnings about the project are shown by `train`


def train(project: Path, out: Path, fixed_name: "str | None" = None) -> Path:
    """Trains from `project`; raises ValueError, or whatever Rasa raises, on broken files."""
    step("loading Rasa")
    from bot import speedups

    speedups.apply()
    import rasa.model_training
    from rasa.shared.core.domain import Domain
    from rasa.shared.data import TrainingType
    from rasa.shared.importers.importer import TrainingDataImporter

    from bot import project_check

    config, domain, data = (project / name for name in ("config.yml", "domain.yml", "data"))
    for path in (config, domain, data):
        if not path.exists():
            raise ValueError(f"{path} is missing")
    step("checking domain.yml and data/")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        Domain.load(str(domain))  # raises with the reason; the importer would go on with an empty domain
        importer = TrainingDataImporter.load_from_config(str(config), str(domain), [str(data)])
        nlu, stories, whole = importer.get_nlu_data(), importer.get_stories(), importer.get_domain()
    errors = project_check.errors(whole, nlu, stories)
    if errors:
        raise ValueError("; ".join(errors))
    noted = [" ".join(str(w.message).split()) for w in told if w.category is UserWarning]
    for text in dict.fromkeys(noted + project_check.warnings(whole, nlu)):
        if "Slot auto-fill" not in text:  # Rasa tells everybody that this was otherwise in Rasa 2
            step(f"warning: {text}")
    intents = len(nlu.number_of_examples_per_intent)
    step(f"training on {len(nlu.intent_examples)} examples of {intents} intents")
    # Rasa's chatter and progress bars; log lines still come through.
    hidden = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(hidden), contextlib.redirect_stderr(hidden):
        warnings.simplefilter("ignore")
        # Its public `train` would read all files a second time.
        result = rasa.model_training._train_graph(
            importer,
            training_type=TrainingType.BOTH,
            output_path=str(out),
            fixed_model_name=fixed_name,
            force_full_training=True,
        )
    return Path(result.model)


def unreadable_file(project: Path) -> "str | None":
    """Which file is no YAML, and where: Rasa's own message leaves the name out."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    for path in [project / "config.yml", project / "domain.yml", *sorted((project / "data").rglob("*.yml"))]:
        try:
            YAML(typ="safe").load(path)
        except YAMLError as error:
            return f"{path}: " + " ".join(str(error).split())
        except OSError:
            continue
    return None


def step(text: str) -> None:
    print(f"train: {text}", flush=True)


def fail(message: str) -> NoReturn:
    print(f"train: {message}", file=sys.stderr, flush=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
