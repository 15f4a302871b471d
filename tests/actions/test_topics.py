"""What each action answers, in all four languages, on both databases.

`texts()` puts the real responses into words, so a response that does not exist, or a placeholder nobody
fills, fails here.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rasa_sdk.interfaces import Tracker
from sqlalchemy import Engine, select

from actions.service import opening_message
from rapport.cases.models import Case
from rapport.conversations import service as conversations
from rapport.conversations.models import Handoff
from rapport.customers import service as customers
from rapport.customers.models import Interest
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.languages import LANGUAGES
from rapport.loyalty.offers.models import Coupon, Offer
from rapport.loyalty.points import service as ledger
from rapport.loyalty.points import tasks as points_tasks
from rapport.shop.models import ORDER_STATUSES, Order, OrderItem, Product, ProductText
from tests.actions.conftest import NOW, Chat, new_chat, rows

EVERY_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)
# A Wednesday at which the shop's people are there.
OPEN = datetime(2026, 11, 18, 12, tzinfo=UTC)


def an_order(engine: Engine, customer_id: int, number: str = "FJ10001", **fields: Any) -> None:
    with session_scope(engine) as session:
        fields = {"status": "shipped", "placed_at": NOW, "total_minor": 129900, **fields}
        order = Order(source="test", number=number, customer_id=customer_id, currency="NOK", **fields)
        order.items = [
            OrderItem(line=1, sku="sku-1", description="Tarp 3x3", quantity=2, unit_price_minor=64950)
        ]
        session.add(order)
        session.flush()
        ledger.earn_for_order(session, order)


def an_offer(engine: Engine, percent: int = 15) -> None:
    with session_scope(engine) as session:
        session.add(Offer(key="test", percent=percent, minimum_minor=50000))


def a_product(engine: Engine) -> None:
    with session_scope(engine) as session:
        product = Product(sku="sku-1", category="tents", price_minor=100, currency="NOK")
        product.texts = [ProductText(language=x, name=f"Vidda {x}") for x in LANGUAGES]
        session.add(product)


def test_an_order_is_tracked_whatever_its_status(engine: Engine, anns_chat: Chat, ann: int) -> None:
    for status in ORDER_STATUSES:
        number = f"FJ-{status}"
        an_order(engine, ann, number, status=status, carrier="Posten", expected_at=NOW + timedelta(days=2))
        for language in LANGUAGES:
            answer = anns_chat.run("action_track_order", order_number=number, language=language)
            assert answer.said == [f"utter_order_{status}"]
            [text] = answer.texts(language)
            assert number in text
            assert "Tarp 3x3" in text
            assert "None" not in text


def test_the_newest_order_unless_another_is_asked_for(engine: Engine, anns_chat: Chat, ann: int) -> None:
    an_order(engine, ann, "FJ1", placed_at=NOW - timedelta(days=9))
    an_order(engine, ann, "FJ2")
    assert anns_chat.run("action_track_order").messages[0]["number"] == "FJ2"
    answer = anns_chat.run("action_track_order", order_number="#fj1")
    assert answer.messages[0]["number"] == "FJ1"
    assert answer.slots == {"order_number": None}
    assert anns_chat.run("action_track_order").messages[0]["number"] == "FJ2"
    assert anns_chat.run("action_track_order", order_number="").messages[0]["number"] == "FJ2"


@EVERY_LANGUAGE
def test_anothers_order_is_as_unknown_as_none(
    engine: Engine, anns_chat: Chat, ann: int, language: str
) -> None:
    with session_scope(engine) as session:
        bob = customers.ensure_customer(session, identities=[("email", "bob@example.com")]).id
    an_order(engine, bob, "FJ777")
    answers = [
        anns_chat.run("action_track_order", order_number=number, language=language).texts(language)
        for number in ("FJ777", "FJ888")
    ]
    assert answers[0][0].replace("FJ777", "FJ888") == answers[1][0]
    assert anns_chat.run("action_track_order").said == ["utter_no_orders"]
    assert anns_chat.run("action_list_orders").said == ["utter_no_orders"]
    assert anns_chat.run("action_points_balance").said == ["utter_points_none"]


@EVERY_LANGUAGE
def test_the_last_five_orders(engine: Engine, anns_chat: Chat, ann: int, language: str) -> None:
    for number in range(7):
        an_order(engine, ann, f"FJ{number}", placed_at=NOW - timedelta(days=number))
    answer = anns_chat.run("action_list_orders", language=language)
    assert len(answer.texts(language)[0].splitlines()) == 6
    [card] = answer.cards
    assert card["type"] == "orders"
    assert [row["number"] for row in card["orders"]] == ["FJ0", "FJ1", "FJ2", "FJ3", "FJ4"]
    assert card["orders"][0]["placed"] == NOW.isoformat()
    assert card["orders"][0]["status"] == "shipped"
    assert card["orders"][0]["total"].startswith(("NOK", "kr", "1"))


@EVERY_LANGUAGE
def test_points(engine: Engine, anns_chat: Chat, ann: int, language: str) -> None:
    assert anns_chat.run("action_points_balance", language=language).said == ["utter_points_none"]
    an_order(engine, ann, placed_at=NOW - timedelta(days=31))
    with session_scope(engine) as session:
        points_tasks.run(session, NOW)
    answer = anns_chat.run("action_points_balance", language=language)
    assert "129" in answer.texts(language)[0]
    assert "25" in answer.messages[0]["value"]  # 129 points at 0.20 kr


@EVERY_LANGUAGE
def test_a_discount_is_the_same_when_asked_again(engine: Engine, anns_chat: Chat, language: str) -> None:
    assert anns_chat.run("action_offer_discount", language=language).said == ["utter_no_discount"]
    an_offer(engine)
    first = anns_chat.run("action_offer_discount", language=language)
    again = anns_chat.run("action_offer_discount", language=language)
    assert (first.said, again.said) == (["utter_discount"], ["utter_discount_again"])
    assert first.cards == again.cards
    [card] = first.cards
    assert card["percent"] == 15
    assert card["code"] in first.texts(language)[0]
    assert rows(engine, Coupon) == 1


def test_a_repeated_turn_gives_the_same_discount_in_the_same_words(engine: Engine, anns_chat: Chat) -> None:
    an_offer(engine)
    assert anns_chat.run("action_offer_discount", "m1") == anns_chat.run("action_offer_discount", "m1")


def test_two_chats_at_once_get_one_code(engine: Engine, ann: int) -> None:
    an_offer(engine)
    chats = [new_chat(engine) for _ in range(6)]
    for chat in chats:
        chat.verify_as(ann)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda chat: chat.run("action_offer_discount"), chats))
    assert len({answer.cards[0]["code"] for answer in answers}) == 1
    assert sum(answer.said == ["utter_discount"] for answer in answers) == 1


PUBLIC = {
    "action_explain_club": ["Fjordly", "0"],
    "action_delivery_options": ["• ", "99"],
    "action_delivery_period": ["1–5"],
    "action_payment_methods": ["Vipps"],
    "action_refund_policy": ["30"],
    "action_contact_details": ["hello@fjordly.example", "+47"],
    "action_default_fallback": [],
}


@EVERY_LANGUAGE
def test_anyone_may_ask_about_the_shop(chat: Chat, language: str) -> None:
    for action, words in PUBLIC.items():
        answer = chat.run(action, language=language)
        assert answer.events == []
        [text] = answer.texts(language)
        assert all(word in text for word in words)


@EVERY_LANGUAGE
def test_an_interest_is_noted(engine: Engine, chat: Chat, language: str) -> None:
    a_product(engine)
    answer = chat.run("action_record_interest", product="sku-1", language=language)
    assert f"Vidda {language}" in answer.texts(language)[0]
    assert answer.slots == {"product": None, "category": None}
    assert chat.run("action_record_interest", category="tents").said == ["utter_interest_recorded"]
    for category in ("", "nonsense", None):
        answer = chat.run("action_record_interest", category=category, language=language)
        assert answer.said == ["utter_interest_which"]
    with read_scope(engine) as session:
        assert set(session.scalars(select(Interest.topic))) == {"sku-1", "tents"}


def test_all_interests_of_a_message_are_noted(engine: Engine, chat: Chat) -> None:
    named = ("tents", "boots", "tents", "nonsense")
    chat.entities = [{"entity": "category", "value": value} for value in named]
    [text] = chat.run("action_record_interest", category="tents").texts("en")
    assert "tents, boots" in text
    with read_scope(engine) as session:
        assert set(session.scalars(select(Interest.topic))) == {"tents", "boots"}


@EVERY_LANGUAGE
def test_what_was_noted_is_read_back(engine: Engine, anns_chat: Chat, language: str) -> None:
    anns_chat.slots["language"] = language
    anns_chat.run("action_record_interest", category="tents")
    text, _ = anns_chat.run("action_set_channel", channel="email").texts(language)
    assert "mail" in text or "correo" in text or "e-post" in text
    assert anns_chat.slots["channel"] is None
    text, _ = anns_chat.run("action_show_preferences").texts(language)
    assert "Ann" in text
    assert {"en": "tents", "es": "tiendas de campaña", "nb": "telt", "ro": "corturi"}[language] in text


def test_someone_we_know_nothing_about(engine: Engine, chat: Chat) -> None:
    with session_scope(engine) as session:
        nobody = customers.ensure_customer(session, references=[("csv", "1")]).id
    chat.verify_as(nobody)
    assert chat.run("action_show_preferences").said == ["utter_choices_page", "utter_preferences_none"]


@EVERY_LANGUAGE
def test_a_complaint_opens_one_case(engine: Engine, chat: Chat, language: str) -> None:
    chat.slots["language"] = language
    chat.loop = "complaint_form"
    for text in (" ", "x"):
        answer = chat.fill("validate_complaint_form", complaint_text=text)
        assert (answer.said, answer.slots) == (["utter_complaint_too_short"], {"complaint_text": None})
    answer = chat.fill("validate_complaint_form", complaint_text=" It broke {number} <b> ")
    assert (answer.said, answer.slots) == ([], {"complaint_text": "It broke {number} <b>"})
    chat.loop = None
    kept = dict(chat.slots)
    first = chat.run("action_take_complaint", "m1")
    chat.slots = kept  # the turn is repeated
    again = chat.run("action_take_complaint", "m1")
    assert first == again
    assert first.slots == {"complaint_text": None}
    with read_scope(engine) as session:
        [case] = session.scalars(select(Case))
        assert (case.kind, case.text) == ("complaint", "It broke {number} <b>")
        assert str(case.id) in first.texts(language)[0]


def test_a_complaint_of_the_longest_message_is_taken(chat: Chat) -> None:
    chat.loop = "complaint_form"
    assert chat.fill("validate_complaint_form", complaint_text="it broke " * 444).said == []


def test_the_opening_message_is_the_one_before_the_form() -> None:
    events = [
        {"event": "user", "text": "earlier"},
        {"event": "active_loop", "name": "complaint_form"},
        {"event": "user", "text": "the whole story"},
        {"event": "active_loop", "name": "complaint_form"},
        {"event": "user", "text": "details"},
        {"event": "active_loop", "name": None},
    ]
    tracker = Tracker("id", {}, {}, events, False, None, {}, "action_listen")
    assert opening_message(tracker, "complaint_form") == "the whole story"
    assert opening_message(tracker, "review_form") is None


def test_without_a_text_it_asks_for_the_complaint(chat: Chat) -> None:
    assert chat.run("action_take_complaint").next == ["complaint_form"]


@EVERY_LANGUAGE
def test_out_of_hours_nobody_is_promised(chat: Chat, language: str) -> None:
    chat.slots["language"] = language
    with clock.freeze(OPEN.replace(hour=23)):
        answer = chat.run("action_hand_over", "m1")
    assert answer.said == ["utter_handed_over_closed"]
    assert "{" not in "".join(answer.texts(language))


@EVERY_LANGUAGE
def test_handing_over_happens_once(engine: Engine, chat: Chat, language: str) -> None:
    chat.slots["language"] = language
    with clock.freeze(OPEN):
        first, repeated = (chat.run("action_hand_over", "m1") for _ in range(2))
    assert first == repeated
    assert first.said == ["utter_handed_over"]
    assert first.texts(language)
    assert chat.run("action_hand_over", "m2").said == ["utter_already_handed_over"]
    assert rows(engine, Handoff) == 1
    with read_scope(engine) as session:
        assert conversations.get(session, chat.id).status == "waiting"


def test_the_language_changes(engine: Engine, chat: Chat) -> None:
    answer = chat.run("action_change_language", requested_language="es")
    assert answer.slots == {"requested_language": None, "language": "es"}
    assert answer.messages == []
    with read_scope(engine) as session:
        assert conversations.get(session, chat.id).language == "es"
    for language in ("", "klingon", None):
        answer = chat.run("action_change_language", requested_language=language)
        assert (answer.next, answer.slots) == (["utter_language_which"], {"requested_language": None})


def test_many_actions_at_once(engine: Engine, ann: int) -> None:
    an_order(engine, ann)
    chats = [new_chat(engine) for _ in range(8)]
    for chat in chats:
        chat.verify_as(ann)

    def talk(chat: Chat) -> list[str]:
        actions = [
            "action_track_order",
            "action_record_interest",
            "action_points_balance",
            "action_hand_over",
        ]
        return [chat.run(action, category="tents").said[0] for _ in range(3) for action in actions]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(talk, chats))
    assert all(answer == answers[0] for answer in answers)
