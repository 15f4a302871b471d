"""What people type into the forms under Settings, read as what a file would hold: `49,90` becomes 4990."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from rapport.console.i18n import mark
from rapport.kit.format import read_money
from rapport.kit.languages import LANGUAGES

Fields = dict[str, str]
MOST_ROWS = 40
NO_MONEY = mark("Write an amount, such as 49.90.")


@dataclass
class Reader:
    """What was typed, in the language of whoever typed it; collects what can't be read."""

    fields: Mapping[str, str]
    language: str
    currency: str
    problems: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        return self.fields.get(name, "").strip()

    def texts(self, name: str) -> dict[str, str]:
        return {code: self.text(f"{name}.{code}") for code in LANGUAGES}

    def optional(self, name: str) -> str | None:
        return self.text(name) or None

    def money(self, name: str) -> int | None:
        """None when nothing stands there."""
        if not (typed := self.text(name)):
            return None
        try:
            return read_money(typed, self.currency, self.language)
        except ValueError:
            self.problems[name] = NO_MONEY
            return 0

    def rows(self) -> range:
        typed = self.text("rows")
        return range(min(int(typed), MOST_ROWS) if typed.isascii() and typed.isdigit() else 0)


def shown_share(share: float) -> str:
    """A share of 1 as a percentage to type."""
    return f"{share * 100:g}"


def typed_share(typed: str) -> float | str | None:
    """A percentage as a share of 1; what is no number stays for the model to refuse."""
    try:
        return float(typed.rstrip("% ").replace(",", ".")) / 100 if typed else None
    except ValueError:
        return typed


def slug(text: str, taken: set[str], otherwise: str) -> str:
    """A key for a new row, made from its name."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    key = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:30] or otherwise
    number = 1
    unique = key
    while unique in taken:
        number += 1
        unique = f"{key}_{number}"
    taken.add(unique)
    return unique
