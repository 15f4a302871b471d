"""The trained models: which one is live, is it still right, train one, keep the last ones, say what changed.

The live model is the one that `models/live.txt` names; without that file, the one trained last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rapport.cli import bot_environment
from rapport.kit import clock
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import ROOT, get_settings

KEEP = 6
POINTER = "live.txt"
# Set beside the pointer by who rolled back or forward: the files of then, which the live model is not quite
# made from, and for which nothing need be trained.
ACCEPTED = "live.accepted.json"


@dataclass(frozen=True)
class Model:
    """A trained model file and the manifest beside it."""

    path: Path
    trained_at: datetime
    inputs: dict[str, str]

    @property
    def name(self) -> str:
        """As the pointer, runs and Rasa name it."""
        return self.path.name.removesuffix(".tar.gz")


def inputs(project: Path | None = None, code: Path = ROOT) -> dict[str, str]:
    """SHA-256 of every file a model is made from, by its path: config, domain and data from `project` (by
    default the settings'), the bot's own parts from `code`.
    """
    root = project or get_settings().project_dir
    files = {root / name: name for name in ("config.yml", "domain.yml")}
    files |= {file: str(file.relative_to(root)) for file in sorted((root / "data").rglob("*.yml"))}
    files |= {code / "bot" / "uv.lock": "bot/uv.lock"}
    files |= {file: str(file.relative_to(code)) for file in sorted((code / "bot" / "nlu").rglob("*.py"))}
    missing = [name for file, name in files.items() if not file.is_file()]
    if missing:
        raise ConfigurationError(f"{missing[0]} is missing; a model cannot be trained.")
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for file, name in files.items()}


def kept(models: Path) -> list[Model]:
    """All models there are, the newest first."""
    found = []
    for manifest in sorted(models.glob("*.json"), reverse=True):
        archive = manifest.with_name(manifest.stem + ".tar.gz")
        if archive.is_file():
            data: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
            found.append(Model(archive, datetime.fromisoformat(data["trained_at"]), data["inputs"]))
    return found


def newest(models: Path) -> Model | None:
    """The model trained last, or None."""
    return next(iter(kept(models)), None)


def named(models: Path) -> str | None:
    """The name of the live model, if one was chosen."""
    try:
        return (models / POINTER).read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None


def live(models: Path) -> Model | None:
    """The model that answers customers; None when there is none at all."""
    name, there = named(models), kept(models)
    return next((model for model in there if model.name == name), there[0] if there else None)


def set_live(models: Path, name: str, accepted: dict[str, str] | None = None) -> None:
    """Makes a model the live one; a running supervisor starts Rasa again with it.

    `accepted` are files it is not quite made from and that are right all the same.
    """
    _write(models / ACCEPTED, json.dumps(accepted or {}))
    _write(models / POINTER, name + "\n")


def is_right(model: Model, models: Path, now: dict[str, str]) -> bool:
    """Whether nothing need be trained: the model is made from these files, or they were accepted with it."""
    if not changes(model.inputs, now):
        return True
    right = accepted(models)
    return model.name == named(models) and bool(right) and not changes(right, now)


def accepted(models: Path) -> dict[str, str]:
    """The files that were accepted with the live model."""
    file = models / ACCEPTED
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found


def _write(file: Path, text: str) -> None:
    # Nobody may read half a file.
    written = file.with_suffix(".new")
    written.write_text(text, encoding="utf-8")
    written.replace(file)


def changes(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """What differs between two sets of inputs, a line each."""
    lines = [f"new      {name}" for name in sorted(new.keys() - old.keys())]
    lines += [f"changed  {name}" for name in sorted(new.keys() & old.keys()) if new[name] != old[name]]
    return lines + [f"removed  {name}" for name in sorted(old.keys() - new.keys())]


def train(models: Path, say: Callable[[str], None]) -> Model:
    """Train a model from the repository's files and keep the last few.

    Raises ConfigurationError with the trainer's own words when data, domain or config are broken.
    """
    models.mkdir(parents=True, exist_ok=True)
    made_from = inputs()
    now = clock.now()
    name = now.strftime("%Y%m%d-%H%M%S-%f")
    arguments: list[str | Path] = ["train.py", "--out", models.resolve(), "--fixed-name", name]
    arguments += ["--project", get_settings().project_dir.resolve()]
    code, lines = bot_environment.run("train", arguments, bot_environment.BOT, say)
    archive = models / f"{name}.tar.gz"
    if code != 0 or not archive.is_file():
        # The trainer's last line is its one clear sentence.
        raise ConfigurationError(f"Training failed: {lines[-1] if lines else 'no reason given'}")
    keep(models, archive, made_from)
    set_live(models, name)
    forget_old(models)
    return Model(archive, now, made_from)


def keep(models: Path, archive: Path, made_from: dict[str, str]) -> None:
    """Writes the manifest of a model whose archive lies in `models` already; then it counts."""
    manifest = {"trained_at": clock.now().isoformat(), "inputs": made_from}
    name = archive.name.removesuffix(".tar.gz")
    _write(models / f"{name}.json", json.dumps(manifest, indent=1))


def forget_old(models: Path) -> None:
    """Only the last few are kept, and the live one."""
    for archive in sorted(models.glob("*.tar.gz"))[:-KEEP]:
        name = archive.name.removesuffix(".tar.gz")
        if name != named(models):
            archive.unlink()
            (models / f"{name}.json").unlink(missing_ok=True)
