"""What we may answer in public, from texts.yml."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from rapport.mentions import rules
from rapport.shop.phrases import fold

FILE = Path(__file__).with_name("texts.yml")


def suggestion(kind: str, language: str, source_id: str) -> str:
    """An answer to a mention of this kind; always the same to the same one. "" for what needs none."""
    wordings = texts().get(kind, {}).get(language, [])
    return wordings[rules.turn_of(source_id, len(wordings))] if wordings else ""


@cache
def texts() -> dict[str, dict[str, list[str]]]:
    """Every wording, by kind and language."""
    content: Any = yaml.safe_load(FILE.read_text("utf-8"))
    found: dict[str, dict[str, list[str]]] = content
    return found


@cache
def common() -> frozenset[str]:
    """The words of our own wordings: no name, when they are written small."""
    every = " ".join(w for languages in texts().values() for wordings in languages.values() for w in wordings)
    return frozenset(re.findall(r"[^\W\d_]+", fold(every)))
