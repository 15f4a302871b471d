"""The bot's training examples, as they lie in the project's folder."""

from __future__ import annotations

import csv
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rapport.teaching import files
from rapport.teaching.rules import FALLBACK, Example, Known

ENTITIES = "entities.yml"


@dataclass(frozen=True)
class Project:
    """The files of data/nlu, as they were when they were read, and the messages the bot is measured with."""

    folder: Path
    texts: Mapping[str, str]
    held_out: tuple[Example, ...]

    @property
    def nlu(self) -> Path:
        return self.folder / "data" / "nlu"

    def is_writable(self) -> bool:
        """Whether corrections can be written there; not in an installed package."""
        return self.nlu.is_dir() and os.access(self.nlu, os.W_OK)

    @cached_property
    def examples(self) -> tuple[Example, ...]:
        """All examples of intents, as customers would write them."""
        return tuple(
            Example(name, language, files.plain(text))
            for source in self.texts.values()
            for (kind, name, language), listed in files.examples(source).items()
            if kind == "intent"
            for text in listed
        )

    @cached_property
    def intents(self) -> tuple[str, ...]:
        """The intents there are, by name."""
        return tuple(sorted({example.intent for example in self.examples} - {FALLBACK}))

    @cached_property
    def places(self) -> files.Places:
        """Which file holds what."""
        return files.places(self.texts)

    @cached_property
    def synonyms(self) -> dict[str, str]:
        """Words of customers → what they mean."""
        found: dict[str, str] = {}
        for (kind, name, _), listed in files.examples(self.texts.get(ENTITIES, "")).items():
            for words in listed if kind == "synonym" else ():
                found.setdefault(words, name)
        return found

    @cached_property
    def values(self) -> dict[str, tuple[str, ...]]:
        """The entities whose values are listed: name → values."""
        found = files.examples(self.texts.get(ENTITIES, ""))
        synonyms = {name for kind, name, _ in found if kind == "synonym"}
        return {
            name: tuple(value for value in listed if value in synonyms)
            for (kind, name, _), listed in found.items()
            if kind == "lookup" and synonyms & set(listed)
        }

    def known(self) -> Known:
        """What a new example is compared with; a fresh one, to be filled."""
        return self._known.fresh()

    @cached_property
    def _known(self) -> Known:
        return Known(self.examples, self.held_out)


_kept: dict[Path, tuple[object, Project]] = {}
_lock = threading.Lock()


def read(folder: Path) -> Project:
    """The project in `folder`; kept until a file changes."""
    sources = sorted((folder / "data" / "nlu").glob("*.yml"))
    measured = held_out_files(folder)
    stamp = [(file, (told := file.stat()).st_mtime_ns, told.st_size) for file in (*sources, *measured)]
    with _lock:
        kept = _kept.get(folder)
        if kept is None or kept[0] != stamp:
            texts = {file.name: file.read_text(encoding="utf-8") for file in sources}
            kept = (stamp, Project(folder, texts, tuple(_held_out(measured))))
            _kept[folder] = kept
        return kept[1]


def held_out_files(folder: Path) -> list[Path]:
    """The messages the bot is measured with."""
    return sorted((folder / "tests" / "nlu" / "held_out").glob("*.csv"))


def _held_out(measured: list[Path]) -> list[Example]:
    found = []
    for file in measured:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            found += [Example(row["intent"], file.stem[-2:], row["text"]) for row in csv.DictReader(lines)]
    return found
