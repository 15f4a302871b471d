"""Giving out a code: counted, its cost set aside, and why it was given, in one step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from rapport.customers.models import ConsentEvent
from rapport.loyalty.offers import repository, rules
from rapport.loyalty.offers.models import Coupon
from rapport.loyalty.offers.people import Known
from rapport.loyalty.offers.rules import OfferTerms
from rapport.shop.facts import get_facts

# 40 bits make a second try a rarity; a fifth means something else is wrong.
CODE_TRIES = 5


@dataclass(frozen=True)
class Cause:
    """What a code is given for: a message that asked, or an occasion (`grant_key`: given once for it).

    `more` is what else belongs to the reason, such as the case it makes up for.
    """

    asked: bool
    message_key: str | None = None
    grant_key: str | None = None
    consent: ConsentEvent | None = None
    more: dict[str, Any] | None = None


def issue(
    session: Session,
    offer: OfferTerms,
    known: Known,
    cause: Cause,
    now: datetime,
    amount_minor: int | None = None,
) -> Coupon | None:
    """A new code; None when the cap or the budget allows none, or the present cannot be had.

    The caller has locked the customer and knows that the offer is for them. `amount_minor`: the value of a
    code that points buy.
    """
    terms = offer.terms
    amount = terms.amount_minor if amount_minor is None else amount_minor
    reserved = amount if amount_minor is not None else _most(session, terms)
    if reserved is None or not repository.take(session, offer.id, reserved):
        return None
    facts = get_facts()
    values = {
        "offer_id": offer.id,
        "customer_id": known.person.customer_id,
        "sequence": repository.next_sequence(session, offer.id, known.person.customer_id),
        "message_key": cause.message_key,
        "grant_key": cause.grant_key,
        "state": "issued",
        "occasion": offer.occasion,
        "kind": "amount" if terms.kind == "voucher" else terms.kind,
        "percent": terms.percent,
        "amount_minor": amount,
        "gift_sku": terms.gift_sku,
        "minimum_minor": terms.minimum_minor,
        "max_discount_minor": terms.max_discount_minor,
        "currency": facts.currency,
        "stacking": terms.stacking,
        "keep_margin": terms.keep_margin,
        "issued_at": now,
        "starts_at": now,
        "expires_at": rules.expiry(offer, now),
        "reserved_minor": reserved,
        "reason": _reason(offer, known, cause),
    }
    for _ in range(CODE_TRIES):
        code = rules.new_coupon_code(facts.coupon_prefix)
        coupon_id = repository.add_coupon(session, {"code": code, **values})
        if coupon_id is not None:
            repository.add_event(session, {"coupon_id": coupon_id, "kind": "issued", "at": now})
            return repository.coupon_by_code(session, code)
    raise RuntimeError("no free coupon code found")


def _most(session: Session, terms: rules.Terms) -> int | None:
    """What a code can cost at most, as far as its terms tell; None for a present that cannot be had."""
    if terms.kind != "gift":
        return rules.reserve(terms)
    present = repository.product(session, terms.gift_sku or "")
    if present is None or (present.stock is not None and present.stock <= 0):
        return None
    return rules.gift_cost(present.price_minor, present.cost_minor)


def _reason(offer: OfferTerms, known: Known, cause: Cause) -> dict[str, Any]:
    """Why this customer gets this code, as things are now. Ids instead of words: it outlives an erasure."""
    audience = offer.audience
    return {
        "offer": offer.key,
        "name": offer.name,
        "occasion": offer.occasion,
        "asked": cause.asked,
        "rule": {
            "min_orders": audience.min_orders,
            "max_orders": audience.max_orders,
            **audience.lists(),
        },
        "customer": known.snapshot(audience.interests),
        "consent_id": cause.consent.id if cause.consent else None,
        **(cause.more or {}),
    }
