"""The few things the app itself says, read from the same response files as the bot's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from rapport.conversations.rasa import Reply
from rapport.kit.errors import ConfigurationError
from rapport.kit.languages import DEFAULT_LANGUAGE, LANGUAGES
from rapport.kit.settings import ROOT

TROUBLE = "utter_trouble"
TROUBLE_FILE = ROOT / "data" / "responses" / "trouble.yml"


def load_response(name: str, path: Path) -> dict[str, Reply]:
    """The first variation of a response for each language. Raises ConfigurationError as below."""
    return {language: found[0] for language, found in load_variations(name, path).items()}


def load_variations(name: str, path: Path) -> dict[str, list[Reply]]:
    """All variations of a response for each language.

    Raises ConfigurationError when the file, the response or one of the languages is missing.
    """
    replies: dict[str, list[Reply]] = {}
    try:
        for variation in yaml.safe_load(path.read_text(encoding="utf-8"))["responses"][name]:
            buttons = [(b["title"], b["payload"]) for b in variation.get("buttons", [])]
            for language in _languages(variation):
                reply = Reply(variation["text"], buttons, None, None, name)
                replies.setdefault(language, []).append(reply)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path}: {name} cannot be read ({type(error).__name__}).") from None
    missing = [language for language in LANGUAGES if language not in replies]
    if missing:
        raise ConfigurationError(f"{path}: {name} has no text for {', '.join(missing)}.")
    return replies


def _languages(variation: dict[str, Any]) -> list[str]:
    """A variation without a condition is the default language's."""
    conditions = variation.get("condition", [])
    named = [c["value"] for c in conditions if c["type"] == "slot" and c["name"] == "language"]
    return named or ([] if conditions else [DEFAULT_LANGUAGE])
