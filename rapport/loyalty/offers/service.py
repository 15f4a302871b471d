"""Offers and codes: what others may ask for.

An offer is made as one code at a time: a customer who asks again gets the same code while it is good. A code
that ran out unused may be followed by a new one; how often a customer may use an offer stands in offers.yml.

Who asks gets what they are entitled to, also while a complaint of theirs is open: that is an answer and no
advertising. Nothing is given unasked then (tasks.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.kit.errors import ConflictError, InvalidInputError
from rapport.loyalty.offers import issuing, lookups, people, repository, rules
from rapport.loyalty.offers.coupons import (
    Items,
    Quote,
    check,
    hold,
    redeem,
    release,
    revoke,
    rollback,
    written,
)
from rapport.loyalty.offers.explanations import Consent, Explanation, explain, explain_code
from rapport.loyalty.offers.models import Coupon
from rapport.loyalty.offers.rulebook import get_rulebook
from rapport.loyalty.offers.rules import CouponError, Refusal
from rapport.loyalty.points import service as ledger
from rapport.shop.facts import get_facts

__all__ = [
    "Consent",
    "CouponError",
    "Discount",
    "Explanation",
    "Items",
    "Quote",
    "Refusal",
    "check",
    "coupons",
    "entitled_offer",
    "explain",
    "explain_code",
    "hold",
    "offer_discount",
    "points_worth",
    "redeem",
    "redeem_points",
    "redeemable_points",
    "release",
    "revoke",
    "rollback",
    "written",
]


@dataclass(frozen=True)
class Discount:
    """A code issued to a customer; `again` when an earlier message got it already.

    `kind`: percent, amount (`amount_minor` off) or gift (the product `gift_sku`). `minimum_minor` is the
    least order value it is good for, `max_discount_minor` the most it takes off, in minor units of the shop's
    currency.
    """

    code: str
    percent: int
    expires_at: datetime
    minimum_minor: int
    again: bool
    kind: str = "percent"
    amount_minor: int = 0
    gift_sku: str | None = None
    max_discount_minor: int | None = None
    occasion: str = "standing"
    offer_key: str = ""


def offer_discount(session: Session, customer_id: int, message_key: str | None = None) -> Discount | None:
    """The customer's discount: the code they have while it is good, else a new one if entitled, else None.

    The same `message_key` again gets the same answer. A present or a code paid for with points is told of
    only when there is no discount.
    """
    now = clock.now()
    if not repository.lock_mailbox(session, customer_id):
        return None
    live = repository.live_coupons(session, customer_id, now)
    answered = [c for c in live if message_key is not None and c.message_key == message_key]
    discounts = [c for c in live if c.occasion != "points" and c.kind != "gift"]
    for coupon in (*answered, *discounts):
        return _discount(coupon, message_key)
    offers = lookups.offers(session, "standing")
    known = people.known(session, customer_id, offers, now)
    for offer in _entitled(session, known, offers, now):
        cause = issuing.Cause(asked=True, message_key=message_key)
        if (issued := issuing.issue(session, offer, known, cause, now)) is not None:
            return _discount(issued, message_key, new=True)
    return _discount(live[0], message_key) if live else None


def entitled_offer(session: Session, customer_id: int) -> rules.OfferTerms | None:
    """The best offer the customer could be given a code of now; nothing is issued."""
    now = clock.now()
    offers = lookups.offers(session, "standing")
    entitled = _entitled(session, people.known(session, customer_id, offers, now), offers, now)
    return entitled[0] if entitled else None


def coupons(session: Session, customer_id: int) -> list[Discount]:
    """All codes of the customer that are good now: discounts, then presents, then what points bought."""
    return [_discount(c, None) for c in repository.live_coupons(session, customer_id, clock.now())]


def points_worth(points: int) -> int:
    """What so many points give as a code, in minor units of the shop's currency."""
    return rules.points_value(points, get_facts().club.point_value_minor)


def redeemable_points(session: Session, customer_id: int) -> int:
    """The most points the customer can turn into a code now, by the shop's minimum and steps; 0 for none."""
    rule = get_rulebook().points
    if rule is None or not lookups.offers(session, "points"):
        return 0
    return rules.whole_steps(ledger.balance(session, customer_id), rule.minimum, rule.step)


def redeem_points(session: Session, customer_id: int, points: int, *, key: str) -> Discount:
    """Turn points into a code worth them, both or neither; the same `key` gives the same code.

    Raises InvalidInputError for a number the shop does not take, NotEnoughPointsError, and ConflictError when
    the key was used for something else or no codes are given for points now.
    """
    now = clock.now()
    grant_key = f"points:{key}"
    if not repository.lock_customer(session, customer_id):
        raise InvalidInputError("There is no such customer.")
    if (done := repository.coupon_by_grant(session, grant_key)) is not None:
        if (done.customer_id, done.reason.get("points")) != (customer_id, points):
            raise ConflictError("This key was already used for other points.")
        return _discount(done, None)
    rule, offers = get_rulebook().points, lookups.offers(session, "points")
    if rule is None or not offers:
        raise ConflictError("No codes are given for points at the moment.")
    if points < rule.minimum or (points - rule.minimum) % rule.step:
        raise InvalidInputError(f"Give at least {rule.minimum} points, in steps of {rule.step}.")
    known = people.known(session, customer_id, offers, now)
    if not rules.is_open(offers[0], now) or not offers[0].audience.matches(known.person):
        raise ConflictError("No codes are given for points at the moment.")
    ledger.burn(session, customer_id, points, key=f"coupon:{key}", reason="coupon", at=now)
    cause = issuing.Cause(asked=True, grant_key=grant_key, more={"points": points})
    issued = issuing.issue(session, offers[0], known, cause, now, amount_minor=points_worth(points))
    if issued is None:
        # The error undoes the burn with all else.
        raise ConflictError("No codes are given for points at the moment.")
    return _discount(issued, None, new=True)


def _entitled(
    session: Session, known: people.Known, offers: list[rules.OfferTerms], now: datetime
) -> list[rules.OfferTerms]:
    uses = people.uses(session, known, offers, now)
    return rules.entitled(offers, known.person, uses, now, get_rulebook().typical_order_minor)


def _discount(coupon: Coupon, message_key: str | None, new: bool = False) -> Discount:
    return Discount(
        code=coupon.code,
        percent=coupon.percent,
        expires_at=coupon.expires_at,
        minimum_minor=coupon.minimum_minor,
        again=not new and (message_key is None or coupon.message_key != message_key),
        kind=coupon.kind,
        amount_minor=coupon.amount_minor,
        gift_sku=coupon.gift_sku,
        max_discount_minor=coupon.max_discount_minor,
        occasion=coupon.occasion,
        offer_key=coupon.reason.get("offer", ""),
    )
