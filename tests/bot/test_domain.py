"""domain.yml, the rules, the training examples and the actions fit together."""

from __future__ import annotations

import pytest

from actions.base import private_actions
from actions.server import make_executor
from tests.bot import project

INTENTS = sorted(project.intents())


def test_names_are_unique() -> None:
    for names in (project.intents(), project.domain()["entities"], project.domain()["actions"]):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("intent", INTENTS)
def test_each_intent_leads_somewhere(intent: str) -> None:
    assert intent in project.rule_intents()


@pytest.mark.parametrize("intent", INTENTS)
def test_each_intent_has_examples_in_each_language(intent: str) -> None:
    lacking = [language for language in project.LANGUAGES if not project.examples().get((intent, language))]
    assert lacking == []


def test_examples_and_rules_know_only_the_intents_of_the_domain() -> None:
    assert {intent for intent, _ in project.examples()} - set(INTENTS) == set()
    assert project.rule_intents() - set(INTENTS) == {"nlu_fallback"}


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
                assert set([named] if isinstance(named, str) else named) <= set(INTENTS), name
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
    assert set(project.domain()["actions"]) == set(make_executor().actions)


def test_it_is_the_customers_turn_after_each_action_that_waited_for_verification() -> None:
    """Without such a rule Rasa would go on with its fallback after it."""
    make_executor()  # imports every action
    private = private_actions()
    alone = {rule["steps"][0].get("action") for rule in project.rules().values() if len(rule["steps"]) == 1}
    assert private and private - alone == set()
