"""domain.yml, the rules, the training examples and the actions fit together."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest
from rasa_sdk import Action

import actions
from actions.base import PrivateAction
from tests.bot import project

INTENTS = sorted(project.intents())


def test_names_are_unique() -> None:
    for part in ("intents", "entities", "actions"):
        names = project.domain()[part]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("intent", INTENTS)
def test_each_intent_leads_somewhere(intent: str) -> None:
    assert intent in project.rule_intents()


@pytest.mark.parametrize("intent", INTENTS)
def test_each_intent_has_examples_in_each_language(intent: str) -> None:
    lacking = [language for language in project.LANGUAGES if not project.examples().get((intent, language))]
    assert lacking == []


def test_examples_and_rules_know_only_the_intents_of_the_domain() -> None:
    assert {intent for intent, _ in project.examples()} - project.intents() == set()
    assert project.rule_intents() - project.intents() == {"nlu_fallback"}


def test_rules_know_only_what_exists() -> None:
    domain = project.domain()
    known = {*domain["actions"], *domain["forms"], *project.responses(), *project.RASA_ACTIONS}
    assert project.rule_actions() - known == set()


def test_slots_are_filled_from_what_exists() -> None:
    domain = project.domain()
    for name, slot in domain["slots"].items():
        for mapping in slot["mappings"]:
            if "entity" in mapping:
                assert mapping["entity"] in domain["entities"], name
            for key in ("intent", "not_intent"):
                named = mapping.get(key, [])
                assert {named} if isinstance(named, str) else set(named) <= project.intents(), name
            for condition in mapping.get("conditions", []):
                assert condition["active_loop"] in {None, *domain["forms"]}, name


def test_forms_ask_for_slots() -> None:
    for form in project.domain()["forms"].values():
        assert set(form["required_slots"]) <= set(project.domain()["slots"])


def test_few_slots_take_part_in_choosing_what_happens_next() -> None:
    slots = project.domain()["slots"].items()
    assert [name for name, slot in slots if slot["influence_conversation"]] == ["verified"]


def test_a_code_and_an_order_number_never_fill_each_others_slot() -> None:
    """In the verification form a message fills one of the two at most, whatever was found in it."""
    slots = project.domain()["slots"]
    [code] = [m for m in slots["code"]["mappings"] if m["type"] == "from_entity"]
    assert code["conditions"] == [{"active_loop": "verification_form", "requested_slot": "code"}]
    for mapping in slots["order_number"]["mappings"]:
        if {"active_loop": "verification_form"} in mapping.get("conditions", []):
            assert set(mapping["intent"]) <= set(code["not_intent"])


def test_the_domain_lists_exactly_the_actions_there_are() -> None:
    assert set(project.domain()["actions"]) == {action().name() for action in action_classes()}


def test_it_is_the_customers_turn_after_each_action_that_waited_for_verification() -> None:
    """Without such a rule Rasa would go on with its fallback after it."""
    private = {action().name() for action in action_classes() if issubclass(action, PrivateAction)}
    alone = {rule["steps"][0].get("action") for rule in project.rules().values() if len(rule["steps"]) == 1}
    assert private - alone == set()


def action_classes() -> Iterator[type[Action]]:
    seen = set()
    for found in pkgutil.walk_packages(actions.__path__, "actions."):
        for _, value in inspect.getmembers(importlib.import_module(found.name), inspect.isclass):
            ours = issubclass(value, Action) and value.__module__.startswith("actions.")
            if ours and not inspect.isabstract(value) and value not in seen:
                seen.add(value)
                yield value
