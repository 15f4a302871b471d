"""How the help was: asked now and then, kept once, in all languages, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from rapport.channels.models import ContactPoint
from rapport.conversations import service as conversations
from rapport.conversations.models import Conversation, Message
from rapport.customers.models import Customer
from rapport.insight.models import Satisfaction
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.languages import LANGUAGES
from tests.actions.conftest import NOW, Chat

ASKS = ["utter_thanked", "utter_satisfaction_ask"]


def said(chat: Chat, author: str, at: timedelta = timedelta(0), **columns: Any) -> None:
    with session_scope(chat.engine) as session:
        conversation = session.get_one(Conversation, chat.id)
        conversation.last_sequence += 1
        session.add(
            Message(
                **{
                    "conversation_id": chat.id,
                    "sequence": conversation.last_sequence,
                    "author": author,
                    "channel": "web",
                    "status": "stored",
                    "text": "…",
                    "at": clock.now() + at,
                    **columns,
                }
            )
        )


def kept(engine: Engine) -> list[tuple[int | None, str]]:
    with read_scope(engine) as session:
        rows = session.scalars(select(Satisfaction).order_by(Satisfaction.id))
        return [(row.score, row.handled_by) for row in rows]


def tap(chat: Chat, score: str) -> list[str]:
    chat.intent, chat.text = "inform_rating", f'/inform_rating{{"satisfaction": "{score}"}}'
    chat.entities = [{"entity": "satisfaction", "value": score}]
    return chat.run("action_rate").said


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_was_helped_is_asked_once_and_a_tap_is_kept(chat: Chat, engine: Engine, language: str) -> None:
    assert chat.run("action_thanked", language=language).said == ["utter_thanked"]
    said(chat, "customer", intent="track_order")
    answer = chat.run("action_thanked", message_id="asked", language=language)
    assert answer.said == ASKS
    assert answer.texts(language)
    assert chat.run("action_thanked", message_id="asked").said == ASKS, "the same turn says the same"
    assert chat.run("action_goodbye").said == ["utter_goodbye"]
    assert kept(engine) == [(None, "bot")]
    assert tap(chat, "5") == ["utter_satisfaction_high"]
    assert tap(chat, "3") == ["utter_satisfaction_middle"]
    assert tap(chat, "1") == ["utter_satisfaction_low"]
    assert kept(engine) == [(1, "bot")]
    with clock.freeze(NOW + timedelta(days=1, seconds=1)):
        tap(chat, "5")
    assert kept(engine) == [(1, "bot")], "a day later nothing is corrected any more"
    with clock.freeze(NOW + timedelta(days=30)):
        said(chat, "customer", intent="track_order")
        assert "utter_satisfaction_ask" in chat.run("action_goodbye").said
    assert kept(engine) == [(1, "bot"), (None, "bot")]


@pytest.mark.parametrize(
    "intents", [("greet",), ("nlu_fallback",), ("track_order", "complaint"), ("track_order", "unsubscribe")]
)
def test_who_was_not_helped_or_wants_less_of_us_is_not_asked(chat: Chat, intents: tuple[str, ...]) -> None:
    for intent in intents:
        said(chat, "customer", intent=intent)
    assert chat.run("action_thanked").said == ["utter_thanked"]


def test_what_was_said_hours_ago_is_another_talk(chat: Chat) -> None:
    said(chat, "customer", at=-timedelta(hours=4, seconds=1), intent="track_order")
    assert chat.run("action_thanked").said == ["utter_thanked"]


@pytest.mark.parametrize("why", ["complaint", "waiting", "form", "stopped"])
def test_nobody_is_asked_at_a_bad_moment(chat: Chat, engine: Engine, why: str) -> None:
    said(chat, "customer", intent="track_order")
    with session_scope(engine) as session:
        conversation = session.get_one(Conversation, chat.id)
        if why == "complaint":
            conversations.open_case(session, conversation, "complaint", "…", "key")
        if why == "waiting":
            conversation.status = "waiting"
        if why == "stopped":
            customer = Customer(language="en")
            session.add(customer)
            session.flush()
            session.add(
                ContactPoint(
                    channel="telegram",
                    address="1",
                    conversation_id=chat.id,
                    customer_id=customer.id,
                    last_inbound_at=NOW,
                    stopped_at=NOW,
                )
            )
    chat.loop = "review_form" if why == "form" else None
    assert chat.run("action_thanked").said == ["utter_thanked"]
    assert kept(engine) == []


def test_a_talk_with_a_person_counts_as_theirs(chat: Chat, engine: Engine) -> None:
    said(chat, "customer", intent="track_order")
    said(chat, "staff")
    chat.run("action_thanked")
    assert kept(engine) == [(None, "person")]


@pytest.mark.parametrize(
    ("text", "score"), [("4", 4), ("5/5", 5), (" 2 de 5!", 2), ("4 tents", None), ("45", None)]
)
def test_a_number_typed_after_the_question_counts(
    chat: Chat, engine: Engine, text: str, score: int | None
) -> None:
    said(chat, "customer", intent="track_order")
    chat.run("action_thanked")
    said(chat, "bot", response="utter_satisfaction_ask")
    chat.intent, chat.text = "inform_rating", text
    chat.run("action_rate")
    assert kept(engine) == [(score, "bot")]


def test_a_number_typed_otherwise_is_no_score(chat: Chat, engine: Engine) -> None:
    said(chat, "customer", intent="track_order")
    chat.run("action_thanked")
    said(chat, "bot", response="utter_satisfaction_ask")
    said(chat, "bot", response="utter_delivery_period")
    chat.intent, chat.text = "inform_rating", "4"
    chat.run("action_rate")
    assert kept(engine) == [(None, "bot")]
