"""What can be in a file of each kind, and by which column names it is known (`headers.yml`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from rapport.kit.languages import LANGUAGES

REQUIRED = {"orders": {"order", "date", "price"}, "customers": set[str](), "products": {"sku", "price"}}
# Of these at least one must be there.
ONE_OF = {
    "orders": ("sku", "description"),
    "customers": ("customer", "email", "phone"),
    "products": ("name", *(f"name_{language}" for language in LANGUAGES)),
}
# Products have these once in the shop's language and once in each by name.
TEXTS = ("name", "description")
# What a language is called in a column's name.
LANGUAGE_CODES = {language: (language,) for language in LANGUAGES} | {"nb": ("nb", "no")}


@dataclass(frozen=True)
class Field:
    """A field with the column names it is known by, folded, the surest first."""

    name: str
    names: tuple[str, ...]
    required: bool


def _load() -> dict[str, tuple[Field, ...]]:
    headers = yaml.safe_load((Path(__file__).parent / "headers.yml").read_text("utf-8"))
    fields = {
        kind: [Field(name, tuple(names), name in REQUIRED[kind]) for name, names in entries.items()]
        for kind, entries in headers.items()
    }
    for text in TEXTS:
        own = next(field for field in fields["products"] if field.name == text)
        fields["products"] += [
            Field(
                f"{text}_{language}", tuple(f"{name} {code}" for code in codes for name in own.names), False
            )
            for language, codes in LANGUAGE_CODES.items()
        ]
    return {kind: tuple(entries) for kind, entries in fields.items()}


FIELDS = _load()
