"""Showing products, recommending some and tips on their care, in four languages on both databases."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine, select

from rapport.cases.models import Case
from rapport.conversations import service as conversations
from rapport.conversations.models import Message
from rapport.customers import service as customers
from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.languages import LANGUAGES
from rapport.shop.models import Order, OrderItem, Product, ProductText
from tests.actions.conftest import NOW, Answer, Chat, new_chat
from tests.bot import project

EVERY_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)
LONGEST_TITLE = 24
_numbers = count()
# sku: category, stock, price in minor units
SOLD = {
    "TENT-1": ("tents", 24, 349900),
    "TENT-2": ("tents", 3, 479900),
    "TENT-3": ("tents", 0, 599000),
    "BOOT-1": ("boots", 9, 239000),
    "BOOT-2": ("boots", None, 159000),
    "MUG-1": ("mugs", 9, 29900),
}


@pytest.fixture(autouse=True)
def sold(engine: Engine) -> None:
    with session_scope(engine) as session:
        for sku, (category, stock, price) in SOLD.items():
            product = Product(sku=sku, category=category, price_minor=price, currency="NOK", stock=stock)
            product.url = f"https://shop.example/{sku}"
            product.texts = [
                ProductText(language=x, name=f"Fjell {sku} {x}", description=f"What {sku} is in {x}.")
                for x in LANGUAGES
            ]
            session.add(product)


def say(chat: Chat, action: str, *named: tuple[str, str], **slots: Any) -> Answer:
    """Run an action on a message that names these (entity, value)."""
    chat.entities = [{"entity": entity, "value": value} for entity, value in named]
    return chat.run(action, **slots)


def bought(engine: Engine, *skus: str, by: int | None = None, days_ago: int = 10, **fields: Any) -> int:
    number = str(next(_numbers))
    with session_scope(engine) as session:
        by = by or customers.ensure_customer(session, references=[("t", number)]).id
        ids = {product.sku: product.id for product in session.scalars(select(Product))}
        fields = {"status": "delivered", "placed_at": NOW - timedelta(days=days_ago)} | fields
        order = Order(source="t", number=number, customer_id=by, currency="NOK", total_minor=1, **fields)
        order.items = [
            OrderItem(line=line, sku=sku, product_id=ids[sku], quantity=1, unit_price_minor=1)
            for line, sku in enumerate(skus)
        ]
        session.add(order)
    return by


def buttons(answer: Answer) -> dict[str, str]:
    """Payload by title of everything offered; checks what holds for every button."""
    offered = [button for message in answer.messages for button in message["buttons"] or ()]
    for button in offered:
        assert 0 < len(button["title"]) <= LONGEST_TITLE, button
        intent, brace, rest = button["payload"].removeprefix("/").partition("{")
        assert intent in project.intents()
        if brace:
            assert set(json.loads(brace + rest)) <= set(project.domain()["entities"])
    titles = [button["title"] for button in offered]
    assert len(set(titles)) == len(titles)
    return {button["title"]: button["payload"] for button in offered}


@EVERY_LANGUAGE
def test_a_product_is_shown_and_kept_in_mind(chat: Chat, language: str) -> None:
    answer = say(chat, "action_show_product", ("product", "TENT-1"), language=language)
    assert answer.said == ["utter_product"]
    [text] = answer.texts(language)
    name, price, description, link = text.splitlines()
    assert name == f"Fjell TENT-1 {language}"
    assert "499" in price and " · " in price
    assert (description, link) == (f"What TENT-1 is in {language}.", "https://shop.example/TENT-1")
    [card] = answer.cards
    assert (card["type"], card["name"], card["url"]) == ("product", name, link)
    assert list(buttons(answer).values()) == [
        '/ask_product_tips{"product":"TENT-1"}',
        '/ask_product{"category":"tents"}',
        "/contact_human_agent",
    ]
    assert answer.slots == {"product": "TENT-1", "category": "tents"}
    # "and how much is it?" names nothing
    assert say(chat, "action_show_product").texts(language) == answer.texts(language)


@EVERY_LANGUAGE
def test_a_number_tells_which_of_the_kind_is_meant(chat: Chat, language: str) -> None:
    say(chat, "action_show_product", ("product", "TENT-1"), language=language)
    chat.text = "and the 2 one?"
    answer = say(chat, "action_show_product", language=language)
    assert answer.slots == {"product": "TENT-2", "category": "tents"}
    chat.text = "and the 7 one?"
    assert say(chat, "action_show_product").slots == {"product": "TENT-2", "category": "tents"}


@EVERY_LANGUAGE
def test_what_is_not_sold_is_said_so(chat: Chat, language: str) -> None:
    say(chat, "action_show_product", ("category", "tents"), language=language)
    chat.text = "do you have sofas?"
    answer = say(chat, "action_show_product", language=language)
    assert answer.said == ["utter_product_not_sold"]
    assert all(payload.startswith("/ask_product{") for payload in buttons(answer).values())
    chat.text = "do you have any in green?"
    assert say(chat, "action_show_product", language=language).said == ["utter_category"]


@pytest.mark.parametrize(
    ("sku", "stock"),
    [
        ("TENT-1", " · in stock"),
        ("TENT-2", " · only a few left"),
        ("TENT-3", " · out of stock"),
        ("BOOT-2", ""),
    ],
)
def test_stock_is_told_where_it_is_counted(chat: Chat, sku: str, stock: str) -> None:
    [text] = say(chat, "action_show_product", ("product", sku)).texts()
    price = text.splitlines()[1]
    assert price.endswith(stock) and ("·" in price) is bool(stock)


def test_of_what_is_sold_out_something_else_is_offered(chat: Chat) -> None:
    offered = buttons(say(chat, "action_show_product", ("product", "TENT-3")))
    assert offered["Help me choose"] == '/ask_recommendation{"category":"tents"}'


@EVERY_LANGUAGE
def test_several_products_are_shown_side_by_side(chat: Chat, language: str) -> None:
    named = [("product", sku) for sku in ("TENT-2", "BOOT-1", "TENT-2", "MUG-1", "TENT-1")]
    answer = say(chat, "action_show_product", *named, language=language)
    assert answer.said == ["utter_products"]
    [text] = answer.texts(language)
    assert [block.splitlines()[0] for block in text.split("\n\n")] == [
        f"Fjell {sku} {language}" for sku in ("TENT-2", "BOOT-1", "MUG-1")
    ]
    assert len(answer.cards) == 3
    assert answer.slots["product"] is None


@EVERY_LANGUAGE
def test_a_category_is_listed_with_prices(chat: Chat, language: str) -> None:
    answer = say(chat, "action_show_product", ("category", "tents"), language=language, product="BOOT-1")
    assert answer.said == ["utter_category"]
    [text] = answer.texts(language)
    lines = text.splitlines()[1:]
    assert [f"TENT-{number} {language} – " in line for number, line in zip((1, 2, 3), lines, strict=True)]
    assert lines[2].endswith(")") and not lines[0].endswith(")")
    assert list(buttons(answer).values()) == [f'/ask_product{{"product":"TENT-{n}"}}' for n in (1, 2, 3)]
    assert answer.slots == {"product": None, "category": "tents"}


@EVERY_LANGUAGE
def test_a_category_without_products(chat: Chat, language: str) -> None:
    answer = say(chat, "action_show_product", ("category", "skiing"), language=language)
    assert answer.said == ["utter_category_empty"]
    assert answer.texts(language)
    assert list(buttons(answer).values()) == [
        '/ask_product{"category":"tents"}',
        '/ask_product{"category":"boots"}',
    ]


@EVERY_LANGUAGE
@pytest.mark.parametrize(
    "named", [[], [("product", "GONE-1")], [("category", "mugs")], [("category", "sofas")]]
)
def test_what_is_not_known_is_asked_for(chat: Chat, language: str, named: list[tuple[str, str]]) -> None:
    answer = say(chat, "action_show_product", *named, language=language)
    assert answer.said == ["utter_product_which"]
    assert answer.texts(language)
    assert list(buttons(answer).values()) == [
        '/ask_product{"category":"tents"}',
        '/ask_product{"category":"boots"}',
    ]


def test_the_message_counts_before_the_talk_so_far(chat: Chat) -> None:
    slots = {"product": "TENT-1", "category": "tents"}
    assert "BOOT-1" in say(chat, "action_show_product", ("product", "BOOT-1"), **slots).texts()[0]
    answer = say(chat, "action_show_product", ("category", "boots"), **slots)
    assert answer.said == ["utter_category"]
    assert "tents" in say(chat, "action_show_product", product="", category="tents").texts()[0]


def test_a_topic_is_answered_rather_than_a_list_shown(chat: Chat) -> None:
    warranty, tents, tent = ("topic", "warranty"), ("category", "tents"), ("product", "TENT-1")
    assert say(chat, "action_show_product", warranty, tents, product="TENT-2").said == ["utter_knowledge"]
    assert say(chat, "action_show_product", warranty, tent).said == ["utter_knowledge", "utter_product"]
    assert say(chat, "action_product_tips", warranty, tents).said == ["utter_knowledge"]
    assert say(chat, "action_recommend", ("topic", "gift_cards")).said == ["utter_knowledge"]
    assert say(chat, "action_recommend", ("topic", "gift_cards"), tents).said == ["utter_knowledge"]
    assert say(chat, "action_recommend", warranty, tent).said == ["utter_recommend_in_category"]


@EVERY_LANGUAGE
def test_recommendations_give_their_reason(engine: Engine, chat: Chat, language: str) -> None:
    chat.slots["language"] = language
    tents = ("category", "tents")
    assert say(chat, "action_recommend", tents).said == ["utter_recommend_in_category"]
    for _ in range(2):
        bought(engine, "TENT-2", "BOOT-1")
    answer = say(chat, "action_recommend", tents)
    assert answer.said == ["utter_recommend_bought_most"]
    [text] = answer.texts(language)
    assert f"• Fjell TENT-2 {language} – " in text and "TENT-3" not in text
    assert list(buttons(answer).values()) == ['/ask_product{"product":"TENT-2"}']
    assert answer.slots == {"product": "TENT-2"}  # the only one: "how much is it?"
    answer = say(chat, "action_recommend", ("product", "TENT-2"))
    assert answer.said == ["utter_recommend_others_bought"]
    assert answer.slots == {"product": "TENT-2"}, "what was asked about, not what goes with it"
    assert f"Fjell TENT-2 {language}" in answer.texts(language)[0]
    assert "BOOT-1" in answer.messages[0]["products"]


@EVERY_LANGUAGE
def test_what_someone_said_they_like_counts(engine: Engine, chat: Chat, language: str) -> None:
    chat.slots["language"] = language
    answer = say(chat, "action_recommend")
    assert answer.said == ["utter_recommend_which"]
    assert answer.texts(language)
    assert '/ask_recommendation{"category":"boots"}' in buttons(answer).values()
    say(chat, "action_record_interest", ("category", "boots"))
    answer = say(chat, "action_recommend")
    assert answer.said == ["utter_recommend_liked"]
    assert "BOOT-1" in answer.texts(language)[0] and "BOOT-2" in answer.texts(language)[0]
    assert say(new_chat(engine), "action_recommend").said == ["utter_recommend_which"]


@EVERY_LANGUAGE
def test_nothing_left_to_recommend(engine: Engine, anns_chat: Chat, ann: int, language: str) -> None:
    bought(engine, "BOOT-1", "BOOT-2", by=ann)
    answer = say(anns_chat, "action_recommend", ("category", "boots"), language=language)
    assert answer.said == ["utter_recommend_nothing"]
    assert answer.texts(language)
    assert buttons(answer)


def test_what_was_bought_counts_only_while_verified(engine: Engine, anns_chat: Chat, ann: int) -> None:
    bought(engine, "TENT-1", by=ann)
    for _ in range(2):
        bought(engine, "TENT-1", "BOOT-1")
    answer = say(anns_chat, "action_recommend")
    assert answer.said == ["utter_recommend_others_bought"]
    assert "TENT-1" in answer.messages[0]["about"]
    anns_chat.slots = {"language": "en"}
    with clock.freeze(NOW + timedelta(hours=2)):
        assert say(anns_chat, "action_recommend").said == ["utter_recommend_which"]
        assert say(anns_chat, "action_product_tips").said == ["utter_tips_which"]


@EVERY_LANGUAGE
def test_between_two_the_one_others_take(engine: Engine, chat: Chat, language: str) -> None:
    chat.slots["language"] = language
    both = (("product", "TENT-1"), ("product", "TENT-2"))
    assert say(chat, "action_recommend", *both).said == ["utter_products"]
    bought(engine, "TENT-2")
    answer = say(chat, "action_recommend", *both)
    assert answer.said == ["utter_products", "utter_recommend_between"]
    assert f"Fjell TENT-2 {language}" in answer.texts(language)[1]


def test_boots_to_go_with_a_tent_are_boots(engine: Engine, chat: Chat) -> None:
    bought(engine, "TENT-2")
    tent, boots, tents = ("product", "TENT-1"), ("category", "boots"), ("category", "tents")
    assert say(chat, "action_recommend", tent, boots).messages[0]["about"] == "boots"
    answer = say(chat, "action_recommend", tent, tents)
    assert "TENT-2" in answer.messages[0]["products"] and "TENT-1" not in answer.messages[0]["products"]


@EVERY_LANGUAGE
def test_nothing_is_recommended_while_a_complaint_is_open(
    engine: Engine, anns_chat: Chat, ann: int, language: str
) -> None:
    anns_chat.slots["language"] = language
    anns_chat.run("action_take_complaint", complaint_text="It broke")
    other = new_chat(engine)
    for chat in (anns_chat, other):
        chat.verify_as(ann)
        answer = say(chat, "action_recommend", ("category", "tents"), language=language)
        assert answer.said == ["utter_recommend_complaint"]
        assert answer.messages[0]["case"] and answer.texts(language)
        assert list(buttons(answer).values()) == ["/contact_human_agent"]
    with session_scope(engine) as session:
        session.scalars(select(Case)).one().resolved_at = NOW
    assert say(other, "action_recommend", ("category", "tents")).said == ["utter_recommend_in_category"]


def test_what_went_back_or_was_complained_of_is_not_recommended(
    engine: Engine, anns_chat: Chat, ann: int
) -> None:
    def boots() -> str:
        answer = say(anns_chat, "action_recommend", ("category", "boots"))
        return str([message.get("products") for message in answer.messages])

    assert "BOOT-1" in boots() and "BOOT-2" in boots()
    bought(engine, "BOOT-1", by=ann, status="refunded")
    assert "BOOT-1" not in boots() and "BOOT-2" in boots()
    with session_scope(engine) as session:
        conversation = conversations.get(session, anns_chat.id)
        case = conversations.open_case(session, conversation, "complaint", "The boots leak", "m")
        case.customer_id, case.resolved_at = ann, NOW
        said = {"entity": "product", "value": "BOOT-2"}
        row = {"conversation_id": anns_chat.id, "sequence": 1, "author": "customer", "channel": "web"}
        session.add(Message(**row, status="answered", text="…", entities=[said], at=NOW))
    assert "BOOT" not in boots()


def test_anothers_complaint_is_no_reason(engine: Engine, anns_chat: Chat) -> None:
    anns_chat.run("action_take_complaint", complaint_text="It broke")
    assert say(new_chat(engine), "action_recommend", ("category", "tents")).said == [
        "utter_recommend_in_category"
    ]


def test_an_anonymous_complaint_counts_in_its_conversation(chat: Chat) -> None:
    chat.run("action_take_complaint", complaint_text="It broke")
    assert say(chat, "action_recommend").said == ["utter_recommend_complaint"]


@EVERY_LANGUAGE
def test_tips_by_category_and_by_the_talk_so_far(chat: Chat, language: str) -> None:
    chat.slots["language"] = language
    answer = say(chat, "action_product_tips", ("category", "tents"))
    assert answer.said == ["utter_product_tips"]
    [text] = answer.texts(language)
    assert len(text.splitlines()) > 3
    named = say(chat, "action_product_tips", ("product", "TENT-1"))
    assert named.texts(language) == [text]  # it has none of its own
    assert say(chat, "action_product_tips", product="TENT-1").texts(language) == [text]
    assert say(chat, "action_product_tips", product="", category="tents").texts(language) == [text]
    answer = say(chat, "action_product_tips", product="", category="")
    assert answer.said == ["utter_tips_which"]
    assert '/ask_product_tips{"category":"tents"}' in buttons(answer).values()
    assert answer.texts(language)


@EVERY_LANGUAGE
def test_tips_on_a_product_of_its_own(engine: Engine, chat: Chat, language: str) -> None:
    with session_scope(engine) as session:
        product = Product(sku="JACK-401", category="jackets", price_minor=1, currency="NOK")
        product.texts = [ProductText(language=language, name="Vestlandet")]
        session.add(product)
    answer = say(
        chat, "action_product_tips", ("product", "JACK-401"), ("category", "jackets"), language=language
    )
    assert [message["about"] for message in answer.messages] == ["Vestlandet"]
    answer = say(
        chat, "action_product_tips", ("category", "jackets"), ("category", "tents"), language=language
    )
    assert len(answer.texts(language)) == 2


@EVERY_LANGUAGE
def test_no_tips_for_something_of_no_category(chat: Chat, language: str) -> None:
    answer = say(chat, "action_product_tips", ("product", "MUG-1"), language=language)
    assert answer.said == ["utter_tips_none"]
    assert answer.texts(language)
    assert list(buttons(answer).values()) == ["/contact_human_agent"]


def test_tips_on_what_was_bought_last(engine: Engine, anns_chat: Chat, ann: int) -> None:
    bought(engine, "MUG-1", by=ann, days_ago=90)
    bought(engine, "TENT-1", "TENT-2", "BOOT-1", "MUG-1", by=ann)
    answer = say(anns_chat, "action_product_tips")
    assert [message["about"] for message in answer.messages] == ["tents", "boots"]


@EVERY_LANGUAGE
def test_when_an_order_under_way_is_expected(
    engine: Engine, anns_chat: Chat, ann: int, language: str
) -> None:
    anns_chat.slots["language"] = language
    late = NOW - timedelta(days=1)
    bought(engine, "TENT-1", by=ann, status="shipped", expected_at=late)
    bought(engine, "TENT-1", by=ann, status="delivered", expected_at=NOW + timedelta(days=1))
    answer = anns_chat.run("action_delivery_period")
    assert answer.said == ["utter_delivery_period"]
    assert list(buttons(answer).values()) == ["/track_order"]
    bought(engine, "TENT-1", by=ann, status="paid", expected_at=NOW + timedelta(days=2))
    bought(engine, "TENT-1", by=ann, status="placed", expected_at=NOW + timedelta(days=5))
    answer = anns_chat.run("action_delivery_period")
    assert answer.said == ["utter_delivery_period", "utter_delivery_expected"]
    assert "3" in answer.texts(language)[1] and "2026" in answer.texts(language)[1]
    assert new_chat(engine).run("action_delivery_period").said == ["utter_delivery_period"]


def test_who_asks_about_a_product_has_shown_interest(engine: Engine, anns_chat: Chat, ann: int) -> None:
    say(anns_chat, "action_show_product", ("category", "tents"))
    with read_scope(engine) as session:
        assert session.scalars(select(Customer.stage).where(Customer.id == ann)).one() == "interest"
