"""Discounts: what others may ask for.

An offer is made as one code at a time: a customer who asks again gets the same code while it is good. A code
that ran out unused may be followed by a new one; an offer once redeemed is not made to that customer again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.loyalty.offers import repository, rules
from rapport.shop import service as shop
from rapport.shop.facts import get_facts

# 40 bits make a second try a rarity; a fifth means something else is wrong.
CODE_TRIES = 5


@dataclass(frozen=True)
class Discount:
    """A code issued to a customer; `again` when an earlier message got it already.

    `minimum_minor` is the least order value it is good for, in minor units of the shop's currency.
    """

    code: str
    percent: int
    expires_at: datetime
    minimum_minor: int
    again: bool


@dataclass(frozen=True)
class Reason:
    """Why a customer has the code they have: what the offer asks for, and what it gives.

    `min_orders` is how many orders it takes, `minimum_minor` the least order value in minor units.
    """

    code: str
    percent: int
    min_orders: int
    minimum_minor: int
    expires_at: datetime


def entitled_offer(session: Session, customer_id: int) -> rules.OfferTerms | None:
    """The best offer the customer could be given a code of now; nothing is issued."""
    offers = _entitled(session, customer_id, clock.now())
    return offers[0] if offers else None


def reason(session: Session, customer_id: int) -> Reason | None:
    """The rule behind the customer's code that is still good; None when they have none."""
    live = repository.live_coupon(session, customer_id, clock.now())
    if live is None:
        return None
    coupon, offer = live
    return Reason(coupon.code, offer.percent, offer.min_orders, offer.minimum_minor, coupon.expires_at)


def offer_discount(session: Session, customer_id: int, message_key: str | None = None) -> Discount | None:
    """The customer's discount: the code they have while it is good, else a new one if entitled, else None.

    The same `message_key` again gets the same answer.
    """
    now = clock.now()
    if not repository.lock_customer(session, customer_id):
        return None
    if live := repository.live_coupon(session, customer_id, now):
        coupon, offer = live
        again = message_key is None or coupon.message_key != message_key
        return Discount(coupon.code, offer.percent, coupon.expires_at, offer.minimum_minor, again)
    for terms in _entitled(session, customer_id, now):
        if repository.take_one(session, terms.id):
            return _issue(session, terms, customer_id, message_key, now)
    return None


def _entitled(session: Session, customer_id: int, now: datetime) -> list[rules.OfferTerms]:
    offers = repository.offer_terms(session)
    if not offers:
        return []
    orders = shop.kept_order_count(session, customer_id)
    return rules.best_first(offers, orders, repository.redeemed_offers(session, customer_id), now)


def _issue(
    session: Session, terms: rules.OfferTerms, customer_id: int, message_key: str | None, now: datetime
) -> Discount:
    expires_at = rules.expiry(terms, now)
    sequence = repository.next_sequence(session, terms.id, customer_id)
    for _ in range(CODE_TRIES):
        code = rules.new_coupon_code(get_facts().coupon_prefix)
        if repository.add_coupon(
            session, code, terms.id, customer_id, sequence, message_key, now, expires_at
        ):
            return Discount(code, terms.percent, expires_at, terms.minimum_minor, again=False)
    raise RuntimeError("no free coupon code found")
