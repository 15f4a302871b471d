"""What the bot will say with a change: its own sentences, filled in as its actions do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import pairwise
from pathlib import Path

from sqlalchemy.orm import Session

from actions import words
from actions.terms import terms
from rapport.conversations.texts import load_response
from rapport.kit import clock
from rapport.kit.format import counted, money, number
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import ROOT
from rapport.loyalty.offers import rules as offer_rules
from rapport.loyalty.offers import service as offers
from rapport.loyalty.offers.rulebook import OfferRule
from rapport.loyalty.offers.rules import OfferTerms
from rapport.shop.facts import ShopFacts, get_facts
from rapport.shop.placeholders import fill
from rapport.shop.service import topic_name

RESPONSES = ROOT / "data" / "responses" / "shop.yml"
OF_OFFERS = ROOT / "data" / "responses" / "loyalty.yml"
# Points turned into a code, in a sample.
POINTS = 100
SAID = {
    "hours": "utter_contact_details",
    "contact": "utter_contact_details",
    "delivery": "utter_delivery_options",
    "payment": "utter_payment_methods",
    "refunds": "utter_refund_policy",
    "club": "utter_club",
}


def spoken(section: str, facts: ShopFacts) -> dict[str, str]:
    """The bot's answer by language."""
    return {language: _spoken(section, facts, language) for language in LANGUAGES}


@dataclass(frozen=True)
class Sample:
    """The terms of a code given now, or when the offer begins."""

    minimum_minor: int
    max_discount_minor: int | None
    expires_at: datetime


def offered(session: Session, rule: OfferRule) -> dict[str, str]:
    """What the bot says who gives a code of this offer, by language; it is the same for all occasions."""
    begins = max(clock.now(), rule.starts) if rule.starts else clock.now()
    expires = offer_rules.expiry(OfferTerms(0, valid_days=rule.valid_days, ends_at=rule.ends), begins)
    sample = Sample(rule.minimum_minor, rule.max_discount_minor, expires)
    return {language: _offered(session, rule, sample, language) for language in LANGUAGES}


def _offered(session: Session, rule: OfferRule, sample: Sample, language: str) -> str:
    facts = get_facts()
    values = {"code": offer_rules.nobodys_code(facts.coupon_prefix), "terms": terms(sample, language)}
    match rule.kind:
        case "percent":
            name, values["percent"] = "utter_discount", str(rule.percent)
        case "gift":
            gift = rule.gift or ""
            name, values["gift"] = "utter_discount_gift", topic_name(session, gift, language) or gift
        case _:
            # What points buy: a sample, too.
            minor = rule.amount_minor or offers.points_worth(POINTS)
            name, values["amount"] = "utter_discount_amount", money(minor, facts.currency, language)
    return fill(_response(name, OF_OFFERS)[language], values)


def _spoken(section: str, facts: ShopFacts, language: str) -> str:
    values = {
        "options": _bullets(facts.delivery_options(language)),
        "methods": _bullets(facts.payment_names(language)),
        "days": counted(facts.refunds.days, language),
        "how": facts.refunds.how.of(language),
        "email": facts.contact.email,
        "phone": facts.contact.phone,
        "hours": facts.opening_hours(language, clock.now()),
        "shop": facts.name,
        "points_per": number(facts.club.points, language),
        "currency_unit": money(facts.club.per_minor, facts.currency, language),
        "point_value": money(facts.club.point_value_minor, facts.currency, language),
    }
    if section == "club":
        said = fill(_response(SAID[section], OF_OFFERS)[language], values)
        return "\n".join([said, *_levels(facts, language)])
    return fill(_response(SAID[section], RESPONSES)[language], values)


def _levels(facts: ShopFacts, language: str) -> Iterator[str]:
    """What somebody hears who has just come to a level, of each."""
    for tier, following in pairwise([*facts.club.tiers, None]):
        assert tier is not None
        name = tier.name.of(language)
        if following is None:
            yield words.line("tier_top", language, tier=name)
        else:
            missing = words.points(following.from_points - tier.from_points, language)
            above = following.name.of(language)
            yield words.line("tier_next", language, tier=name, points=missing, next=above)


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"• {line}" for line in lines)


@cache
def _response(name: str, path: Path) -> dict[str, str]:
    return {language: reply.text or "" for language, reply in load_response(name, path).items()}
