"""The words of the pages: in all languages, used, and held together with the version people agree to."""

from __future__ import annotations

import hashlib
import json
import re
from string import Formatter

from rapport.customers.rules import PURPOSES, REFUSABLE
from rapport.kit.languages import LANGUAGES
from rapport.preferences import html, rules, texts

# What stands under `agreed`, by version. Whoever changes the words adds a version, and keeps the old line.
AGREED = {"page-1": "f7152407ac728d2d"}


def test_a_text_stands_in_every_language() -> None:
    for name, said in texts.all_texts().items():
        assert set(said) == set(LANGUAGES), name
        assert all(text.strip() for text in said.values()), name
        filled = {frozenset(f for _, f, _, _ in Formatter().parse(text) if f) for text in said.values()}
        assert len(filled) == 1, name


def test_every_text_is_used_and_every_used_one_is_there() -> None:
    folder = html.TEMPLATES.parent
    files = [file for pattern in ("*.py", "templates/*.html") for file in folder.glob(pattern)]
    written = " ".join(file.read_text("utf-8") for file in files)
    known = set(texts.all_texts())
    parts = {name.partition(".")[0] for name in known}
    found = set(re.findall(r"""["']([a-z]+\.[a-z_0-9]+)["']""", written))
    named = {name for name in found if name.partition(".")[0] in parts and not name.endswith(".html")}
    assert named <= known
    often = {f"choices.{name}" for name in rules.OFTEN}
    trouble = {f"trouble.{what}" for what in ("many", "away", "refused")}
    titles = {f"{name}_title" for name in named}
    made_up = ("agreed.", "channels.", "done.", "choices.month_")
    assert {name for name in known if not name.startswith(made_up)} <= named | often | trouble | titles
    done = set(re.findall(r'"([a-z_]+)"', (folder / "service.py").read_text("utf-8"))) | {"nothing", "title"}
    assert {name.partition(".")[2] for name in known if name.startswith("done.")} <= done


def test_purposes_and_channels_have_names() -> None:
    for language in LANGUAGES:
        for purpose in PURPOSES:
            assert texts.purpose(purpose, language)
            assert texts.text(f"agreed.{purpose}_hint", language)
        for channel in REFUSABLE:
            assert texts.channel(channel, language)


def test_what_people_agree_to_has_a_version() -> None:
    agreed = {name: said for name, said in texts.all_texts().items() if name.startswith("agreed.")}
    digest = hashlib.sha256(json.dumps(agreed, sort_keys=True).encode()).hexdigest()[:16]
    assert AGREED[rules.WORDING] == digest
