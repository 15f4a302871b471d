"""Single words in the customer's language, for the placeholders of responses."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from babel import Locale

from rapport.kit.format import LOCALES


def channel_name(channel: str, language: str) -> str:
    """What a channel is called."""
    return _channels()[channel][language]


def language_name(named: str, language: str) -> str:
    """What the language `named` is called in `language`."""
    return str(Locale.parse(LOCALES[language]).languages.get(named, named))


@cache
def _channels() -> dict[str, dict[str, str]]:
    content = yaml.safe_load(Path(__file__).with_name("words.yml").read_text("utf-8"))
    channels: dict[str, dict[str, str]] = content["channels"]
    return channels
