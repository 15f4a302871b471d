"""Points, codes for points, discounts of all kinds and why somebody has one, beside what the ledgers hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from actions.words import points
from rapport.conversations import service as conversations
from rapport.kit.database import read_scope, session_scope
from rapport.kit.format import day
from rapport.kit.languages import LANGUAGES
from rapport.loyalty.offers import issuing, lookups, people, sync
from rapport.loyalty.offers import service as offers
from rapport.loyalty.offers.models import Coupon, Offer
from rapport.loyalty.offers.rulebook import get_rulebook
from rapport.loyalty.points import service as ledger
from rapport.loyalty.points import tasks
from rapport.outreach.policy.models import ContactDecision
from rapport.shop.facts import get_facts
from rapport.shop.models import Order, Product, ProductText, Refund
from rapport.value.models import CustomerValue
from tests.actions.conftest import NOW, Chat, new_chat, rows
from tests.actions.test_requests import Talk, cases
from tests.actions.test_topics import an_order
from tests.loyalty.offers import shop

EVERY_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)
DAY = timedelta(days=1)


@pytest.fixture
def book(engine: Engine) -> None:
    """The shop's own offers.yml."""
    with session_scope(engine) as session:
        sync.sync(session, get_rulebook())


@pytest.fixture
def talk(anns_chat: Chat) -> Talk:
    anns_chat.slots["requested_slot"] = None
    return Talk(anns_chat)


def earn(engine: Engine, customer_id: int, number: int, key: str = "gift", **more: object) -> None:
    with session_scope(engine) as session:
        ledger.earn(session, customer_id, number, key=key, reason="gift", **more)  # type: ignore[arg-type]


def balance(engine: Engine, customer_id: int) -> int:
    with read_scope(engine) as session:
        return ledger.balance(session, customer_id)


# The balance


@EVERY_LANGUAGE
def test_what_expires_next_and_what_is_on_its_way(
    engine: Engine, anns_chat: Chat, ann: int, language: str
) -> None:
    earn(engine, ann, 1, expires_at=NOW + 20 * DAY)
    earn(engine, ann, 40, "b", expires_at=NOW + 80 * DAY)
    earn(engine, ann, 30, "c", matures_at=NOW + 10 * DAY)
    earn(engine, ann, 5, "d", matures_at=NOW + 12 * DAY)
    [text] = anns_chat.run("action_points_balance", language=language).texts(language)
    first, *lines = text.splitlines()
    assert points(41, language) in first
    with read_scope(engine) as session:
        found = ledger.statement(session, ann)
    assert len(lines) == 3
    assert points(1, language) in lines[0]  # "1 point", and no "1 points"
    assert points(found.pending, language) in lines[1] and found.pending == 35
    assert found.tier.missing is not None
    assert points(found.tier.missing, language) in lines[2]


@EVERY_LANGUAGE
def test_nothing_to_spend_yet_is_no_nothing(engine: Engine, anns_chat: Chat, ann: int, language: str) -> None:
    earn(engine, ann, 30, matures_at=NOW + 10 * DAY)
    answer = anns_chat.run("action_points_balance", language=language)
    assert answer.said == ["utter_points_later"]
    assert points(30, language) in answer.texts(language)[0]


@EVERY_LANGUAGE
def test_a_debt_is_explained(engine: Engine, anns_chat: Chat, ann: int, language: str) -> None:
    an_order(engine, ann, placed_at=NOW - 60 * DAY, status="delivered")
    with session_scope(engine) as session:
        tasks.run(session, NOW)
        ledger.burn(session, ann, 100, key="burn", reason="coupon")
        order = session.scalars(select(Order)).one()
        refund = Refund(
            source="t",
            reference="r",
            order_id=order.id,
            amount_minor=order.total_minor,
            currency="NOK",
            at=NOW,
        )
        session.add(refund)
        session.flush()
        ledger.reverse_for_refund(session, refund)
    with read_scope(engine) as session:
        found = ledger.statement(session, ann)
    assert (found.available, found.debt) == (0, 100)
    answer = anns_chat.run("action_points_balance", language=language)
    assert answer.said == ["utter_points_later"]
    assert points(100, language) in answer.texts(language)[0]


@EVERY_LANGUAGE
def test_the_highest_level(engine: Engine, anns_chat: Chat, ann: int, language: str) -> None:
    earn(engine, ann, 2000)
    [text] = anns_chat.run("action_points_balance", language=language).texts(language)
    assert {"en": "Summit", "es": "Cumbre", "nb": "Tind", "ro": "Vârf"}[language] in text


# Points become a code


@EVERY_LANGUAGE
def test_points_become_a_code(engine: Engine, talk: Talk, ann: int, book: None, language: str) -> None:
    earn(engine, ann, 480)
    talk.chat.slots["language"] = language
    talk.begin("redeem_points", "use my points")
    assert talk.said == ["utter_request_details_redeem_points"]
    offered = [button["payload"] for button in talk.buttons if button["payload"] != "/deny"]
    assert offered == [f'/redeem_points{{"points":"{number}"}}' for number in (100, 200, 450)]
    talk.reply("200")
    assert talk.said == ["utter_request_confirm_redeem_points"]
    assert points(200, language) in talk.texts[0] and "40" in talk.texts[0]
    assert balance(engine, ann) == 480, "nothing is gone before the yes"
    talk.reply("yes", "affirm")
    assert talk.said == ["utter_points_code"]
    with read_scope(engine) as session:
        coupon = session.scalars(select(Coupon)).one()
        assert (coupon.amount_minor, coupon.kind) == (200 * 20, "amount")
        assert coupon.code in talk.texts[0]
    assert balance(engine, ann) == 280
    assert cases(engine) == []


def test_the_number_may_come_with_the_wish_and_be_corrected(
    engine: Engine, talk: Talk, ann: int, book: None
) -> None:
    earn(engine, ann, 480)
    talk.begin("redeem_points", "turn 300 points into a code")
    assert talk.said == ["utter_request_confirm_redeem_points"]
    assert "300 points" in talk.texts[0]
    talk.begin("redeem_points", "no, redeem 150 points")
    assert talk.said == ["utter_request_confirm_redeem_points"]
    assert "150 points" in talk.texts[0]
    talk.begin("redeem_points", "all of them")
    assert "450 points" in talk.texts[0]
    talk.reply("yes", "affirm")
    assert balance(engine, ann) == 30


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("500 points", "utter_points_too_many"),
        ("10 points", "utter_points_below"),
        ("120 points", "utter_points_in_steps"),
    ],
)
@EVERY_LANGUAGE
def test_numbers_that_do_not_work(
    engine: Engine, talk: Talk, ann: int, book: None, said: str, answer: str, language: str
) -> None:
    earn(engine, ann, 480)
    talk.chat.slots["language"] = language
    talk.begin("redeem_points", said)
    assert talk.said[0] == answer
    asked = "confirm" if answer == "utter_points_in_steps" else "details"
    assert talk.said[1] == f"utter_request_{asked}_redeem_points"


@EVERY_LANGUAGE
def test_too_few_points_are_told_what_is_missing(
    engine: Engine, talk: Talk, ann: int, book: None, language: str
) -> None:
    talk.chat.slots["language"] = language
    talk.begin("redeem_points")
    assert talk.said == ["utter_points_none"]
    earn(engine, ann, 99)
    talk.begin("redeem_points")
    assert talk.said == ["utter_points_too_few"]
    assert points(1, language) in talk.texts[0]


def test_without_codes_for_points_nothing_is_taken(engine: Engine, talk: Talk, ann: int, book: None) -> None:
    earn(engine, ann, 200)
    with session_scope(engine) as session:
        session.scalars(select(Offer).where(Offer.occasion == "points")).one().active = False
    talk.begin("redeem_points")
    assert talk.said == ["utter_points_no_codes"]
    assert balance(engine, ann) == 200


def test_points_gone_meanwhile_are_explained(engine: Engine, talk: Talk, ann: int, book: None) -> None:
    earn(engine, ann, 200)
    talk.begin("redeem_points", "200 points")
    with session_scope(engine) as session:
        ledger.burn(session, ann, 150, key="elsewhere", reason="checkout")
    talk.reply("yes", "affirm")
    assert talk.said == ["utter_points_too_many"]
    assert (balance(engine, ann), rows(engine, Coupon)) == (50, 0)


def test_a_repeated_turn_takes_the_points_once(engine: Engine, anns_chat: Chat, ann: int, book: None) -> None:
    earn(engine, ann, 400)
    wanted = {"request": "redeem_points", "request_order": "", "request_details": "200"}
    confirmed = {**wanted, "request_confirmed": "yes"}
    first, again = (anns_chat.run("action_take_request", "m1", **confirmed) for _ in range(2))
    assert first.said == again.said == ["utter_points_code"]
    assert first.cards == again.cards
    assert (balance(engine, ann), rows(engine, Coupon)) == (200, 1)
    other = anns_chat.run("action_take_request", "m2", **confirmed)
    assert other.cards != first.cards
    assert balance(engine, ann) == 0


def test_many_chats_cannot_spend_the_same_points(engine: Engine, ann: int, book: None) -> None:
    earn(engine, ann, 250)
    chats = [new_chat(engine) for _ in range(6)]
    wanted = {"request": "redeem_points", "request_order": "", "request_details": "100"}
    for chat in chats:
        chat.verify_as(ann)
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda c: c.run("action_take_request", **wanted, request_confirmed="yes"), chats)
        )
    assert sorted(answer.said[0] for answer in answers) == [
        *["utter_points_code"] * 2,
        *["utter_points_too_many"] * 4,
    ]
    assert (balance(engine, ann), rows(engine, Coupon)) == (50, 2)


# Discounts and why


@EVERY_LANGUAGE
@pytest.mark.parametrize(
    ("terms", "response", "words"),
    [
        ({"percent": 12, "max_discount_minor": 30000}, "utter_discount", ["12", "300"]),
        ({"amount_minor": 7500}, "utter_discount_amount", ["75"]),
        ({"gift_sku": "sku-9"}, "utter_discount_gift", ["Bottle"]),
    ],
)
def test_each_kind_is_told_as_what_it_is(
    engine: Engine,
    anns_chat: Chat,
    terms: dict[str, object],
    response: str,
    words: list[str],
    language: str,
) -> None:
    with session_scope(engine) as session:
        shop.offer(session, "test", **terms)
        bottle = Product(sku="sku-9", price_minor=1, currency="NOK")
        bottle.texts = [ProductText(language=x, name="Bottle") for x in LANGUAGES]
        session.add(bottle)
    first = anns_chat.run("action_offer_discount", language=language)
    again = anns_chat.run("action_offer_discount", language=language)
    assert (first.said, again.said) == ([response], [f"{response}_again"])
    with read_scope(engine) as session:
        code, percent = session.execute(select(Coupon.code, Coupon.percent)).one()
    for answer in (first, again):
        [text] = answer.texts(language)
        assert all(word in text for word in [*words, code])
        assert answer.cards[0].get("percent", 0) == percent


@EVERY_LANGUAGE
def test_an_open_complaint_comes_first(engine: Engine, anns_chat: Chat, language: str) -> None:
    with session_scope(engine) as session:
        talk = conversations.get(session, anns_chat.id)
        case = conversations.open_case(session, talk, "complaint", "it broke", "key").id
    answer = anns_chat.run("action_offer_discount", language=language)
    assert answer.said == ["utter_no_discount_complaint"]
    assert str(case) in answer.texts(language)[0]


def valued(engine: Engine, customer_id: int, segment: str, scores: tuple[int, int, int]) -> None:
    """The customer as the nightly valuation left them."""
    with session_scope(engine) as session:
        shop.valued(session, customer_id, segment, scores)


@EVERY_LANGUAGE
def test_why_compared_with_the_rows(engine: Engine, anns_chat: Chat, ann: int, language: str) -> None:
    an_order(engine, ann, status="delivered")
    valued(engine, ann, "at_risk", (2, 4, 5))
    with session_scope(engine) as session:
        shop.offer(session, "back", percent=20, minimum_minor=60000, segments=["at_risk"])
    anns_chat.run("action_offer_discount", language=language)
    answer = anns_chat.run("action_explain_offer", language=language)
    assert answer.said == ["utter_why_offer_segment", "utter_why_scores", "utter_why_asked"]
    rule, scores, basis = answer.texts(language)
    with read_scope(engine) as session:
        code, last_day = session.execute(select(Coupon.code, Coupon.expires_at)).one()
        held = (CustomerValue.recency, CustomerValue.frequency, CustomerValue.monetary)
        standing = tuple(session.execute(select(*held)).one())
        why = offers.explain(session, ann)
    assert why is not None and why.asked
    assert why.scores == standing
    for score in why.scores:
        assert f"({score} " in scores
    assert code in basis and "600" in basis
    assert day(last_day, language, get_facts().timezone) in basis
    # Kind words: nobody hears that they are at risk, hibernating or lost.
    told = (rule + scores + basis).lower()
    for word in ("risk", "riesgo", "lost", "perdid", "tapt", "pierdut", "hibern", "dvale", "churn"):
        assert word not in told


@EVERY_LANGUAGE
@pytest.mark.parametrize(
    ("terms", "response"),
    [
        ({}, "all"),
        ({"max_orders": 0}, "new"),
        ({"min_orders": 1}, "first"),
        ({"min_orders": 3}, "loyal"),
        ({"tiers": ["trail"]}, "tier"),
        ({"interests": ["tents"]}, "interest"),
        ({"segments": ["mine_alone"]}, "group"),
    ],
)
def test_the_rule_is_the_offers(
    engine: Engine, anns_chat: Chat, ann: int, terms: dict[str, object], response: str, language: str
) -> None:
    if response != "new":
        for number in range(3):
            an_order(engine, ann, f"FJ{number}", status="delivered")
    if response == "group":
        valued(engine, ann, "mine_alone", (3, 3, 3))
    anns_chat.slots["language"] = language
    anns_chat.run("action_record_interest", category="tents")
    with session_scope(engine) as session:
        shop.offer(session, "test", **terms)
    assert anns_chat.run("action_offer_discount").said == ["utter_discount"]
    answer = anns_chat.run("action_explain_offer")
    assert answer.said[0] == f"utter_why_offer_{response}"
    assert answer.said[-1] == "utter_why_asked"
    if response == "loyal":
        assert "3" in answer.texts(language)[0]
    if response == "interest":
        tents = {"en": "tents", "es": "tiendas de campaña", "nb": "telt", "ro": "corturi"}[language]
        assert tents in answer.texts(language)[0]
    if response == "tier":
        trail = {"en": "Trail", "es": "Sendero", "nb": "Sti", "ro": "Potecă"}[language]
        assert trail in answer.texts(language)[0]


@EVERY_LANGUAGE
def test_what_came_unasked_names_the_consent(
    engine: Engine, anns_chat: Chat, ann: int, language: str
) -> None:
    with session_scope(engine) as session:
        consent = shop.consent(session, ann, at=NOW - 9 * DAY)
        shop.offer(session, "birthday", amount_minor=5000, occasion="birthday")
        known = people.known(session, ann, lookups.offers(session, "birthday"), NOW)
        given = people.consent_for_presents(session, ann, NOW)
        assert given is not None and given.id == consent
        cause = issuing.Cause(asked=False, grant_key="birthday:1", consent=given)
        [terms] = lookups.offers(session, "birthday")
        assert issuing.issue(session, terms, known, cause, NOW) is not None
    answer = anns_chat.run("action_explain_offer", language=language)
    assert answer.said == ["utter_why_offer_birthday", "utter_why_consent"]
    basis = answer.texts(language)[1]
    assert "2026-01" in basis  # the wording agreed to
    assert "correo" in basis or "mail" in basis or "e-post" in basis


def test_a_code_named_is_the_one_explained(engine: Engine, anns_chat: Chat, ann: int, book: None) -> None:
    earn(engine, ann, 200)
    an_order(engine, ann, status="delivered")
    anns_chat.run("action_offer_discount")
    with session_scope(engine) as session:
        code = offers.redeem_points(session, ann, 200, key="k").code
    assert anns_chat.run("action_explain_offer").said[0] == "utter_why_offer_first"
    anns_chat.text = f"why do I have {code.lower()}?"
    answer = anns_chat.run("action_explain_offer")
    assert answer.said[0] == "utter_why_offer_points"
    assert "200 points" in answer.texts()[0]
    anns_chat.text = "why do I have this code?"
    told = anns_chat.run("action_explain_offer", told_code=code)
    assert told.said[0] == "utter_why_offer_points"
    anns_chat.text = "what is FJ-AAAA-BBBB for?"
    assert "FJ-AAAA-BBBB" not in "".join(anns_chat.run("action_explain_offer").texts())


def decision(customer_id: int, outcome: str, reason: str, at: datetime) -> ContactDecision:
    return ContactDecision(
        customer_id=customer_id, journey="cart_left", step="left", outcome=outcome, reason=reason, at=at
    )


@EVERY_LANGUAGE
def test_why_we_wrote_when_that_came_last(engine: Engine, anns_chat: Chat, ann: int, language: str) -> None:
    """Why we wrote, and why we did not before; a code that came with it or since is explained instead."""

    with session_scope(engine) as session:
        session.add(decision(ann, "never", "paused", NOW - 2 * DAY))
    assert anns_chat.run("action_explain_offer", language=language).said == ["utter_why_no_offer"]
    with session_scope(engine) as session:
        session.add(decision(ann, "send", "allowed", NOW - DAY))
    answer = anns_chat.run("action_explain_offer", language=language)
    assert answer.said == ["utter_why_written", "utter_choices_page"]
    told = answer.texts(language)[0]
    basket = {"en": "basket", "es": "carrito", "nb": "handlekurven", "ro": "coș"}[language]
    pause = {"en": "pause", "es": "pausa", "nb": "pause", "ro": "pauză"}[language]
    assert told.index(basket) < told.index(pause)
    an_order(engine, ann, status="delivered")
    with session_scope(engine) as session:
        shop.offer(session, "thanks", percent=10)
    anns_chat.run("action_offer_discount", language=language)
    assert anns_chat.run("action_explain_offer", language=language).said[0] == "utter_why_offer_all"
