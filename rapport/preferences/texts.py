"""The words of the pages behind our links: texts.yml, in each language."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from rapport.kit.languages import DEFAULT_LANGUAGE, LANGUAGES

FILE = Path(__file__).parent / "texts.yml"


@cache
def all_texts() -> dict[str, dict[str, str]]:
    """Every text by its name (`choices.save`) and language."""
    content: dict[str, dict[str, dict[str, str]]] = yaml.safe_load(FILE.read_text("utf-8"))
    return {f"{part}.{name}": text for part, texts in content.items() for name, text in texts.items()}


def text(name: str, language: str, **values: Any) -> str:
    """A text with its placeholders filled in. Raises KeyError when there is none of that name."""
    spoken = language if language in LANGUAGES else DEFAULT_LANGUAGE
    return all_texts()[name][spoken].format(**values)


def channel(name: str, language: str) -> str:
    """What a channel is called in the middle of a sentence."""
    return text(f"channels.{name}", language)


def purpose(name: str, language: str) -> str:
    """What a purpose is called."""
    return text(f"agreed.{name}", language)
