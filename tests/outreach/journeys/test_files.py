"""Every journey's file: what it says in each language, how long, and that its trigger knows what it tells."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.kit.database import session_scope
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import ROOT
from rapport.loyalty.offers.models import Coupon
from rapport.outreach.journeys import definition, service, words
from rapport.outreach.journeys.definition import FourLanguages, Step, Words
from rapport.outreach.journeys.triggers import KINDS
from rapport.shop import placeholders
from rapport.shop.models import Product, ProductText
from tests.loyalty.offers.shop import NOW, customer, offer, order
from tests.outreach.journeys.triggers.finding import put

JOURNEYS = definition.load_all()
LONGEST_SUBJECT = 70
LONGEST_SHORT = 300
MOST_PARAGRAPHS = 7

ALWAYS = {"hello", "name", "shop", "link", "preferences"}
CODE = {"code", "off", "minimum", "expires"}
# What a trigger's context makes known beside that.
KNOWN = {
    "delivered": {"order", "product", "products"},
    "tips": {"order", "product", "products", "tips"},
    "related": {"order", "product", "products"},
    "refill": {"product", "products"},
    "points_end": {"points", "points_end"},
    "product_viewed": {"product", "products"},
    "cart_left": {"product", "products"},
    "back_in_stock": {"product", "products"},
}
PRESENTS = ("birthday", "anniversary", "surprise", "recovery")
WANTED = (
    *("thank_you", "welcome", "care_tips", "related_product", "replenishment", "win_back"),
    *("points_expiring", "birthday", "anniversary", "complaint_solved", "back_in_stock", "cart_left"),
    *("viewed_product", "signed_up"),
)


def wordings(step: Step) -> list[FourLanguages]:
    return [step.words, *([step.b] if step.b else [])]


def texts(one: Words) -> tuple[str, str, str]:
    return one.subject, one.text, one.short


def test_all_that_is_promised_is_there() -> None:
    assert set(WANTED) <= JOURNEYS.keys()


@pytest.mark.parametrize("key", JOURNEYS)
def test_words_are_short_calm_and_the_same_in_each_language(key: str) -> None:
    for step in JOURNEYS[key].steps:
        for said in wordings(step):
            told = {
                language: [placeholders.used(text) - {"shop"} for text in texts(said.of(language))]
                for language in LANGUAGES
            }
            assert all(told[language] == told["en"] for language in LANGUAGES), (key, step.key, told)
            for language in LANGUAGES:
                one = said.of(language)
                where = (key, step.key, language)
                assert len(one.subject) <= LONGEST_SUBJECT, where
                assert 0 < len(one.short) <= LONGEST_SHORT, (where, len(one.short))
                assert len(one.text.strip().split("\n\n")) <= MOST_PARAGRAPHS, where
                for text in texts(one):
                    assert "!" not in text, where  # the Norwegian greeting has the only one
                    assert not re.search(r" {2}|[A-ZÆØÅ]{5,}", text), where
                # Cedillas look alike and are other letters.
                assert not set(one.text + one.subject + one.short) & set("şţŞŢ"), where


@pytest.mark.parametrize("key", JOURNEYS)
def test_what_is_told_is_known_where_the_journey_begins(key: str) -> None:
    journey = JOURNEYS[key]
    on = journey.trigger.on
    for step in journey.steps:
        known = ALWAYS | KNOWN.get(on, set())
        if step.offer or on in PRESENTS:
            known |= CODE
        assert step.used() <= known, (key, step.key, step.used() - known)


@pytest.mark.parametrize("key", JOURNEYS)
def test_a_file_is_readable_and_tells_what_to_change(key: str) -> None:
    text = (definition.FOLDER / f"{key}.yml").read_text("utf-8")
    assert text.startswith("# ")
    assert len(text.splitlines()) <= 70 * len(JOURNEYS[key].steps) + 45


def test_each_is_said_in_each_language(sqlite_engine: Engine, settings: object) -> None:
    """With what triggers know, and a customer whose name nobody knows."""
    with session_scope(sqlite_engine) as session:
        who = customer(session)
        bought = order(session, who)
        coupon = Coupon(
            code="FJ-1",
            offer_id=offer(session, "any"),
            customer_id=who,
            kind="percent",
            percent=10,
            minimum_minor=50_000,
            expires_at=NOW + timedelta(days=20),
        )
        context = {
            "order_id": bought.id,
            "sku": "BOOT-501",
            "care": "boots",
            "points": 120,
            "expires_at": NOW.isoformat(),
        }
        _product(session)
        for key, journey in JOURNEYS.items():
            for step in journey.steps:
                for variant in "ab" if step.b else "a":
                    for language in LANGUAGES:
                        said = words.render(session, step, who, context, language, variant, coupon)
                        for text in (said.subject, said.text, said.short):
                            assert text.strip() and not re.search(r"[{}]|None| ,|^,|\?\?|\n{3}", text), (
                                key,
                                text,
                            )
                        assert said.text.startswith(("Hi,", "Hola:", "Hei!", "Bună,")), key


def test_a_preview_has_a_present_and_tips_to_show(sqlite_engine: Engine, settings: object) -> None:
    with session_scope(sqlite_engine) as session:
        offer(session, "many-happy-returns", occasion="birthday", percent=15)
        who = customer(session, language="ro")
        _product(session)
        put(session, order(session, who), "BOOT-501")
        wishes = service.preview(session, "birthday", "wishes", who)
        tips = service.preview(session, "care_tips", "tips", who)
        assert wishes.words is not None
        assert "15% reducere" in wishes.words.text
        assert session.query(Coupon).count() == 0
        assert tips.words is not None
        assert "Boot (ro): câteva sfaturi" in tips.words.text


def _product(session: Session) -> None:
    product = Product(sku="BOOT-501", category="boots", price_minor=1, currency="NOK", url="/boots")
    product.texts = [ProductText(language=language, name=f"Boot ({language})") for language in LANGUAGES]
    session.add(product)
    session.flush()


def test_the_guide_names_every_trigger() -> None:
    guide = (ROOT / "docs" / "journeys.md").read_text("utf-8")
    table = guide.partition("## What begins a journey")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} - {"on"} == set(KINDS)
