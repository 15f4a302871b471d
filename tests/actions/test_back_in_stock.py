"""Being told when a product is back: a button beside what is sold out; on both databases."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine, select

from rapport.customers import contact
from rapport.customers.models import ConsentEvent, Interest
from rapport.kit.database import session_scope
from rapport.kit.languages import LANGUAGES
from rapport.shop.models import Product, ProductText
from rapport.site.models import StockWish
from tests.actions.conftest import Answer, Chat

LONGEST_TITLE = 24


@pytest.fixture(autouse=True)
def sold(engine: Engine) -> None:
    with session_scope(engine) as session:
        for sku, stock in (("TENT-1", 4), ("TENT-3", 0)):
            product = Product(sku=sku, category="tents", price_minor=1, currency="NOK", stock=stock)
            product.texts = [ProductText(language=x, name=f"Fjell {sku}", description="") for x in LANGUAGES]
            session.add(product)


def press(chat: Chat, sku: str = "TENT-3") -> Answer:
    """The button, with what Rasa makes of it: the intent, the product kept in mind, then the action named."""
    chat.intent, chat.text = "state_interest", "Tell me when it's back"
    chat.entities = [{"entity": "product", "value": sku}, {"entity": "wish", "value": "back"}]
    answer = chat.run("action_record_interest", product=sku)
    (event,) = [one for one in answer.events if one["event"] == "followup"]
    return chat.run(event["name"], product=sku)


def test_beside_what_is_sold_out_stands_a_button(chat: Chat) -> None:
    titles = set()
    for language in LANGUAGES:
        chat.entities = [{"entity": "product", "value": "TENT-3"}]
        (message, *_) = chat.run("action_show_product", language=language).messages
        (button, *_) = message["buttons"]
        intent, _, named = button["payload"].partition("{")
        assert (intent, json.loads("{" + named)) == ("/state_interest", {"product": "TENT-3", "wish": "back"})
        assert len(button["title"]) <= LONGEST_TITLE
        titles.add(button["title"])
    assert len(titles) == len(LANGUAGES)
    chat.entities = [{"entity": "product", "value": "TENT-1"}]
    (message, *_) = chat.run("action_show_product").messages
    assert "wish" not in str(message["buttons"])


def test_a_customer_s_wish_is_noted_once_with_their_consent(
    anns_chat: Chat, engine: Engine, ann: int
) -> None:
    assert [press(anns_chat).said for _ in "12"] == [["utter_back_noted"]] * 2
    with session_scope(engine) as session:
        (wish,) = session.scalars(select(StockWish)).all()
        (consent,) = session.scalars(select(ConsentEvent)).all()
        assert session.scalars(select(Interest)).all() == []
    assert (wish.customer_id, wish.source, wish.fulfilled_at) == (ann, "chat", None)
    assert (consent.purpose, consent.channel, consent.granted) == ("alerts", "email", True)


def test_who_is_not_known_shows_first_who_they_are(chat: Chat, engine: Engine) -> None:
    answer = press(chat)
    assert answer.slots["pending_action"] == "action_tell_when_back"
    with session_scope(engine) as session:
        assert session.scalars(select(StockWish)).all() == []


def test_nothing_is_promised_that_cannot_be_kept(anns_chat: Chat, engine: Engine, ann: int) -> None:
    assert press(anns_chat, "TENT-1").said == ["utter_back_already"]
    assert press(anns_chat, "NO-SUCH").said == ["utter_product_which"]
    with session_scope(engine) as session:
        contact.set_channels(session, ann, refused=["email"])
    assert press(anns_chat).said == ["utter_back_no_mail"]
    with session_scope(engine) as session:
        assert session.scalars(select(StockWish)).all() == []
        assert session.scalars(select(ConsentEvent)).all() == []
