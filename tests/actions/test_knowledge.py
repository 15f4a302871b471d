"""Answers from the folder knowledge/, in four languages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.interfaces import Tracker
from sqlalchemy import Engine

from actions import knowledge
from actions.base import Turn
from actions.words import intent_button
from rapport.conversations import service as conversations
from rapport.kit.database import session_scope
from rapport.kit.languages import LANGUAGES
from rapport.shop.knowledge import INTENTS, get_knowledge
from rapport.shop.models import Product, ProductText
from tests.actions.conftest import Chat


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("intent", INTENTS)
def test_each_intent_has_its_answer(chat: Chat, intent: str, language: str) -> None:
    chat.intent = intent
    answer = chat.run("action_answer", language=language)
    assert answer.said == ["utter_knowledge"]
    entry = get_knowledge().entries[intent]
    assert answer.texts(language) == [entry.answer.of(language)]
    offered = [(button["title"], button["payload"]) for button in answer.messages[0]["buttons"]]
    assert offered == [intent_button(name, language) for name in entry.next] != []


def test_a_topic_answers_where_the_intent_has_no_entry(chat: Chat) -> None:
    chat.intent = "greet"
    chat.entities = [{"entity": "topic", "value": value} for value in ("gone", "warranty", "warranty")]
    answer = chat.run("action_answer")
    assert answer.texts() == [get_knowledge().entries["warranty"].answer.en]


def test_the_intents_own_entry_counts_first(chat: Chat) -> None:
    chat.intent = "create_account"
    chat.entities = [{"entity": "topic", "value": "warranty"}]
    assert chat.run("action_answer").texts() == [get_knowledge().entries["create_account"].answer.en]
    # "Do I need an account to order?"
    chat.intent = "place_order"
    assert chat.run("action_answer").texts() == [get_knowledge().entries["warranty"].answer.en]


def topics(chat: Chat, text: str, **named: str) -> None:
    """The latest message: `text`, and what its words name as (topic, words)."""
    chat.text = text
    chat.entities = [
        {"entity": "topic", "value": key, "start": text.index(said), "end": text.index(said) + len(said)}
        for key, said in named.items()
    ]


def test_a_public_question_that_sounds_like_a_request(chat: Chat) -> None:
    topics(chat, "can you wrap it as a gift", gift_wrapping="wrap it as a gift")
    assert chat.run("action_change_order").texts() == [get_knowledge().entries["gift_wrapping"].answer.en]
    topics(chat, "please gift wrap my order", gift_wrapping="gift wrap")
    assert chat.run("action_change_order").next == ["verification_form"]
    topics(chat, "I lost the return label", lost_return_label="lost the return label")
    assert chat.run("action_get_refund").said == ["utter_knowledge"]
    topics(chat, "it arrived damaged, money back", damaged_on_arrival="arrived damaged")
    assert chat.run("action_get_refund").next == ["verification_form"]


def test_an_order_without_confirmation_is_no_account_without_one(chat: Chat) -> None:
    chat.intent = "registration_problems"
    topics(chat, "no confirmation mail for my order", no_confirmation="no confirmation mail")
    order = [get_knowledge().entries["no_confirmation"].answer.en]
    assert chat.run("action_answer").texts() == order
    chat.intent = "track_order"
    assert chat.run("action_track_order").texts() == order
    chat.intent = "registration_problems"
    topics(chat, "I signed up, no confirmation mail", no_confirmation="no confirmation mail")
    assert chat.run("action_answer").texts() == [get_knowledge().entries["registration_problems"].answer.en]


def test_what_is_known_of_prices_is_told_to_anyone(chat: Chat) -> None:
    chat.entities = [{"entity": "topic", "value": "price_match"}]
    answer = chat.run("action_offer_discount")
    assert answer.texts() == [get_knowledge().entries["price_match"].answer.en]
    assert answer.events == []
    chat.entities = []
    assert chat.run("action_offer_discount").next == ["verification_form"]


def test_which_size_of_boots_asks_for_no_boots(chat: Chat) -> None:
    size, boots = {"entity": "topic", "value": "size_guide"}, {"entity": "category", "value": "boots"}
    chat.entities = [size, boots]
    for action in ("action_recommend", "action_show_product"):
        assert chat.run(action).texts() == [get_knowledge().entries["size_guide"].answer.en]
    chat.entities = [size, boots, {"entity": "product", "value": "unknown"}]
    assert "utter_knowledge" not in chat.run("action_recommend").said


@pytest.mark.parametrize(
    "action",
    ["delivery_options", "delivery_period", "payment_methods", "refund_policy", "contact_details"],
)
def test_a_named_topic_counts_before_the_shops_general_answer(chat: Chat, action: str) -> None:
    chat.entities = [{"entity": "topic", "value": "warranty"}]
    assert chat.run(f"action_{action}").texts() == [get_knowledge().entries["warranty"].answer.en]
    chat.entities = []
    assert "utter_knowledge" not in chat.run(f"action_{action}").said


def test_without_an_entry_the_action_fails(chat: Chat) -> None:
    """The customer then gets an apology; which intents need an entry is checked at the start."""
    with pytest.raises(LookupError, match="greet"):
        chat.intent = "greet"
        chat.run("action_answer")


@pytest.mark.parametrize("language", LANGUAGES)
def test_whoever_wants_to_buy_something_sees_it_first(engine: Engine, chat: Chat, language: str) -> None:
    with session_scope(engine) as session:
        product = Product(sku="TENT-1", category="tents", price_minor=100, currency="NOK", stock=9)
        product.texts = [ProductText(language=language, name="Vidda")]
        session.add(product)
    chat.intent = "place_order"
    chat.entities = [{"entity": "product", "value": "TENT-1"}]
    answer = chat.run("action_answer", language=language)
    assert answer.said == ["utter_product", "utter_knowledge"]
    assert answer.slots == {"product": "TENT-1", "category": "tents"}
    chat.entities = [{"entity": "category", "value": "tents"}]
    assert chat.run("action_answer").said == ["utter_category", "utter_knowledge"]
    # What the talk was about before is not what somebody wants to buy now.
    chat.entities = []
    assert chat.run("action_answer", product="TENT-1").said == ["utter_knowledge"]


@pytest.fixture
def turn(engine: Engine, chat: Chat) -> Iterator[Turn]:
    with session_scope(engine) as session:
        conversation = conversations.get(session, chat.id)
        tracker = Tracker(chat.id, {}, {"entities": []}, [], False, None, {}, "action_listen")
        yield Turn(session, conversation, "k", "ro", None, tracker, CollectingDispatcher())


@pytest.mark.parametrize(
    ("topics", "answered"),
    [
        ([], []),
        (["gone"], []),
        (["gift_cards"], ["gift_cards"]),
        (["gift_cards", "gift_cards", "gift_wrapping", "warranty"], ["gift_cards", "gift_wrapping"]),
    ],
)
def test_topics_for_what_was_not_understood(turn: Turn, topics: list[str], answered: list[str]) -> None:
    """What the answers to nlu_fallback and out_of_scope ask first."""
    found: list[dict[str, Any]] = [{"entity": "topic", "value": topic} for topic in topics]
    turn.tracker.latest_message["entities"] = [*found, {"entity": "category", "value": "tents"}]
    assert knowledge.answer_topic(turn) is bool(answered)
    entries = get_knowledge().entries
    said = [message["answer"] for message in turn.dispatcher.messages]
    assert said == [entries[topic].answer.ro for topic in answered]
