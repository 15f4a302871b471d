"""What the bot says: the same in four languages, and nothing it is asked to say is missing."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.bot import project

NAMES = sorted(project.responses())
LONGEST_TITLE = 24
RASAS_KEY = "utter_action"  # where an event names its response


@pytest.mark.parametrize("name", NAMES)
def test_speaks_each_language_alike(name: str) -> None:
    variations = project.responses()[name]
    counted = Counter(project.language_of(variation) for variation in variations)
    assert set(counted) == set(project.LANGUAGES)
    assert len(set(counted.values())) == 1, f"more wordings in one language than in another: {counted}"
    texts = Counter((project.language_of(variation), variation["text"]) for variation in variations)
    assert not [text for text, times in texts.items() if times > 1]


@pytest.mark.parametrize("name", NAMES)
def test_uses_the_same_variables_and_buttons_everywhere(name: str) -> None:
    variations = project.responses()[name]
    assert len({frozenset(project.variables(variation["text"])) for variation in variations}) == 1
    assert len({tuple(b["payload"] for b in variation.get("buttons", [])) for variation in variations}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_clean(name: str) -> None:
    for variation in project.responses()[name]:
        text, language = variation["text"], project.language_of(variation)
        assert text == text.strip() and "  " not in text
        for mark, opening in (("?", "¿"), ("!", "¡")):
            assert text.count(opening) == (text.count(mark) if language == "es" else 0), text
        if language == "ro":
            assert not set(text) & set("şţŞŢãÃ"), f"Romanian has ș and ț with a comma below: {text}"


@pytest.mark.parametrize("name", NAMES)
def test_buttons_are_short_and_lead_somewhere(name: str) -> None:
    for variation in project.responses()[name]:
        buttons = variation.get("buttons", [])
        titles = [button["title"] for button in buttons]
        assert len(set(titles)) == len(titles)
        for button in buttons:
            assert 0 < len(button["title"]) <= LONGEST_TITLE, button["title"]
            # Rasa fills variables in payloads too, so the braces of JSON are doubled there.
            payload = button["payload"].replace("{{", "{").replace("}}", "}")
            match = re.fullmatch(r"/(\w+)(\{.*\})?", payload)
            assert match, payload
            assert match[1] in project.intents()
            assert set(json.loads(match[2] or "{}")) <= set(project.domain()["entities"])


@pytest.mark.parametrize("name", NAMES)
def test_has_another_wording_for_the_next_time(name: str) -> None:
    assert len(project.responses()[name]) >= 2 * len(project.LANGUAGES)


def test_everything_asked_for_is_there() -> None:
    asked = {action for action in project.rule_actions() if action.startswith("utter_")}
    asked |= asked_by_forms()
    asked |= {name for name in mentioned() if not name.endswith("_")}
    assert asked - set(NAMES) == set()


def test_nothing_is_there_that_nobody_asks_for() -> None:
    asked = project.rule_actions() | mentioned()
    asked |= asked_by_forms()
    beginnings = tuple(name for name in asked if name.endswith("_"))
    assert [name for name in NAMES if name not in asked and not name.startswith(beginnings or ("-",))] == []


def test_actions_fill_every_variable() -> None:
    missing = [
        f"{name} in {where} lacks {', '.join(sorted(lacking))}"
        for where, name, given in said()
        if (lacking := project.variables(project.responses()[name][0]["text"]) - given)
    ]
    assert missing == []


def asked_by_forms() -> set[str]:
    """The questions for the slots of forms, except where an action asks."""
    slots = {slot for form in project.domain()["forms"].values() for slot in form["required_slots"]}
    return {f"utter_ask_{slot}" for slot in slots if f"action_ask_{slot}" not in project.domain()["actions"]}


def test_what_a_rule_says_by_itself_has_nothing_to_fill_in() -> None:
    """Only actions know facts. Rasa would fill a placeholder from the slot of that name, or with "None"."""
    said_by_actions = mentioned()
    by_rules = {name for name in project.rule_actions() if name in project.responses()}
    alone = {name for name in by_rules if not name.startswith("utter_ask_")} - said_by_actions
    assert {name for name in alone if project.variables(project.responses()[name][0]["text"])} == set()


def mentioned() -> set[str]:
    """The response names in the code; one that is put together there ends in "_"."""
    text = "".join(path.read_text("utf-8") for path in project.sources("actions", "rapport", "bot"))
    return set(re.findall(r"[\"'](utter_\w+)", text)) - {RASAS_KEY}


def said() -> Iterator[tuple[str, str, set[str]]]:
    """Where an action says which response with which variables, except where a dictionary brings them."""
    for path in project.sources("actions"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or any(keyword.arg is None for keyword in node.keywords):
                continue
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and argument.value in project.responses():
                    given = {keyword.arg for keyword in node.keywords if keyword.arg}
                    yield f"{path.name}:{node.lineno}", argument.value, given
