"""The trained model: is it still right, train it, keep the last ones, say what changed."""

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
from rapport.kit.settings import ROOT

KEEP = 3


@dataclass(frozen=True)
class Model:
    """A trained model file and the manifest beside it."""

    path: Path
    trained_at: datetime
    inputs: dict[str, str]


def inputs(root: Path = ROOT) -> dict[str, str]:
    """SHA-256 of every file a model is made from, by its path from `root`."""
    files = [root / "config.yml", root / "domain.yml", root / "bot" / "uv.lock"]
    files += sorted((root / "data").rglob("*.yml")) + sorted((root / "bot" / "nlu").rglob("*.py"))
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise ConfigurationError(f"{missing[0].relative_to(root)} is missing; a model cannot be trained.")
    return {str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def newest(models: Path) -> Model | None:
    """The model trained last, or None."""
    for manifest in sorted(models.glob("*.json"), reverse=True):
        archive = manifest.with_name(manifest.stem + ".tar.gz")
        if archive.is_file():
            data: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
            return Model(archive, datetime.fromisoformat(data["trained_at"]), data["inputs"])
    return None


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
    code, lines = bot_environment.run("train", arguments, bot_environment.BOT, say)
    archive = models / f"{name}.tar.gz"
    if code != 0 or not archive.is_file():
        # The trainer's last line is its one clear sentence.
        raise ConfigurationError(f"Training failed: {lines[-1] if lines else 'no reason given'}")
    manifest = {"trained_at": now.isoformat(), "inputs": made_from}
    (models / f"{name}.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    _forget_old(models)
    return Model(archive, now, made_from)


def _forget_old(models: Path) -> None:
    for archive in sorted(models.glob("*.tar.gz"))[:-KEEP]:
        archive.unlink()
        archive.with_name(archive.name.removesuffix(".tar.gz") + ".json").unlink(missing_ok=True)
