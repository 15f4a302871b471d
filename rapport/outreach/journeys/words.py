"""A step's words with what is known filled in, in the person's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import yaml
from sqlalchemy.orm import Session

from rapport.customers import service as customers
from rapport.kit import format as show
from rapport.kit.settings import get_settings
from rapport.loyalty.offers.models import Coupon
from rapport.loyalty.points import service as ledger
from rapport.outreach.journeys import rules
from rapport.outreach.journeys.definition import FOLDER, Step
from rapport.preferences import links
from rapport.shop import placeholders, products
from rapport.shop import repository as shop
from rapport.shop import service as catalogue
from rapport.shop.facts import get_facts
from rapport.shop.knowledge import get_knowledge

# How many of an order's products are named.
MOST_PRODUCTS = 3


@dataclass(frozen=True)
class Rendered:
    """What is said: in a mail `subject` and `text`, in messaging apps `short`.

    `parameters` are the values of WhatsApp's template, `code` the offer's code that is in it, good until
    `code_ends`.
    """

    subject: str
    text: str
    short: str
    language: str
    code: str | None = None
    parameters: tuple[str, ...] = ()
    code_ends: datetime | None = None


class NoWordsError(Exception):
    """Something the words speak of is not known (any more); `names` are the placeholders."""

    def __init__(self, names: set[str]) -> None:
        super().__init__(f"nothing is known for {', '.join(sorted(names))}")
        self.names = names


def render(
    session: Session,
    step: Step,
    customer_id: int,
    context: Mapping[str, Any],
    language: str,
    variant: str,
    coupon: Coupon | None = None,
) -> Rendered:
    """The step's words for this customer. Raises NoWordsError."""
    words = step.wordings(variant).of(language)
    asked = words.used() | set(step.parameters)
    values = _values(session, asked, customer_id, context, language, coupon)
    if gaps := asked - values.keys() - {"name"}:
        raise NoWordsError(gaps)
    return Rendered(
        rules.filled(words.subject, values),
        rules.filled(words.text, values).strip() + "\n",
        rules.filled(words.short or words.text, values).strip(),
        language,
        coupon.code if coupon is not None else None,
        tuple(values.get(name, "") for name in step.parameters),
        coupon.expires_at if coupon is not None else None,
    )


def _values(
    session: Session,
    asked: set[str],
    customer_id: int,
    context: Mapping[str, Any],
    language: str,
    coupon: Coupon | None,
) -> dict[str, str]:
    """What is asked for, as far as it is known."""
    facts = get_facts()
    found: dict[str, str | None] = {"shop": facts.name}
    name = customers.first_name(session, customer_id)
    found["name"] = name
    found["hello"] = _text("hello", language, name=name) if name else _text("hello_nobody", language)
    found |= _about(session, customer_id, context, language, asked)
    if coupon is not None:
        found |= _of_code(session, coupon, language)
    if points := context.get("points"):
        found["points"] = show.counted(int(points), language)
    if end := context.get("expires_at"):
        found["points_end"] = show.day(datetime.fromisoformat(end), language, facts.timezone)
    if "tier" in asked:
        key = ledger.tier(session, customer_id).key
        found["tier"] = next((tier.name.of(language) for tier in facts.club.tiers if tier.key == key), None)
    if care := get_knowledge().care.get(context.get("care", "")):
        found["tips"] = care.of(language).strip()
    if years := context.get("years"):
        found["years"] = show.counted(int(years), language)
    if "preferences" in asked:
        found["preferences"] = links.no_ones_url(get_settings())
    return {key: value for key, value in found.items() if value is not None}


def _about(
    session: Session, customer_id: int, context: Mapping[str, Any], language: str, asked: set[str]
) -> dict[str, str | None]:
    """The order and the products it is about, and a link to them."""
    found: dict[str, str | None] = {"link": context.get("link")}
    skus = [str(sku) for sku in context.get("skus") or [context.get("sku")] if sku]
    order_id = context.get("order_id")
    if order_id is not None and asked & {"order", "products", "product"}:
        order = shop.order_of_customer(session, customer_id, int(order_id))
        if order is not None:
            found["order"] = order.number
            skus = skus or [item.sku for item in order.items]
    names = [name for sku in skus if (name := catalogue.topic_name(session, sku, language))]
    if names:
        found["product"] = names[0]
        found["products"] = show.listed(names[:MOST_PRODUCTS], language)
    if found["link"] is None and "link" in asked:
        product = next(iter(products.find(session, skus[:1], language)), None)
        found["link"] = (product.link if product else None) or get_facts().url
    return found


def _of_code(session: Session, coupon: Coupon, language: str) -> dict[str, str | None]:
    facts = get_facts()
    currency = coupon.currency or facts.currency
    off: str | None
    if coupon.kind == "gift":
        gift = catalogue.topic_name(session, coupon.gift_sku or "", language)
        off = _text("gift", language, gift=gift) if gift else None
    elif coupon.kind == "percent":
        off = _text("off", language, worth=_text("percent", language, percent=str(coupon.percent)))
    else:
        off = _text("off", language, worth=show.money(coupon.amount_minor, currency, language))
    least = coupon.minimum_minor
    return {
        "code": coupon.code,
        "off": off,
        "minimum": _text("minimum", language, sum=show.money(least, currency, language))
        if least
        else _text("no_minimum", language),
        "expires": show.day(coupon.expires_at, language, facts.timezone),
    }


def _text(text: str, language: str, /, **values: str) -> str:
    return placeholders.fill(_texts()[text][language], values)


@cache
def _texts() -> dict[str, dict[str, str]]:
    content: dict[str, dict[str, str]] = yaml.safe_load((FOLDER / "texts.yml").read_text("utf-8"))
    return content
