"""Messages whose intent is known, read from a CSV or a Rasa file."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "es", "nb", "ro")
TEXT_COLUMNS = ("text", "utterance")
_LANGUAGE_IN_NAME = re.compile(rf"(?:^|[_.-])({'|'.join(LANGUAGES)})$")


@dataclass(frozen=True)
class Labelled:
    """One message; `language` is "" when nobody said which it is."""

    text: str
    intent: str
    language: str = ""


def read(files: Iterable[Path]) -> list[Labelled]:
    """The messages of all files, in order. Raises ValueError with what is wrong with a file."""
    return [message for file in files for message in read_file(file)]


def read_file(file: Path) -> list[Labelled]:
    """The messages of one file; where it does not tell the language, its name does (es.csv, new_es.yml)."""
    if not file.is_file():
        raise ValueError(f"no such file: {file}")
    named = _LANGUAGE_IN_NAME.search(file.stem.lower())
    language = named[1] if named else ""
    try:
        found = from_csv(file, language) if file.suffix.lower() == ".csv" else from_rasa(file, language)
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not written in UTF-8") from error
    if not found:
        raise ValueError(f"{file} holds no messages with an intent")
    return found


def from_csv(file: Path, language: str) -> list[Labelled]:
    """Columns text (or utterance), intent and, if there, language; others are left alone."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        names = {(name or "").strip().lower(): name for name in rows.fieldnames or []}
        text = next((names[name] for name in TEXT_COLUMNS if name in names), None)
        if text is None or "intent" not in names:
            there = ", ".join(names) or "none"
            raise ValueError(f"{file} needs the columns text (or utterance) and intent; it has {there}")
        found = []
        for row in rows:
            message = (row[text] or "").strip()
            intent = (row[names["intent"]] or "").strip()
            if not message or not intent:
                raise ValueError(f"{file}, line {rows.line_num}: a text and an intent are needed")
            told = (row.get(names.get("language")) or "").strip()
            found.append(Labelled(message, intent, told or language))
    return found


def from_rasa(file: Path, language: str) -> list[Labelled]:
    """The examples of a Rasa NLU file; `metadata: {language: xx}` of a block tells its language."""
    from rasa.shared.exceptions import RasaException
    from rasa.shared.nlu.training_data.loading import load_data

    try:
        examples = load_data(str(file)).intent_examples
    except (RasaException, ValueError) as error:
        raise ValueError(f"{file} is no Rasa NLU file: {' '.join(str(error).split())}") from error
    return [of_example(example, language) for example in examples]


def of_example(example: Any, language: str = "") -> Labelled:
    """A training example of Rasa's as a labelled message."""
    metadata = (example.get("metadata") or {}).get("intent") or {}
    told = metadata.get("language") if isinstance(metadata, dict) else None
    return Labelled(example.get("text"), example.get("intent"), told or language)
