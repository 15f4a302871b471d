"""Complaints: what is one, what is said in between, and what was told at the start."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, select

from rapport.cases.models import Case
from rapport.kit.database import read_scope
from rapport.kit.languages import LANGUAGES
from tests.actions.conftest import Answer, Chat

EVERY_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)
FORM, VALIDATE = "complaint_form", "validate_complaint_form"
STORY = "the tent came with a hole in it and nobody answers the phone"
REJECTED = {"event": "action_execution_rejected", "name": FORM}


@pytest.fixture
def asked(chat: Chat) -> Chat:
    """Somebody who was asked what happened."""
    chat.loop, chat.earlier = FORM, begun_with("I have a complaint")
    chat.slots["requested_slot"] = "complaint_text"
    return chat


def begun_with(text: str) -> list[dict[str, Any]]:
    """What Rasa has noted when the form asks for the first time."""
    return [
        {"event": "user", "timestamp": 1.5, "text": text, "parse_data": {}},
        {"event": "active_loop", "timestamp": 1.6, "name": FORM},
    ]


def answer(chat: Chat, text: str, intent: str, **entities: str) -> Answer:
    chat.text, chat.intent = text, intent
    chat.entities = [{"entity": name, "value": value} for name, value in entities.items()]
    return chat.fill(VALIDATE, complaint_text="yes" if intent == "affirm" else text)


@EVERY_LANGUAGE
def test_it_asks_what_happened_or_offers_to_pass_on_what_was_said(chat: Chat, language: str) -> None:
    for opening, response in [
        ("I have a complaint", "utter_ask_complaint_text"),
        ("/complaint", "utter_ask_complaint_text"),
        (STORY, "utter_complaint_as_it_is"),
    ]:
        chat.earlier = begun_with(opening)
        asked = chat.run("action_ask_complaint_text", language=language)
        assert asked.said == [response]
        assert asked.texts(language)


def test_a_yes_passes_on_what_was_said(engine: Engine, asked: Chat) -> None:
    asked.earlier = begun_with(STORY)
    taken = answer(asked, "yes please", "affirm")
    assert (taken.said, taken.slots) == ([], {"complaint_text": STORY})
    assert asked.run("action_take_complaint").said == ["utter_complaint_taken"]
    with read_scope(engine) as session:
        assert session.scalars(select(Case.text)).all() == [STORY]


def test_more_is_added_to_what_was_said(engine: Engine, asked: Chat) -> None:
    asked.earlier = begun_with(STORY)
    answer(asked, "the pole is bent", "complaint")
    asked.run("action_take_complaint")
    with read_scope(engine) as session:
        assert session.scalars(select(Case.text)).all() == [f"{STORY}\n\nthe pole is bent"]


def test_a_yes_to_nothing_is_no_complaint(asked: Chat) -> None:
    taken = answer(asked, "yes", "affirm")
    assert (taken.said, taken.slots) == (["utter_form_continue"], {"complaint_text": None})


@EVERY_LANGUAGE
def test_an_insult_is_no_complaint(asked: Chat, language: str) -> None:
    asked.slots["language"] = language
    taken = answer(asked, "eres imbécil", "out_of_scope", insult="insult")
    assert (taken.said, taken.slots) == (["utter_calm"], {"complaint_text": None})
    assert taken.texts(language)


@EVERY_LANGUAGE
@pytest.mark.parametrize(
    ("text", "intent"),
    [("perdona un momento", "out_of_scope"), ("🤷", "nlu_fallback"), ("???", "complaint")],
)
def test_what_tells_nothing_is_asked_again(asked: Chat, text: str, intent: str, language: str) -> None:
    asked.slots["language"] = language
    taken = answer(asked, text, intent)
    assert (taken.said, taken.slots) == (["utter_complaint_too_short"], {"complaint_text": None})
    assert taken.texts(language)


@pytest.mark.parametrize(
    ("text", "intent"),
    [("zip broke", "complaint"), ("no llegó nada", "track_order"), ("glidelåsen røk i går", "out_of_scope")],
)
def test_a_few_words_are_enough(asked: Chat, text: str, intent: str) -> None:
    taken = answer(asked, text, intent)
    assert (taken.said, taken.slots) == ([], {"complaint_text": text})


@pytest.mark.parametrize(
    ("text", "intent"),
    [("where is my order", "track_order"), ("unsubscribe me", "unsubscribe"), ("what?", "nlu_fallback")],
)
def test_a_question_is_left_to_the_rules(asked: Chat, text: str, intent: str) -> None:
    taken = answer(asked, text, intent)
    assert (taken.said, taken.slots) == ([], {"complaint_text": None})
    assert [event["event"] for event in taken.events] == ["slot", REJECTED["event"]]
    assert taken.events[1]["name"] == FORM


@pytest.mark.parametrize("intent", ["out_of_scope", "complaint"])
def test_a_question_the_shop_answers_is_answered(asked: Chat, intent: str) -> None:
    taken = answer(asked, "do you sell replacement poles?", intent, topic="repairs")
    assert (taken.said, taken.slots) == (["utter_knowledge"], {"complaint_text": None})
    assert len(taken.events) == 1, "and the form asks again"
