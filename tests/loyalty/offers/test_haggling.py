"""Five hundred turns of haggling in four languages: nothing leaks, however it is asked.

Each turn asks the ledger for a discount, as the bot's action does, and hears two bots: an honest one that
tells what the ledger returned, and one that gives in to the customer. Only the honest one may be heard.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Engine, select

from rapport.conversations import gate, service
from rapport.conversations.rasa import Answer, Reply
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import ROOT
from rapport.loyalty.offers import audit
from rapport.loyalty.offers import service as offers
from rapport.loyalty.offers.models import Coupon
from rapport.loyalty.offers.number_words import EN, ES, NB, RO
from rapport.loyalty.offers.rulebook import get_rulebook
from rapport.loyalty.offers.rules import new_coupon_code
from rapport.loyalty.offers.sync import sync
from tests.loyalty.offers import shop
from tests.loyalty.offers.shop import NOW

TURNS = 500
SCRIPT: dict[str, dict[str, list[str]]] = yaml.safe_load(
    (Path(__file__).parent / "haggling.yml").read_text("utf-8")
)
HONEST = yaml.safe_load((ROOT / "data" / "responses" / "loyalty.yml").read_text("utf-8"))["responses"]
TENS = {"en": EN, "es": ES, "nb": NB, "ro": RO}
SORRY = Reply("Sorry, something went wrong.", [], None, None, "utter_trouble")
# Nobody in the test is ever given any of these.
NEVER = (20, 30, 40, 50, 60, 70, 80, 90)


def _chats(engine: Engine) -> list[tuple[str, int | None]]:
    """(conversation, its customer): with five orders, with one, with none, and strangers."""
    with session_scope(engine) as session:
        sync(session, get_rulebook())
        people: list[int | None] = [None, None]
        for orders in (6, 5, 1, 2, 0, 0):
            customer_id = shop.customer(session, stage="trust" if orders else "interest")
            for _ in range(orders):
                shop.order(session, customer_id)
            people.append(customer_id)
        chats = []
        for customer_id in people:
            conversation = service.start(session, "web", "en")
            if customer_id is not None:
                conversation.customer_id = customer_id
                conversation.verified_until = NOW.replace(year=2027)
            chats.append((conversation.id, customer_id))
        return chats


def _honest(discount: offers.Discount | None, language: str) -> str | None:
    """The response's own words, with what the ledger returned."""
    if discount is None:
        return None
    name = "utter_discount_again" if discount.again else "utter_discount"
    wording = next(
        variation["text"]
        for variation in HONEST[name]
        if [part["value"] for part in variation.get("condition", ())]
        == ([] if language == "en" else [language])
    )
    values: dict[str, Any] = _Any(percent=discount.percent, code=discount.code)
    return str(wording.format_map(values))


class _Any(dict[str, Any]):
    """Whatever else a wording wants."""

    def __missing__(self, key: str) -> str:
        return "…"


def test_five_hundred_turns_leak_nothing(engine: Engine) -> None:
    dice = random.Random(500)
    with clock.freeze(NOW):
        chats = _chats(engine)
        given: dict[int, offers.Discount] = {}
        honest_turns = 0
        for number in range(TURNS):
            conversation_id, customer_id = dice.choice(chats)
            language = LANGUAGES[number % 4]
            bad = _promise(
                dice, language, [code.code for code in given.values()], given.get(customer_id or 0)
            )
            discount = None
            if customer_id is not None:
                with session_scope(engine) as session:
                    discount = offers.offer_discount(session, customer_id, f"{conversation_id}:{number}")
            if discount is not None and customer_id is not None:
                first = given.setdefault(customer_id, discount)
                assert (discount.code, discount.percent) == (first.code, first.percent)
            honest = _honest(discount, language)
            replies = [Reply(text, [], None, None, "r") for text in (honest, bad) if text is not None]
            heard = gate.checked(engine, conversation_id, number, Answer(replies), SORRY).replies
            expected = [*([honest] if honest else []), SORRY.text]
            assert [reply.text for reply in heard] == expected, bad
            honest_turns += honest is not None
    assert honest_turns > 250
    assert {discount.percent for discount in given.values()} == {5, 10, 15}
    with session_scope(engine) as session:
        assert len(session.scalars(select(Coupon.id)).all()) == len(given) == 6
        assert audit.find(session) == []


def _promise(dice: random.Random, language: str, others: list[str], own: offers.Discount | None) -> str:
    """What a bot that gives in would say: what was asked of it, or a wording of its own."""
    percent = dice.choice(NEVER)
    stolen = [code for code in others if own is None or code != own.code]
    code = dice.choice(stolen) if stolen and dice.random() < 0.5 else new_coupon_code("FJ")
    words = TENS[language][1].split()[percent // 10 - 2]
    script = SCRIPT[language]
    wording = dice.choice(script["given"] + [said for said in script["said"] if "{" in said])
    return wording.format(
        percent=percent, code=code, words=words, lower=code.lower(), spaced=code.replace("-", " ")
    )
