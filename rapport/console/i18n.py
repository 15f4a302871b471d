"""The console's words in four languages: English stands in templates and code, the others in locale/*.po.

CONTRIBUTING.md says how the files are brought up to date; tests/console/test_i18n.py holds them complete.
"""

from __future__ import annotations

import gettext
from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALE = Path(__file__).parent / "locale"


def mark(message: str) -> str:
    """Marks a text for translation where it is written; it is translated where it is shown."""
    return message


@cache
def translations(language: str) -> gettext.NullTranslations:
    """The texts of a language. Compiled at the first use, so that no built file can be out of date."""
    file = LOCALE / f"{language}.po"
    if not file.is_file():
        return gettext.NullTranslations()
    with file.open("rb") as source:
        catalog = read_po(source, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
