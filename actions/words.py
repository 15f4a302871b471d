"""Single words in the customer's language, for the placeholders of responses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from babel import Locale

from rapport.kit.format import LOCALES


def channel_name(channel: str, language: str) -> str:
    """What a channel is called."""
    return _words("channels")[channel][language]


def stock_words(stock: str, language: str) -> str:
    """Whether something can be had, in words."""
    return _words("stock")[stock][language]


def yes_or_no(answer: bool, language: str) -> str:
    """Yes or no."""
    return _words("answers")["yes" if answer else "no"][language]


def intent_button(intent: str, language: str, entities: Mapping[str, Any] | None = None) -> tuple[str, str]:
    """The title and payload of a button that stands for saying this, and naming `entities` with it."""
    named = json.dumps(entities, separators=(",", ":")) if entities else ""
    return _words("intents")[intent][language], f"/{intent}{named}"


def something_else_button(language: str) -> tuple[str, str]:
    """The button for whoever finds nothing among those offered; it leads to what there is."""
    return _words("buttons")["something_else"][language], "/ask_capabilities"


def button_intents() -> frozenset[str]:
    """The intents that can stand on a button."""
    return frozenset(_words("intents"))


def language_name(named: str, language: str) -> str:
    """What the language `named` is called in `language`."""
    return str(Locale.parse(LOCALES[language]).languages.get(named, named))


@cache
def _words(section: str) -> dict[str, dict[str, str]]:
    content = yaml.safe_load(Path(__file__).with_name("words.yml").read_text("utf-8"))
    words: dict[str, dict[str, str]] = content[section]
    return words
