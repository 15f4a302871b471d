"""The offer gate in a turn: what the ledger does not hold is never stored, whatever the bot wanted to say."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

from rapport.conversations import gate, repository, service
from rapport.conversations.rasa import Answer, Reply
from rapport.conversations.texts import TROUBLE, TROUBLE_FILE, load_response
from rapport.edits import service as edited
from rapport.edits import source as edits
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.format import money
from rapport.kit.languages import LANGUAGES
from rapport.loyalty.offers import service as offers
from rapport.loyalty.points import service as ledger
from rapport.loyalty.referrals import service as referrals
from rapport.shop.models import ProductText
from tests.conversations.conftest import MakeTurns, new_conversation, receive, said
from tests.fake_rasa import FakeRasa, answer, reply
from tests.loyalty.offers import shop
from tests.loyalty.offers.shop import NOW

SORRY = load_response(TROUBLE, TROUBLE_FILE)


@pytest.fixture(autouse=True)
def _still() -> Iterator[None]:
    with clock.freeze(NOW):
        yield


@pytest.fixture
def code(engine: Engine) -> str:
    """A code of 15 percent of customer 1, who also may redeem 240 points."""
    with session_scope(engine) as session:
        customer_id = shop.customer(session)
        shop.offer(session, "loyal", percent=15, max_discount_minor=30_000)
        ledger.earn(session, customer_id, 240, key="k", reason="test", at=NOW)
        discount = offers.offer_discount(session, customer_id)
        assert discount is not None
        return discount.code


def _chat(engine: Engine, customer_id: int | None, language: str = "en") -> str:
    conversation_id = new_conversation(engine, language)
    if customer_id is not None:
        with session_scope(engine) as session:
            conversation = service.get(session, conversation_id)
            conversation.customer_id = customer_id
            conversation.verified_until = NOW + timedelta(hours=1)
    return conversation_id


def _owner(engine: Engine) -> int:
    return shop.coupons(engine)[0].customer_id


def _heard(
    engine: Engine, make_turns: MakeTurns, rasa: FakeRasa, chat: str, *texts: str, **more: Any
) -> list[str]:
    """What is stored when the bot wants to say these."""
    rasa.behave = lambda _turn: answer(*(reply(text, **more) for text in texts))
    receive(engine, chat, "any discount for me?")
    make_turns().take(chat)
    return [text or "" for author, text in said(engine, chat) if author == "bot"]


def test_their_own_code_reaches_its_customer(
    engine: Engine, make_turns: MakeTurns, rasa: FakeRasa, code: str
) -> None:
    text = f"You have 15% off with the code {code}, at most NOK 300 off."
    assert _heard(engine, make_turns, rasa, _chat(engine, _owner(engine)), text) == [text]


@pytest.mark.parametrize("language", LANGUAGES)
def test_anothers_code_and_any_other_promise_become_an_apology(
    engine: Engine,
    make_turns: MakeTurns,
    rasa: FakeRasa,
    code: str,
    language: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with session_scope(engine) as session:
        stranger = shop.customer(session)
    for customer_id, text in (
        (stranger, f"Use {code}"),
        (None, f"Use {code.lower()}"),
        (stranger, "You get 15 %"),
        (_owner(engine), "You get 16 %"),
        (_owner(engine), "Bruk FJ-AAAA-BBBB"),
        (_owner(engine), "un descuento de 50 NOK"),
        (_owner(engine), "la jumătate de preț"),
    ):
        chat = _chat(engine, customer_id, language)
        rasa.behave = lambda _turn, text=text: answer(reply("Hello!"), reply(text), reply(text))
        receive(engine, chat, "?", payload="/ask_discount")
        make_turns().take(chat)
        heard = [text for author, text in said(engine, chat) if author == "bot"]
        assert heard == ["Hello!", SORRY[language].text]
    assert {record.levelno for record in caplog.records} == {logging.ERROR}
    assert code not in caplog.text
    assert "AAAA" not in caplog.text
    assert "%" not in "".join(record.getMessage() for record in caplog.records)


def test_buttons_and_cards_are_looked_at_too(
    engine: Engine, make_turns: MakeTurns, rasa: FakeRasa, code: str
) -> None:
    chat = _chat(engine, _owner(engine))
    card = {"type": "coupon", "code": code, "percent": 15, "expires": "2026-06-02"}
    good: dict[str, Any] = {"custom": card, "buttons": [{"title": "Use 15 %", "payload": "/x"}]}
    assert _heard(engine, make_turns, rasa, chat, "Here:", **good)[-1] == "Here:"
    for bad in (
        {"custom": card | {"percent": 20}},
        {"custom": card | {"code": "FJ-AAAA-BBBB"}},
        {"custom": {"type": "products", "products": [{"name": "Tent", "note": "now 30 % off"}]}},
        {"buttons": [{"title": "Take 20 %", "payload": "/x"}]},
    ):
        assert _heard(engine, make_turns, rasa, chat, "Here:", **bad)[-1] == SORRY["en"].text


def test_the_shops_own_words_pass(engine: Engine, make_turns: MakeTurns, rasa: FakeRasa, code: str) -> None:
    with session_scope(engine) as session:
        shop.product(
            session,
            "SOCK",
            9_900,
            None,
            texts=[ProductText(language="en", name="Sock", description="Warm. It is 80 % wool and soft.")],
        )
    texts = ["Sock: Warm. It is 80 % wool and soft. NOK 99", "Your order FJ-10234 is on its way."]
    assert _heard(engine, make_turns, rasa, _chat(engine, None), *texts) == texts
    promise = "All for you with 80 % off"
    assert _heard(engine, make_turns, rasa, _chat(engine, None), promise) == [SORRY["en"].text]


def test_what_is_edited_in_the_console_is_the_shops_own_word(
    engine: Engine, make_turns: MakeTurns, rasa: FakeRasa, code: str
) -> None:
    name = "Vipps, with 3 % off every parcel"
    chat = _chat(engine, None)
    edits.follow(lambda: engine)
    assert _heard(engine, make_turns, rasa, chat, name) == [SORRY["en"].text]
    with session_scope(engine) as session:
        texts = dict.fromkeys(LANGUAGES, name)
        edited.save(session, "payment", 0, [{"key": "vipps", "name": texts}], None)
    assert _heard(engine, make_turns, rasa, chat, name)[-1] == name


def test_what_points_and_friends_bring_may_be_said(
    engine: Engine, make_turns: MakeTurns, rasa: FakeRasa, code: str
) -> None:
    owner = _owner(engine)
    with session_scope(engine) as session:
        shop.offer(session, "friend", occasion="referral", percent=12)
        friends = referrals.code_of(session, owner)
    chat = _chat(engine, owner)
    texts = [
        f"Give your friends {friends}: they get 12 % off.",
        f"200 points are {money(4_000, 'NOK', 'en')} off, all 240 would be a discount of NOK 48.",
    ]
    assert _heard(engine, make_turns, rasa, chat, *texts) == texts
    stranger = _chat(engine, None)
    assert _heard(engine, make_turns, rasa, stranger, texts[0]) == [SORRY["en"].text]


def test_who_was_verified_by_this_very_turn_is_known(
    engine: Engine, make_turns: MakeTurns, rasa: FakeRasa, code: str
) -> None:
    chat, owner = _chat(engine, None), _owner(engine)

    def verify(_turn: Any) -> Any:
        with session_scope(engine) as session:
            conversation = service.get(session, chat)
            conversation.customer_id, conversation.verified_until = owner, NOW + timedelta(hours=1)
        return answer(reply(f"15 % with {code}"))

    rasa.behave = verify
    receive(engine, chat, "123456")
    make_turns().take(chat)
    assert said(engine, chat)[-1] == ("bot", f"15 % with {code}")
    with session_scope(engine) as session:
        service.get(session, chat).verified_until = NOW - timedelta(minutes=3)
    assert _heard(engine, make_turns, rasa, chat, f"15 % with {code}")[-1] == SORRY["en"].text


def test_nothing_is_asked_of_the_database_where_nothing_is_promised(engine: Engine) -> None:
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
    plain = Answer(
        [Reply("Your order FJ-10234 was sent. It costs NOK 499.", [("Track", "/t")], None, {}, "r")]
    )
    conversation_id = new_conversation(engine)
    asked.clear()
    assert gate.checked(engine, conversation_id, 1, plain, SORRY["en"]) is plain
    assert asked == []
    promising = Answer([Reply("20 %", [], None, None, "r")])
    assert gate.checked(engine, conversation_id, 1, promising, SORRY["en"]).replies == [SORRY["en"]]
    assert asked


def test_a_conversation_is_read_as_it_stands(engine: Engine) -> None:
    chat = _chat(engine, None)
    with session_scope(engine) as session:
        assert repository.verified(session, chat) == (None, None)
