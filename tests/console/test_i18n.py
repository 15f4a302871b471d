"""The console speaks four languages alike: every text is there, with the same gaps to fill."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from rapport.app import create_app
from rapport.cli import words
from rapport.console.i18n import translations
from rapport.console.navigation import ENTRIES
from rapport.console.templating import TEMPLATES, environment
from rapport.kit.settings import Settings
from tests.console.client import StaffClient, add_staff, address
from tests.fake_rasa import FakeRasa

GAP = re.compile(r"%\((\w+)\)s|<[^>]+>")


def gaps(text: str) -> list[str]:
    return sorted(GAP.findall(text))


@pytest.mark.parametrize("language", words.TRANSLATED)
def test_nothing_lacks_its_translation(language: str) -> None:
    wanted = {message.id for message in words.extract() if message.id}
    assert wanted, "nothing was found"
    catalog = words.read(language)
    have = {message.id for message in catalog if message.id}
    assert wanted - have == set(), "run `uv run words` and translate"
    assert have - wanted == set(), "run `uv run words`: these are no longer used"
    assert words.untranslated(catalog) == []
    assert [message.id for message in catalog if message.fuzzy and message.id] == []


@pytest.mark.parametrize("language", words.TRANSLATED)
def test_translations_fill_the_same_gaps(language: str) -> None:
    for message in words.read(language):
        if not message.id:
            continue
        if isinstance(message.id, tuple):
            # The form for one may say "one" in words.
            assert all(set(gaps(form)) <= set(gaps(message.id[1])) for form in message.string), message.id
            assert gaps(message.string[-1]) == gaps(message.id[1]), message.id
        else:
            assert gaps(message.string) == gaps(message.id), message.id


def test_romanian_counts_as_romanians_do() -> None:
    counted = translations("ro").ngettext(
        "Too many tries. Wait %(num)s minute and try again.",
        "Too many tries. Wait %(num)s minutes and try again.",
        20,
    )
    assert "%(num)s de minute" in counted


def test_what_a_variable_holds_is_escaped_when_it_is_translated() -> None:
    """`_()` gives markup: it must stand before a text of the template's own; variables take `tr()`."""
    found = [
        f"{file.name}: {match[0]}"
        for file in TEMPLATES.glob("*.html")
        for match in re.finditer(
            r"""(?<![\w.])(?:n?gettext|_)\((?!\s*["')])[^)]*\)""", file.read_text("utf-8")
        )
    ]
    assert found == []
    hostile = environment("en").from_string("{{ tr(said) }}").render(said="<script>")
    assert hostile == "&lt;script&gt;"


PAGES = [entry.path for entry in ENTRIES] + ["/console/account", "/console/settings/hours"]


@pytest.mark.parametrize("language", words.TRANSLATED)
def test_pages_are_shown_in_every_language(language: str, sqlite_engine: Engine, app: FastAPI) -> None:
    add_staff(sqlite_engine, "admin", language)
    admin = StaffClient(app, address("admin"))
    save = translations(language).gettext("Log out")
    for path in PAGES:
        page = admin.page(path)
        assert f'<html lang="{language}">' in page
        assert save in page
        assert "Log out" not in page
    gone = admin.get("/console/conversations/" + "0" * 32)
    assert gone.status_code == 404
    assert f'<html lang="{language}">' in gone.text, "the page that says what went wrong, too"
    assert translations(language).gettext("There is no such conversation.") in gone.text
    assert "There is no such" not in gone.text


@pytest.fixture
def app(settings: Settings, sqlite_engine: Engine, rasa: FakeRasa) -> FastAPI:
    return create_app(settings.model_copy(update={"rasa_port": rasa.port}), sqlite_engine)
