"""Bringing friends: codes, what it gives, and friends' codes taken or kindly refused; in four languages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select

from rapport.conversations.values import friend_code
from rapport.customers import service as customers
from rapport.kit.database import session_scope
from rapport.kit.languages import LANGUAGES
from rapport.loyalty.offers import sync
from rapport.loyalty.offers.models import Coupon, Offer
from rapport.loyalty.offers.rulebook import get_rulebook
from rapport.loyalty.referrals import service as referrals
from rapport.loyalty.referrals.models import Referral, ReferralCode
from tests.actions.conftest import NOW, Chat, rows
from tests.actions.test_topics import an_order

EVERY_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture(autouse=True)
def _book(engine: Engine) -> None:
    """The shop's own offers.yml."""
    with session_scope(engine) as session:
        sync.sync(session, get_rulebook())


@pytest.fixture
def bobs_code(engine: Engine) -> str:
    """The code of another customer."""
    with session_scope(engine) as session:
        bob = customers.ensure_customer(session, identities=[("email", "bob@example.com")]).id
        return referrals.code_of(session, bob)


@EVERY_LANGUAGE
def test_anyone_may_know_what_it_gives(engine: Engine, chat: Chat, language: str) -> None:
    chat.text = "what do I get for bringing a friend?"
    answer = chat.run("action_refer_friend", language=language)
    assert (answer.said, answer.events) == (["utter_referral_how"], [])
    [text] = answer.texts(language)
    rule = get_rulebook().referral
    assert rule is not None
    with session_scope(engine) as session:
        offer = referrals.friend_offer(session)
        assert offer is not None
        for number in (rule.points, rule.per_year, offer.percent, offer.minimum_minor // 100):
            assert str(number) in text
    chat.text = "where is my referral code?"
    assert chat.run("action_refer_friend").next == ["verification_form"]


@EVERY_LANGUAGE
def test_the_code_stays_the_same(engine: Engine, anns_chat: Chat, language: str) -> None:
    first, again = (anns_chat.run("action_refer_friend", language=language) for _ in range(2))
    assert first.said == again.said == ["utter_referral"]
    assert first.texts(language) == again.texts(language)
    with session_scope(engine) as session:
        assert session.scalars(select(ReferralCode.code)).one() in first.texts(language)[0]


@EVERY_LANGUAGE
def test_a_friends_code_is_taken_once(
    engine: Engine, anns_chat: Chat, ann: int, bobs_code: str, language: str
) -> None:
    answer = anns_chat.run("action_refer_friend", "m1", friend_code=bobs_code.lower(), language=language)
    assert answer.said == ["utter_friend_code_percent"]
    assert answer.slots["friend_code"] is None
    with session_scope(engine) as session:
        coupon = session.scalars(select(Coupon)).one()
        assert coupon.customer_id == ann
        assert coupon.code in answer.texts(language)[0]
        assert f"{coupon.percent}" in answer.texts(language)[0]
    again = anns_chat.run("action_refer_friend", "m1", friend_code=bobs_code.lower())
    assert again.cards == answer.cards
    later = anns_chat.run("action_refer_friend", "m2", friend_code=bobs_code)
    assert later.said == ["utter_friend_code_already_referred"]
    assert later.texts(language)
    assert rows(engine, Referral) == rows(engine, Coupon) == 1


@EVERY_LANGUAGE
def test_codes_that_cannot_be_taken(
    engine: Engine, anns_chat: Chat, ann: int, bobs_code: str, language: str
) -> None:
    answer = anns_chat.run("action_refer_friend", friend_code="FJ-ABCDEF", language=language)
    assert answer.said == ["utter_friend_code_unknown"]
    assert "FJ-ABCDEF" not in answer.texts(language)[0]
    an_order(engine, ann, status="delivered", placed_at=NOW - timedelta(days=60))
    answer = anns_chat.run("action_refer_friend", friend_code=bobs_code)
    assert answer.said == ["utter_friend_code_not_new"]
    assert answer.texts(language)
    assert rows(engine, Referral) == 0


def test_the_own_code_is_just_told_again(engine: Engine, anns_chat: Chat, ann: int) -> None:
    with session_scope(engine) as session:
        own = referrals.code_of(session, ann)
    assert anns_chat.run("action_refer_friend", friend_code=own).said == ["utter_referral"]


@EVERY_LANGUAGE
def test_every_refusal_has_its_words(language: str) -> None:
    from tests.bot.project import responses

    for reason in referrals.Refusal:
        assert f"utter_friend_code_{reason.value}" in responses()


def test_nothing_is_promised_that_is_not_offered(engine: Engine, chat: Chat) -> None:
    with session_scope(engine) as session:
        session.scalars(select(Offer).where(Offer.occasion == "referral")).one().active = False
    chat.text = "what does my friend get?"
    [text] = chat.run("action_refer_friend").texts()
    assert "%" not in text and " off " not in text


def test_a_code_given_before_verification_is_taken_after_it(
    engine: Engine, anns_chat: Chat, bobs_code: str
) -> None:
    anns_chat.slots["friend_code"] = bobs_code
    assert anns_chat.run("action_after_verification").next == ["action_refer_friend"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("my friend gave me FJ-7KQMX2", "FJ-7KQMX2"),
        ("fj-abc234!", "fj-abc234"),
        ("order FJ-102345", None),
        ("order FJ-10234", None),
        ("the code FJ-ABCD-EFGH", None),
        ("FJ-ABCDEFG", None),
        ("xFJ-ABCDEF", None),
        ("nothing", None),
    ],
)
def test_what_looks_like_a_friends_code(text: str, code: str | None) -> None:
    assert friend_code(text, "FJ") == code
