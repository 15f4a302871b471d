"""offers.yml: mistakes are said clearly, and taking it over changes no code that is out."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from rapport.edits import service as edits
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import ROOT
from rapport.loyalty.offers import audit, service, sync
from rapport.loyalty.offers.models import Offer
from rapport.loyalty.offers.rulebook import Rulebook, RulebookFile, load_rulebook, with_offer
from rapport.shop.facts import get_facts
from tests.loyalty.offers import shop
from tests.loyalty.offers.shop import NOW


def _book(folder: Path, text: str) -> Rulebook:
    path = folder / "offers.yml"
    path.write_text(text, "utf-8")
    return load_rulebook(path, get_facts())


def test_the_shops_own_offers_are_right() -> None:
    book = load_rulebook(ROOT / "offers.yml", get_facts())
    offers = {offer.key: offer for offer in book.offers}
    assert {offer.occasion for offer in book.offers} == {
        *("standing", "birthday", "anniversary", "surprise", "recovery", "points", "referral")
    }
    welcome, loyal = offers["welcome"], offers["loyal"]
    assert (welcome.percent, welcome.audience.min_orders) == (10, 1)
    assert (loyal.percent, loyal.audience.min_orders, loyal.audience.stages) == (15, 5, ("trust",))
    assert offers["newcomer"].audience.stages == ("know", "interest")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("offers: [{key: a, name: A}]", "offer a: Value error, give exactly one of percent"),
        ("offers: [{key: a, name: A, percent: 5, gift: X}]", "exactly one of"),
        ("offers: [{key: a, name: A, percent: 0}]", "offer a.percent: "),
        ("offers: [{key: a, name: A, percent: 101}]", "offer a.percent: "),
        ("offers: [{key: A B, name: A, percent: 5}]", "offer A B.key: "),
        ("offers: [{key: a, name: A, percent: 5, discount: 7}]", "offer a.discount: Extra inputs"),
        ("offers: [{key: a, name: A, percent: 5, budget_minor: 9}]", "needs max_discount_minor"),
        ("offers: [{key: a, name: A, amount_minor: 5, max_discount_minor: 9}]", "is for percent"),
        (
            "offers: [{key: a, name: A, percent: 5}, {key: a, name: B, percent: 6}]",
            "two offers have the key a",
        ),
        ("offers: [{key: a, name: A, percent: 5, occasion: surprise}]", "a surprise needs a chance"),
        ("offers: [{key: a, name: A, percent: 5, chance: 0.1}]", "only a surprise has a chance"),
        ("offers: [{key: a, name: A, percent: 5, after_days: 1}]", "only a recovery has after_days"),
        ("offers: [{key: a, name: A, gift: X, keep_margin: true}]", "keep_margin is for discounts"),
        ("offers: [{key: a, name: A, occasion: points}]", "a needs a section points"),
        (
            "points: {minimum: 5}\noffers: [{key: a, name: A, occasion: points, percent: 5}]",
            "leave out percent",
        ),
        ("offers: [{key: a, name: A, percent: 5, occasion: christmas}]", "offer a.occasion: "),
        (
            "offers: [{key: a, name: A, percent: 5, starts: 2026-05-02, ends: 2026-05-02}]",
            "ends is not after starts",
        ),
        (
            "offers: [{key: a, name: A, percent: 5, audience: {min_orders: 3, max_orders: 2}}]",
            "max_orders is below min_orders",
        ),
        (
            "offers: [{key: a, name: A, percent: 5, audience: {stages: [buyer]}}]",
            "offer a.audience.stages.0: ",
        ),
        (
            "offers: [{key: a, name: A, percent: 5, audience: {tiers: [gold]}}]",
            "gold is no level of the club",
        ),
        (
            "referral: {points: 5, friend_gets: with_reward}\n"
            "offers: [{key: a, name: A, percent: 5, occasion: referral, audience: {max_orders: 0}}]",
            "max_orders can't be 0",
        ),
        ("offers: [", "is no valid YAML"),
        ("offers: 5", "offers: "),
        ("- 5", "is wrong"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        _book(tmp_path, text)
    assert said in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Cannot read the shop's offers: .*nowhere\.yml"):
        load_rulebook(tmp_path / "nowhere.yml", get_facts())


def test_an_empty_file_offers_nothing(tmp_path: Path) -> None:
    assert _book(tmp_path, "# later").offers == ()


def test_days_are_the_shops(tmp_path: Path) -> None:
    text = "offers: [{key: a, name: A, percent: 5, starts: 2026-07-01, ends: 2026-12-24T18:00:00}]"
    [offer] = _book(tmp_path, text).offers
    assert offer.starts == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert offer.ends == datetime(2026, 12, 24, 17, tzinfo=UTC)


def test_a_file_that_becomes_wrong_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "offers.yml"
    path.write_text("offers: [{key: a, name: A, percent: 5}]", "utf-8")
    file = RulebookFile(path, get_facts())
    first = file.get()
    assert file.get() is first
    for number, text in enumerate(("offers: [{key: a}]", "offers: [{key: b, name: B, percent: 6}]"), 1):
        path.write_text(text, "utf-8")
        os.utime(path, ns=(number, number))
        book = file.get()
        assert [offer.key for offer in book.offers] == (["a"] if number == 1 else ["b"])
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "offer a.name: Field required" in caplog.text


def test_running_codes_keep_their_terms(engine: Engine, tmp_path: Path) -> None:
    before = "offers: [{key: a, name: A, percent: 10, minimum_minor: 500, valid_days: 9, cap: 5}]"
    after = "offers: [{key: a, name: New, amount_minor: 700, minimum_minor: 900, cap: 1}]"
    with clock.freeze(NOW), session_scope(engine) as session:
        customer_id, other = shop.customer(session), shop.customer(session)
        assert sync.sync(session, _book(tmp_path, before)) == sync.Changes(added=("a",))
        assert sync.sync(session, _book(tmp_path, before)) == sync.Changes()
        given = service.offer_discount(session, customer_id)
        assert given is not None
        service.offer_discount(session, other)
        why = service.explain(session, customer_id)
        assert sync.sync(session, _book(tmp_path, after)) == sync.Changes(changed=("a",))
        now = service.offer_discount(session, customer_id)
        assert now is not None
        assert (now.code, now.kind, now.percent) == (given.code, "percent", 10)
        assert (now.minimum_minor, now.expires_at) == (500, given.expires_at)
        assert service.explain(session, customer_id) == why
        quote = service.redeem(session, given.code, key="k", order_minor=600, currency="NOK")
        assert quote.discount_minor == 60
        # A cap below what is out means: no more.
        offer = session.scalars(select(Offer)).one()
        assert (offer.cap, offer.used, offer.amount_minor) == (2, 2, 700)
        assert audit.find(session) == []
        assert service.offer_discount(session, shop.customer(session)) is None
        assert sync.sync(session, Rulebook()) == sync.Changes(ended=("a",))
        quote = service.redeem(
            session, service.coupons(session, other)[0].code, key="l", order_minor=600, currency="NOK"
        )
        assert quote.discount_minor == 60


def test_a_budget_no_running_code_can_break(engine: Engine, tmp_path: Path) -> None:
    """Codes that may cost any sum are out: no budget could answer for them."""
    with session_scope(engine) as session:
        sync.sync(session, _book(tmp_path, "offers: [{key: a, name: A, percent: 10}]"))
        service.offer_discount(session, shop.customer(session))
        limited = "offers: [{key: a, name: A, percent: 10, max_discount_minor: 50, budget_minor: 90}]"
        with pytest.raises(ConfigurationError, match="offer a: 1 codes are good that may cost any sum"):
            sync.sync(session, _book(tmp_path, limited))


def test_a_present_nobody_sells_is_told_of(engine: Engine, tmp_path: Path) -> None:
    with session_scope(engine) as session:
        changes = sync.sync(session, _book(tmp_path, "offers: [{key: a, name: A, gift: MUG}]"))
        assert changes.warnings == ("offer a: there is no product MUG, so nobody is given one",)


def test_each_database_gets_the_file_once(sqlite_engine: Engine, postgres_engine: Engine) -> None:
    """And what was made in its console, also in a process that knows nothing of that."""
    for engine in (sqlite_engine, postgres_engine):
        with session_scope(engine) as session:
            edits.save(session, "offer.made", 0, {"key": "made", "name": "Made", "percent": 5}, None)
        changes = sync.follow_file(engine)
        assert changes is not None
        assert {"welcome", "made"} <= set(changes.added)
        assert sync.follow_file(engine) is None


def test_part_of_an_offer_that_is_gone_is_no_offer() -> None:
    """Else a change of some fields would become an offer for everybody when its file's offer is taken out."""
    book, facts = load_rulebook(ROOT / "offers.yml", get_facts()), get_facts()
    part = {"name": "Gone", "percent": 90}
    for change in (part, {**part, "key": "another"}):
        with pytest.raises(ValueError, match="there is no offer gone"):
            with_offer(book, facts, "gone", change)
    made = with_offer(book, facts, "gone", {**part, "key": "gone"}).offers[-1]
    assert (made.key, made.percent) == ("gone", 90)
