"""What the bot will say with a change: its own sentences, filled in as its actions do."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rapport.conversations.texts import load_response
from rapport.kit import clock
from rapport.kit.format import counted
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import ROOT
from rapport.shop.facts import ShopFacts
from rapport.shop.placeholders import fill

RESPONSES = ROOT / "data" / "responses" / "shop.yml"
SAID = {
    "hours": "utter_contact_details",
    "contact": "utter_contact_details",
    "delivery": "utter_delivery_options",
    "payment": "utter_payment_methods",
    "refunds": "utter_refund_policy",
}


def spoken(section: str, facts: ShopFacts) -> dict[str, str]:
    """The bot's answer by language."""
    return {language: _spoken(section, facts, language) for language in LANGUAGES}


def _spoken(section: str, facts: ShopFacts, language: str) -> str:
    values = {
        "options": _bullets(facts.delivery_options(language)),
        "methods": _bullets(facts.payment_names(language)),
        "days": counted(facts.refunds.days, language),
        "how": facts.refunds.how.of(language),
        "email": facts.contact.email,
        "phone": facts.contact.phone,
        "hours": facts.opening_hours(language, clock.now()),
    }
    return fill(_response(SAID[section], RESPONSES)[language], values)


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"• {line}" for line in lines)


@cache
def _response(name: str, path: Path) -> dict[str, str]:
    return {language: reply.text or "" for language, reply in load_response(name, path).items()}
