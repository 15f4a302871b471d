"""The form of an offer: what stands in its fields, what is read from them, and where a mistake is shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlalchemy.orm import Session

from rapport.console import settings_audience as audience
from rapport.console import settings_words as words
from rapport.console.desk import Desk
from rapport.console.i18n import mark
from rapport.console.settings_reader import Fields, Reader, shown_share, typed_share
from rapport.kit.format import typed_money
from rapport.loyalty.offers import repository
from rapport.loyalty.offers.rulebook import EDITED, OfferRule
from rapport.shop.facts import get_facts

MONEY = ("amount_minor", "minimum_minor", "max_discount_minor", "budget_minor")
WHOLE = ("percent", "valid_days", "cap", "per_customer", "after_days")
# What an offer gives: one of these.
KINDS = ("percent", "amount_minor", "gift")
NO_TIME = mark("Choose a day and a time.")
NO_PRODUCT = mark("There is no product with this number.")
# Mistakes that the model finds in the whole: the field they are about.
PLACES = {
    "give exactly one of percent, amount_minor and gift": "percent",
    "ends is not after starts": "ends",
    "a budget for percent needs max_discount_minor: the most one code can cost": "max_discount_minor",
    "max_discount_minor is for percent; an amount is its own limit": "max_discount_minor",
    "keep_margin is for discounts, not for presents": "keep_margin",
    "a surprise needs a chance (0 to 1, per customer and month) and a budget_minor": "budget_minor",
}


def shown(desk: Desk, rule: OfferRule) -> Fields:
    """What stands in the fields."""
    facts = get_facts()
    fields = {name: "" if (part := getattr(rule, name)) is None else str(part) for name in EDITED}
    for name in MONEY:
        if (minor := getattr(rule, name)) is not None:
            fields[name] = typed_money(minor, facts.currency, desk.staff.language)
    for name in ("starts", "ends"):
        if (at := getattr(rule, name)) is not None:
            fields[name] = at.astimezone(ZoneInfo(facts.timezone)).strftime("%Y-%m-%dT%H:%M")
    fields["keep_margin"] = "yes" if rule.keep_margin else ""
    fields["chance"] = "" if rule.chance is None else shown_share(rule.chance)
    return fields | audience.shown(rule.audience)


def sent(desk: Desk) -> Fields:
    """What was typed and ticked."""
    fields = {name: desk.field(name, 500) for name in desk.form if name not in {"csrf", "do"}}
    return fields | audience.sent(desk)


def read(
    desk: Desk, session: Session, rule: OfferRule, fields: Fields, any_kind: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """(what was typed as it stands in a file, what can't be read or is not there).

    Without `any_kind` what the offer gives stays of the kind it is.
    """
    facts = get_facts()
    reader = Reader(fields, desk.staff.language, facts.currency)
    typed: dict[str, Any] = {"name": reader.text("name"), "gift": reader.optional("gift")}
    typed |= {name: reader.money(name) for name in MONEY}
    typed |= {name: reader.optional(name) for name in WHOLE}
    typed["minimum_minor"] = typed["minimum_minor"] or 0
    typed["after_days"] = typed["after_days"] or 0
    typed["chance"] = typed_share(reader.text("chance"))
    for name in KINDS:
        if not any_kind and getattr(rule, name) is None:
            typed[name] = None
    for name in ("starts", "ends"):
        typed[name] = None
        if text := reader.text(name):
            try:
                at = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(facts.timezone))
                typed[name] = at.isoformat()
            except ValueError:
                reader.problems[name] = NO_TIME
    typed["keep_margin"] = bool(reader.text("keep_margin"))
    typed["audience"] = audience.read(fields)
    if typed["gift"] and typed["gift"] != rule.gift and repository.product(session, typed["gift"]) is None:
        reader.problems["gift"] = NO_PRODUCT
    problems = {name: desk.gettext(said) for name, said in reader.problems.items()}
    return typed, problems | audience.unknown(desk, session, typed["audience"], rule.audience)


def problems(desk: Desk, error: ValidationError) -> dict[str, str]:
    """What is wrong, by its field; "" for what is wrong with the offers taken together."""
    found: dict[str, str] = {}
    for one in error.errors():
        name = ".".join(str(part) for part in one["loc"][2:])
        if name.startswith("audience"):
            name = audience.place(name)
        raised = str(one.get("ctx", {}).get("error", ""))
        found.setdefault(PLACES.get(raised, name), words.told(desk, one))
    return found
