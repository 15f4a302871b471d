"""`uv run words`: brings the console's translations up to date with its templates and code."""

from __future__ import annotations

import sys
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po, write_po

from rapport.console.i18n import LOCALE
from rapport.kit.languages import DEFAULT_LANGUAGE, LANGUAGES
from rapport.kit.settings import ROOT

SOURCES = [("console/templates/**.html", "jinja2"), ("**.py", "python")]
OPTIONS = {"console/templates/**.html": {"trimmed": "true", "newstyle_gettext": "true"}}
KEYWORDS = {**DEFAULT_KEYWORDS, "mark": None}
TRANSLATED = [language for language in LANGUAGES if language != DEFAULT_LANGUAGE]


def extract(folder: Path = ROOT / "rapport") -> Catalog:
    """Everything the console says, as it stands in templates and code."""
    found = Catalog(project="rapport")
    for _file, _line, message, _comments, _context in extract_from_dir(
        folder, SOURCES, OPTIONS, keywords=KEYWORDS
    ):
        found.add(message)
    return found


def read(language: str) -> Catalog:
    """The translations there are."""
    file = LOCALE / f"{language}.po"
    if not file.is_file():
        return Catalog(locale=language)
    with file.open("rb") as source:
        return read_po(source, locale=language)


def untranslated(catalog: Catalog) -> list[str]:
    """What still lacks its translation."""
    return [
        str(message.id)
        for message in catalog
        if message.id and not all(message.string if isinstance(message.string, tuple) else [message.string])
    ]


def main() -> None:
    """Rewrites locale/*.po: new texts are added without a translation, those no longer used go."""
    template = extract()
    missing = 0
    for language in TRANSLATED:
        catalog = read(language)
        catalog.update(template, no_fuzzy_matching=True)
        catalog.obsolete.clear()
        with (LOCALE / f"{language}.po").open("wb") as file:
            write_po(file, catalog, width=0, no_location=True, sort_output=True, omit_header=True)
        lacking = untranslated(catalog)
        missing += len(lacking)
        print(f"{language}: {len(list(catalog)) - 1} texts, {len(lacking)} without a translation")
    if missing:
        print("Write the missing ones into rapport/console/locale/*.po (msgstr).")
    sys.exit(1 if missing else 0)
