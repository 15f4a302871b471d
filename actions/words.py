"""Single words in the customer's language, for the placeholders of responses."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from babel import Locale

from rapport.kit.format import LOCALES


def channel_name(channel: str, language: str) -> str:
    """What a channel is called."""
    return _words("channels")[channel][language]


def intent_button(intent: str, language: str) -> tuple[str, str]:
    """The title and payload of a button that stands for saying this."""
    return _words("intents")[intent][language], f"/{intent}"


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
