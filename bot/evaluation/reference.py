"""Rasa's default pipeline, trained on the same examples: what our model is measured against."""

import contextlib
import hashlib
import io
import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rasa.model_training import train_nlu
from rasa.shared.nlu.training_data.loading import load_data
from rasa.shared.utils.io import read_model_configuration, write_yaml

PIPELINE = Path(__file__).parent / "reference.yml"


class Epochs(io.StringIO):
    """Where Rasa draws its progress bar: says each epoch and how long the rest will take."""

    _bar = re.compile(r"(\d+)/(\d+) \[[^<\]]*<([\d:]+)")

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say, self._screen, self._last = say, sys.stdout, ""

    def write(self, text: str) -> int:
        for done, of_all, left in self._bar.findall(text):
            line = f"training Rasa's default pipeline: epoch {done} of {of_all}, about {left} left"
            if line != self._last:  # it is drawn twice an epoch
                self._last = line
                with contextlib.redirect_stdout(self._screen):
                    self._say(line)
        return len(text)


def reference_model(project: Path, kept: Path, epochs: int, say: Callable[[str], None]) -> Path:
    """The reference for the project's examples: the one in `kept` if there is one, else trained now.

    Raises ValueError without examples.
    """
    config = read_model_configuration(PIPELINE)
    for component in config["pipeline"]:
        if component["name"] == "DIETClassifier":
            component["epochs"] = epochs
    data = load_data(str(project / "data" / "nlu"))
    if data.contains_no_pure_nlu_data():
        raise ValueError(f"there are no examples in {project / 'data' / 'nlu'}")
    made_from = f"{data.fingerprint()} {config}"
    path = kept / f"reference-{hashlib.sha256(made_from.encode()).hexdigest()[:12]}.tar.gz"
    if path.is_file():
        say(f"Rasa's default pipeline was trained before: {path}")
        return path
    say(f"training Rasa's default pipeline, {epochs} epochs; how long it takes is said after the first one")
    kept.mkdir(parents=True, exist_ok=True)
    # Beside its place, so that only a whole model ever stands there.
    with tempfile.TemporaryDirectory(dir=kept) as folder:
        trained = train_into(Path(folder), config, project / "data" / "nlu", say)
        trained.replace(path)
    return path


def train_into(folder: Path, config: dict[str, Any], data: Path, say: Callable[[str], None]) -> Path:
    """Trains with nothing but the progress shown."""
    write_yaml(config, folder / "config.yml")
    os.environ["RASA_CACHE_DIRECTORY"] = str(folder / "cache")
    # TensorFlow advises its programmers; Rasa draws no progress bar when told to log errors only.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    os.environ.pop("LOG_LEVEL", None)
    shown, hidden = contextlib.redirect_stderr(Epochs(say)), contextlib.redirect_stdout(io.StringIO())
    with warnings.catch_warnings(), shown, hidden:
        warnings.simplefilter("ignore")
        trained = train_nlu(str(folder / "config.yml"), str(data), str(folder))
    if trained is None:
        raise ValueError("Rasa's default pipeline could not be trained")
    return Path(trained)
