"""What edits make of a file, and how two versions differ."""

from __future__ import annotations

from typing import Any

import pytest

from rapport.edits.rules import Change, differences
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import ROOT
from rapport.loyalty.offers import rulebook
from rapport.shop.facts import SECTIONS, ShopFacts, edited, load_facts

FACTS = load_facts(ROOT / "shop.yml")
CONTACT = {"email": "new@fjordly.example", "phone": "1"}


def _stored(section: str) -> Any:
    return FACTS.model_dump(mode="json")[SECTIONS[section]]


@pytest.mark.parametrize("section", SECTIONS)
def test_what_is_saved_unchanged_changes_nothing(section: str) -> None:
    made = edited(FACTS, {section: _stored(section)})
    assert (made.facts, made.broken) == (FACTS, {})


def test_an_edit_that_fits_no_more_is_left_out_and_the_others_count() -> None:
    edits = {"contact": CONTACT, "refunds": {"days": -1}, "hours": None, "unheard": 1, "answer.x": {}}
    made = edited(FACTS, edits)
    assert made.facts.contact.email == "new@fjordly.example"
    assert made.facts.refunds == FACTS.refunds
    assert made.facts.hours == FACTS.hours
    assert set(made.broken) == {"refunds", "hours"}
    assert "refunds.days" in made.broken["refunds"][0]


@pytest.mark.parametrize(
    "text",
    [
        "{price.__class__}",
        "{price!r}",
        "{price:>999999999}",
        "{0}",
        "{}",
        "{{price}}",
        "{price",
        "}",
        "{prize}",
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_placeholders_are_refused(text: str, language: str) -> None:
    options = _stored("delivery")
    options[0]["text"][language] = text
    methods = _stored("payment")
    methods[0]["name"][language] = text
    policy = _stored("refunds")
    policy["how"][language] = text
    made = edited(FACTS, {"delivery": options, "payment": methods, "refunds": policy})
    assert set(made.broken) == {"delivery", "payment", "refunds"}
    assert made.facts == FACTS


def test_free_from_needs_a_sum() -> None:
    options = _stored("delivery")
    options[0]["free_from_minor"] = None
    assert "free_from" in edited(FACTS, {"delivery": options}).broken["delivery"][0]


def test_an_offer_takes_over_what_may_be_edited_and_nothing_else() -> None:
    book = rulebook.load_rulebook(ROOT / "offers.yml", FACTS)
    change = {"percent": 12, "starts": "2026-12-01T00:00:00+01:00", "occasion": "points", "key": "x"}
    new, broken = rulebook.edited(book, FACTS, {"offer.welcome": change, "offer.gone": {}, "hours": {}})
    [welcome] = [offer for offer in new.offers if offer.key == "welcome"]
    assert (welcome.percent, welcome.occasion, welcome.starts is not None) == (12, "standing", True)
    assert set(broken) == {"offer.gone"}
    assert [o for o in new.offers if o != welcome] == [o for o in book.offers if o.key != "welcome"]
    wrong = {"offer.come-back": {"max_discount_minor": None}, "offer.welcome": {"percent": 101}}
    assert rulebook.edited(book, FACTS, wrong)[0] == book


def test_differences_name_what_changed() -> None:
    before = _stored("delivery")
    after = _stored("delivery")
    after[0]["price_minor"] = 8900
    after[1]["text"]["es"] = "Otro"
    del after[2]
    found = differences(before, after)
    assert found[:2] == [
        Change(("home", "price_minor"), 9900, 8900),
        Change(("pickup_point", "text", "es"), before[1]["text"]["es"], "Otro"),
    ]
    assert {change.path[0] for change in found[2:]} == {"express"}
    assert all(change.after is None for change in found[2:])
    assert differences(before, before) == []
    hours = FACTS.hours.model_dump(mode="json")
    assert differences(hours, {**hours, "mon": ["9:00-12:00", "13:00-17:00"]}) == [
        Change(("mon",), "8:00-18:00", "9:00-12:00, 13:00-17:00")
    ]


def test_facts_say_nothing_of_a_database() -> None:
    assert ShopFacts.model_validate(FACTS.model_dump(mode="json")) == FACTS
