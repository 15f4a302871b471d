"""What the bot says of cases that people worked on, and how a complaint is taken up again."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, select

from rapport.cases import service
from rapport.cases.models import Case
from rapport.conversations import service as conversations
from rapport.conversations.models import Conversation
from rapport.kit.database import read_scope, session_scope
from rapport.kit.languages import LANGUAGES
from rapport.staff.models import Staff
from tests.actions.conftest import Chat

EVERY_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)
FORM = "complaint_form"
ASKING = {
    "en": "what happened to my complaint?",
    "es": "¿qué ha pasado con mi queja?",
    "nb": "hva skjedde med klagen min?",
    "ro": "ce s-a întâmplat cu reclamația mea?",
}


def opened(engine: Engine, chat: Chat, kind: str = "complaint", **more: Any) -> int:
    with session_scope(engine) as session:
        conversation = session.get_one(Conversation, chat.id)
        return conversations.open_case(session, conversation, kind, "It broke.", f"k:{kind}", **more).id


def resolved(engine: Engine, case_id: int, outcome: str, text: str = "") -> None:
    with session_scope(engine) as session:
        staff = Staff(email=f"a{case_id}@fjordly.example", name="Ada", role="agent", language="en")
        session.add(staff)
        session.flush()
        version = session.get_one(Case, case_id).version
        service.resolve(session, case_id, version, staff.id, outcome, text, tell=False)


def begun_with(text: str, told: str | None = None) -> list[dict[str, Any]]:
    before = [{"event": "bot", "timestamp": 1.0, "metadata": {"utter_action": told}}] if told else []
    return [
        *before,
        {"event": "user", "timestamp": 1.5, "text": text, "parse_data": {}},
        {"event": "active_loop", "timestamp": 1.6, "name": FORM},
    ]


@EVERY_LANGUAGE
def test_what_became_of_a_complaint(engine: Engine, chat: Chat, language: str) -> None:
    case_id = opened(engine, chat)
    chat.text, chat.intent = ASKING[language], "complaint"
    answer = chat.run("action_case_status", language=language)
    assert answer.said == ["utter_case_open"]
    assert str(case_id) in answer.texts(language)[0]
    resolved(engine, case_id, "accepted", "You get a new {one}.")
    answer = chat.run("action_case_status", language=language)
    assert answer.said == ["utter_case_done", "utter_case_words"]
    assert "You get a new {one}." in answer.texts(language)[1]


@pytest.mark.parametrize(
    ("outcome", "response"),
    [("partly", "utter_case_partly"), ("refused", "utter_case_refused"), ("withdrawn", "utter_case_closed")],
)
def test_each_outcome_is_told(engine: Engine, chat: Chat, outcome: str, response: str) -> None:
    resolved(engine, opened(engine, chat), outcome)
    assert chat.run("action_case_status").said == [response]


def test_the_bot_repeats_no_promise_of_a_colleagues(engine: Engine, chat: Chat) -> None:
    resolved(engine, opened(engine, chat), "accepted", "You get 20% off your next order.")
    assert chat.run("action_case_status").said == ["utter_case_done"]


def test_who_is_not_known_is_asked_who_they_are(chat: Chat) -> None:
    assert chat.run("action_case_status").next == ["verification_form"]


def test_who_has_no_case_is_told_so(anns_chat: Chat) -> None:
    assert anns_chat.run("action_case_status").said == ["utter_no_case"]


def test_asking_after_a_complaint_is_none(engine: Engine, chat: Chat) -> None:
    opened(engine, chat)
    chat.text, chat.intent, chat.loop = ASKING["en"], "complaint", FORM
    chat.earlier = begun_with(ASKING["en"])
    asked = chat.run("action_ask_complaint_text")
    assert (asked.said, asked.next) == ([], ["action_case_status"])
    assert {"event": "active_loop", "name": None} in [
        {name: event[name] for name in ("event", "name") if name in event} for event in asked.events
    ]
    assert chat.run("action_take_complaint").next == []
    with read_scope(engine) as session:
        assert len(session.scalars(select(Case)).all()) == 1


@pytest.mark.parametrize(
    ("opening", "told", "text", "again"),
    [
        ("/complaint", None, "The zip is still broken.", True),
        ("/complaint", "utter_case_done", "The zip does not close at all.", True),
        ("/complaint", "utter_greet", "The tent came with a hole.", False),
    ],
)
def test_what_is_not_over_is_taken_up_again(
    engine: Engine, chat: Chat, opening: str, told: str | None, text: str, again: bool
) -> None:
    case_id = opened(engine, chat)
    resolved(engine, case_id, "accepted", "Mended.")
    chat.earlier = begun_with(opening, told)
    chat.text, chat.intent, chat.loop = text, "complaint", FORM
    chat.slots["complaint_text"] = text
    for _ in range(2):  # a repeated turn says the same and changes nothing
        taken = chat.run("action_take_complaint", "m9", complaint_text=text)
        assert taken.said == ["utter_complaint_reopened" if again else "utter_complaint_taken"]
    with read_scope(engine) as session:
        cases = {case.id: case.status for case in session.scalars(select(Case))}
    assert cases[case_id] == ("reopened" if again else "resolved")
    assert len(cases) == (1 if again else 2)


def test_an_open_complaint_holds_back_and_a_resolved_one_does_not(engine: Engine, anns_chat: Chat) -> None:
    case_id = opened(engine, anns_chat)
    assert "utter_no_discount_complaint" in anns_chat.run("action_offer_discount").said
    resolved(engine, case_id, "accepted")
    assert "utter_no_discount_complaint" not in anns_chat.run("action_offer_discount").said
