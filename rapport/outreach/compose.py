"""The words of our mails: texts/<purpose>.yml holds a subject and a text in each language."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parseaddr
from functools import cache
from pathlib import Path

import yaml

from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import get_settings

TEXTS = Path(__file__).parent / "texts"


@dataclass(frozen=True)
class Wording:
    """A mail's subject and plain text."""

    subject: str
    text: str


def purposes() -> list[str]:
    """Every purpose there is a text for."""
    return sorted(path.stem for path in TEXTS.glob("*.yml"))


@cache
def wordings(purpose: str) -> dict[str, Wording]:
    """A purpose's wording in each language, with its placeholders."""
    content = yaml.safe_load((TEXTS / f"{purpose}.yml").read_text("utf-8"))
    return {language: Wording(**content[language]) for language in LANGUAGES}


def compose(purpose: str, language: str, **values: str | int) -> Wording:
    """The wording in one language with `values` and the shop's name filled in."""
    wording = wordings(purpose)[language]
    values.setdefault("shop", shop_name())
    return Wording(wording.subject.format(**values), wording.text.format(**values))


def shop_name() -> str:
    """The name customers see as the sender of our mails."""
    name, address = parseaddr(get_settings().mail_from)
    return name or address
