"""Single words in the customer's language, for the placeholders of responses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from babel import Locale

from rapport.kit.format import LOCALES, number


def channel_name(channel: str, language: str) -> str:
    """What a channel is called."""
    return str(_words("channels")[channel][language])


def stock_words(stock: str, language: str) -> str:
    """Whether something can be had, in words."""
    return str(_words("stock")[stock][language])


def yes_or_no(answer: bool, language: str) -> str:
    """Yes or no."""
    return str(_words("answers")["yes" if answer else "no"][language])


def intent_button(intent: str, language: str, entities: Mapping[str, Any] | None = None) -> tuple[str, str]:
    """The title and payload of a button that stands for saying this, and naming `entities` with it."""
    named = json.dumps(entities, separators=(",", ":")) if entities else ""
    return _words("intents")[intent][language], f"/{intent}{named}"


def something_else_button(language: str) -> tuple[str, str]:
    """The button for whoever finds nothing among those offered; it leads to what there is."""
    return _words("buttons")["something_else"][language], "/ask_capabilities"


def tell_when_back_button(sku: str, language: str) -> tuple[str, str]:
    """The button for whoever wants to be told when this product can be had again."""
    named = json.dumps({"product": sku, "wish": "back"}, separators=(",", ":"))
    return _words("buttons")["tell_when_back"][language], f"/state_interest{named}"


def counted(thing: str, value: int, language: str) -> str:
    """A number of things: `1 point`, `20 de puncte`."""
    forms = _words("counted")[thing][language]
    form = Locale.parse(LOCALES[language]).plural_form(value)
    return str(forms.get(form, forms["other"])).format(n=number(value, language))


def points(value: int, language: str) -> str:
    """A number of points."""
    return counted("points", value, language)


def line(name: str, language: str, **variables: str) -> str:
    """A sentence or line that is part of a longer answer."""
    return str(_words("lines")[name][language]).format(**variables)


def standing(score: str, value: int, language: str) -> str:
    """One of the scores `recency`, `frequency` and `monetary` (1 to 5) in words."""
    middle = 3 if score == "recency" else 2  # who ordered twice has ordered now and then
    return str(_words(score)["high" if value >= 4 else "middle" if value >= middle else "low"][language])


def segment_name(segment: str, language: str) -> str | None:
    """A segment of customers in words they may hear; None for one the shop made itself."""
    names = _words("segments").get(segment)
    return names[language] if names else None


def button_intents() -> frozenset[str]:
    """The intents that can stand on a button."""
    return frozenset(_words("intents"))


def language_name(named: str, language: str) -> str:
    """What the language `named` is called in `language`."""
    return str(Locale.parse(LOCALES[language]).languages.get(named, named))


@cache
def _words(section: str) -> dict[str, dict[str, Any]]:
    content = yaml.safe_load(Path(__file__).with_name("words.yml").read_text("utf-8"))
    words: dict[str, dict[str, Any]] = content[section]
    return words
