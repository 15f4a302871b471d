"""Offers in the console: changed, made, ended, and checked by the same rules as the file."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from rapport.edits import service as edits
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.loyalty.offers import service, sync
from rapport.loyalty.offers.models import Offer
from rapport.loyalty.offers.rulebook import OfferRule, get_rulebook, get_rulebook_file
from tests.console.client import StaffClient
from tests.console.conftest import Logged
from tests.console.test_settings import HOSTILE, form
from tests.loyalty.offers import shop

PATH = "/console/settings/offers"
# Forms are the same on both databases.
FORMS = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def mia(log_in: Logged) -> StaffClient:
    return log_in("manager")


def test_an_offer_is_changed_at_once_and_comes_back(mia: StaffClient, engine: Engine) -> None:
    path = "/console/settings/offers/welcome"
    with session_scope(engine) as session:
        sync.sync(session, get_rulebook())
    for rule in get_rulebook().offers:
        one = f"/console/settings/offers/{rule.key}"
        assert "Nothing." in mia.post(one, **{**form(mia.page(one)), "do": "preview"}).text, rule.key
    fields = form(mia.page(path)) | {"percent": "12", "ends": "2026-12-24T18:00", "cap": "50"}
    seen = mia.post(path, **{**fields, "do": "preview"}).text
    assert "<del>" in seen
    assert mia.post(path, **{**fields, "do": "save"}).status_code == 200

    def row() -> tuple[int, str | None, int | None]:
        with read_scope(engine) as session:
            offer = session.scalars(select(Offer).where(Offer.key == "welcome")).one()
            return offer.percent, offer.ends_at.isoformat() if offer.ends_at else None, offer.cap

    assert row() == (12, "2026-12-24T17:00:00+00:00", 50)
    [welcome] = [rule for rule in get_rulebook().offers if rule.key == "welcome"]
    assert welcome.percent == 12
    assert "12%" in mia.page("/console/settings/offers")
    mia.post(f"{path}/restore", version="0", base="1")
    assert row() == (10, None, None)
    assert "Back to the shop's file." in mia.text(f"{path}/history")


WRONG = (
    ("welcome", {"percent": "101"}, "percent"),
    ("welcome", {"percent": ""}, "percent"),
    ("welcome", {"starts": "2026-02-02T00:00", "ends": "2026-02-01T00:00"}, "ends"),
    ("welcome", {"ends": "soon"}, "ends"),
    ("welcome", {"ends": "9999-12-31T23:59"}, "ends"),
    ("welcome", {"starts": "0001-01-01T00:00"}, "starts"),
    ("welcome", {"budget_minor": "100"}, "max_discount_minor"),
    ("welcome", {"minimum_minor": "99999999999"}, "minimum_minor"),
    ("welcome", {"min_orders": "3", "max_orders": "2"}, "max_orders"),
    ("welcome", {"stages": ["nobody"]}, "stages"),
    ("welcome", {"tiers": ["trail", HOSTILE]}, "tiers"),
    ("welcome", {"tiers": ["gold"]}, "tiers"),
    ("welcome", {"interests": "tents, NO-SUCH"}, "interests"),
    ("welcome", {"cap": "-1"}, "cap"),
    ("welcome", {"cap": "9999999999"}, "cap"),
    ("surprise", {"budget_minor": ""}, "budget_minor"),
    ("surprise", {"chance": "often"}, "chance"),
    ("surprise", {"chance": "101"}, "chance"),
    ("surprise", {"gift": "NO-SUCH"}, "gift"),
    ("birthday", {"name": ""}, "name"),
)


@FORMS
def test_offers_are_checked_by_the_rulebook(mia: StaffClient) -> None:
    for key, typed, place in WRONG:
        path = f"/console/settings/offers/{key}"
        answer = mia.post(path, **{**form(mia.page(path)), **typed, "do": "save"})
        assert answer.status_code == 422, (key, typed)
        assert f'id="mistake-{place}"' in answer.text, (key, typed)


def rules() -> dict[str, OfferRule]:
    return {rule.key: rule for rule in get_rulebook().offers}


NEW = {
    "name": f"Høst {HOSTILE}",
    "percent": "40",
    "max_discount_minor": "900",
    "minimum_minor": "100",
    "budget_minor": "1700",
    "min_orders": "",
    "interests": "tents",
    "tiers": ["trail"],
    "keep_margin": "yes",
}


def test_a_new_offer_counts_at_once_within_its_limits_until_it_is_ended(
    mia: StaffClient, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: shop.NOW)
    with session_scope(engine) as session:
        sync.sync(session, get_rulebook())
        shop.product(session, "T", 100_000, 70_000)
        fits, other, late = (shop.customer(session, likes=[like]) for like in ("tents", "skis", "tents"))
    copy = f"{PATH}/loyal/copy"
    fields = form(mia.page(copy))
    assert fields["name"] == "", "another offer, another name"
    seen = mia.post(copy, **{**fields, **NEW, "do": "preview"}).text
    for said in ("40% off", "un 40 %", "40 % med koden", "40% cu codul"):
        assert said in seen.replace("\N{NO-BREAK SPACE}", " "), said
    assert "<script>alert" not in seen
    before = set(rules())
    answer = mia.post(copy, **{**fields, **NEW, "do": "save"})
    assert "Customers get it from now on" in answer.text
    [key] = set(rules()) - before
    assert key.startswith("hst_script")
    assert mia.post(copy, **{**fields, **NEW, "do": "save"}).status_code == 422, "sent twice"

    with session_scope(engine) as session:
        given = service.offer_discount(session, fits)
        assert given is not None
        assert (given.offer_key, given.percent) == (key, 40)
        assert service.offer_discount(session, other) is None, "not for them"
        assert service.offer_discount(session, late) is None, "the budget is for one code at this price"
        kept = service.check(session, given.code, order_minor=100_000, currency="NOK", items=[("T", 1)])
        assert kept.discount_minor == 30_000, "not below what the goods cost"
    # A change is another version of the whole; each comes back.
    path = f"{PATH}/{key}"
    mia.post(path, **{**form(mia.page(path)), "percent": "35", "do": "save"})
    assert rules()[key].percent == 35
    assert rules()[key].audience.tiers == ("trail",)
    mia.post(f"{path}/restore", version="1", base="2")
    assert rules()[key].percent == 40
    assert mia.post(f"{path}/restore", version="0", base="3").status_code == 404, "there is no file"
    assert "Back to the file" not in mia.text(f"{path}/history")

    assert "1 code is good at the moment" in mia.text(path)
    mia.post(f"{path}/end", base="3")
    assert "1 ended offer" in mia.text(PATH)
    assert not rules()[key].active
    with session_scope(engine) as session:
        kept = service.check(session, given.code, order_minor=200_000, currency="NOK")
        assert kept.discount_minor == 80_000, "as promised"
        assert service.offer_discount(session, late) is None
    assert mia.post(f"{path}/end", base="3", back="yes").status_code == 409
    mia.post(f"{path}/end", base="4", back="yes")
    assert rules()[key].active


WRONG_NEW = (
    ({"name": ""}, "name"),
    ({"name": "loyal CUSTOMERS"}, "name"),
    ({"percent": "", "amount_minor": ""}, "percent"),
    ({"gift": "NO-SUCH", "percent": ""}, "gift"),
    ({"percent": "", "amount_minor": "50", "max_discount_minor": "10"}, "max_discount_minor"),
    ({"tiers": ["gold"]}, "tiers"),
    ({"valid_days": "0"}, "valid_days"),
)


@FORMS
def test_new_offers_are_checked_by_the_rulebook(mia: StaffClient) -> None:
    copy = f"{PATH}/loyal/copy"
    fields = form(mia.page(copy)) | {"name": "Another"}
    for typed, place in WRONG_NEW:
        answer = mia.post(copy, **{**fields, **typed, "do": "save"})
        assert answer.status_code == 422, typed
        assert f'id="mistake-{place}"' in answer.text, typed
    points = f"{PATH}/points/copy"
    again = mia.post(points, **{**form(mia.page(points)), "name": "More points"})
    assert "only one offer can be for points" in again.text
    assert get_rulebook() is get_rulebook_file(), "nothing was saved"


@FORMS
def test_an_offer_that_fits_no_more_is_told_of(mia: StaffClient, engine: Engine) -> None:
    with session_scope(engine) as session:
        made = {"key": "made", "name": f"Made {HOSTILE}", "percent": 5, "audience": {"tiers": ["gone"]}}
        edits.save(session, "offer.made", 0, made, None)
        edits.save(session, "offer.bare", 0, ["nonsense"], None)
    page = mia.page(PATH)
    assert "gone is no level of the club" in page
    assert "<script>alert" not in page
    lost = mia.page(f"{PATH}/made/history")
    assert "Version 1" in lost
    assert f'href="{PATH}/made"' not in lost, "it has no page"
    assert mia.get(f"{PATH}/made").status_code == 404
    assert set(rules()) == {rule.key for rule in get_rulebook_file().offers}


@FORMS
def test_a_key_is_never_used_again(mia: StaffClient, engine: Engine) -> None:
    """Codes of an offer that was in the file once would be counted as the new one's."""
    with session_scope(engine) as session:
        session.add(Offer(key="summer", used=5, active=False))
    copy = f"{PATH}/loyal/copy"
    for name in ("Summer!", "2 for 1"):
        mia.post(copy, **{**form(mia.page(copy)), "name": name, "do": "save"})
    assert {"summer_2", "offer_2_for_1"} <= set(rules())
