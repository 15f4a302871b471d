"""Customers who bring others: what others may ask for.

A customer has one code for friends. Whoever is new gives it once; their first order leads to the referrer's
points when it can't be sent back any more (tasks.py), and to nothing when it is cancelled or paid back whole.
What both get stands in offers.yml.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.kit.errors import InvalidInputError, NotFoundError
from rapport.loyalty.offers import issuing, lookups, people
from rapport.loyalty.offers import repository as offers
from rapport.loyalty.offers import rules as offer_rules
from rapport.loyalty.offers.models import Coupon
from rapport.loyalty.offers.rulebook import ReferralRule, get_rulebook
from rapport.loyalty.offers.rules import OfferTerms
from rapport.loyalty.referrals import repository, rules
from rapport.loyalty.referrals.models import Referral
from rapport.loyalty.referrals.rules import ReferralError, Refusal
from rapport.shop import repository as shop
from rapport.shop.facts import get_facts
from rapport.shop.models import Order
from rapport.shop.rules import effective_status

__all__ = [
    "Claim",
    "Program",
    "ReferralError",
    "Refusal",
    "claim",
    "code_of",
    "friend_offer",
    "note_order",
    "note_refund",
    "program",
]

CODE_TRIES = 5
LONGEST_CODE = 40


@dataclass(frozen=True)
class Claim:
    """Somebody was brought. `code` is what they got for it, None when nothing is given for now or at all.

    `percent` or `amount_minor` (minor units of the shop's currency) is what it gives. `repeated`: the same
    key claimed the same before.
    """

    referral_id: int
    code: str | None
    percent: int
    amount_minor: int
    minimum_minor: int
    expires_at: datetime | None
    repeated: bool


@dataclass(frozen=True)
class Program:
    """What a customer may be told about bringing friends: their points for each, and what the friend gets."""

    points: int
    per_year: int
    friend: OfferTerms | None
    brought: int
    rewarded: int


def code_of(session: Session, customer_id: int) -> str:
    """The customer's code for friends, made when there is none. Raises NotFoundError."""
    if (known := repository.code_of(session, customer_id)) is not None:
        return known
    if not offers.lock_customer(session, customer_id):
        raise NotFoundError("There is no such customer.")
    for _ in range(CODE_TRIES):
        repository.add_code(session, customer_id, rules.new_code(get_facts().coupon_prefix), clock.now())
        if (made := repository.code_of(session, customer_id)) is not None:
            return made
    raise RuntimeError("no free referral code found")


def program(session: Session, customer_id: int) -> Program | None:
    """What bringing friends brings, and brought so far; None when the shop has no such program."""
    rule = get_rulebook().referral
    if rule is None:
        return None
    known = repository.brought_by(session, customer_id)
    rewarded = sum(referral.state == "rewarded" for referral in known)
    return Program(rule.points, rule.per_year, friend_offer(session), len(known), rewarded)


def friend_offer(session: Session) -> OfferTerms | None:
    """What a friend gets at the moment."""
    now = clock.now()
    open_now = [offer for offer in lookups.offers(session, "referral") if offer_rules.is_open(offer, now)]
    return open_now[0] if open_now else None


def claim(session: Session, code: str, referee_id: int, *, key: str, at: datetime | None = None) -> Claim:
    """Note that a new customer was brought by whoever the code belongs to; once per customer.

    An order of the last day does not count as an earlier one: the code often comes with the order. The same
    `key` gives the same result. Raises ReferralError, NotFoundError and InvalidInputError.
    """
    now = at or clock.now()
    if not 0 < len(key) <= 160:
        raise InvalidInputError("key: must have 1 to 160 characters.")
    rule = get_rulebook().referral
    if rule is None:
        raise ReferralError(Refusal.CLOSED)
    if not offers.lock_mailbox(session, referee_id):
        raise NotFoundError("There is no such customer.")
    written = _written(code)
    fingerprint = hashlib.sha256(f"{written}\0{referee_id}".encode()).hexdigest()
    if (known := repository.by_key(session, key)) is not None:
        if known.fingerprint != fingerprint:
            raise ReferralError(Refusal.CONFLICT)
        return _claim(session, known, repeated=True)
    referrer_id = repository.owner_of(session, written)
    together = lookups.same_mailbox(session, referee_id)
    refused = rules.refused(
        referrer_id=referrer_id,
        referee_id=referee_id,
        same_person=referrer_id is not None and _same_person(session, referrer_id, referee_id),
        referred_before=any(repository.of_referee(session, one) is not None for one in together),
        orders_before=repository.kept_orders_before(session, together, now - rules.JUST_NOW),
        brought_referrer=referrer_id is not None and repository.brought(session, referee_id, referrer_id),
    )
    if refused is not None:
        raise ReferralError(refused)
    values = {
        "referrer_id": referrer_id,
        "referee_id": referee_id,
        "key": key,
        "fingerprint": fingerprint,
        "state": "claimed",
        "claimed_at": now,
    }
    added = repository.add(session, values)
    if added is None:
        raise ReferralError(Refusal.CONFLICT)
    if rule.friend_gets == "at_claim":
        give_friend(session, added, now)
    return _claim(session, added, repeated=False)


def note_order(session: Session, order: Order) -> None:
    """An order of somebody who was brought: the first starts the wait, news of its delivery moves it.

    One of too little, or in another currency than the shop's, is passed over: the next may be the first.
    """
    session.flush()
    if order.customer_id is None or order.status in ("cancelled", "refunded"):
        return
    offers.lock_customer(session, order.customer_id)
    referral = repository.of_referee(session, order.customer_id, lock=True)
    if referral is None or referral.state not in ("claimed", "ordered"):
        return
    if referral.state == "ordered" and referral.order_id != order.id:
        return
    if referral.state == "claimed" and not is_enough(session, order):
        return
    referral.state, referral.order_id = "ordered", order.id
    referral.due_at = rules.due_at(order.placed_at, order.delivered_at, get_facts().refunds.days)
    session.flush()


def note_refund(session: Session, order: Order) -> None:
    """An order was cancelled or paid back: if nothing of it is left, nobody is rewarded for it."""
    session.flush()
    if order.customer_id is not None:
        offers.lock_customer(session, order.customer_id)
    referral = repository.of_order(session, order.id)
    if referral is not None and (ended := undone(session, order)) is not None:
        void(session, referral, ended, clock.now())


def undone(session: Session, order: Order) -> str | None:
    """`cancelled` or `refunded` when nothing of the order is left."""
    refunded_minor = shop.refunded_minor(session, order.id)
    status = effective_status(order.status, order.total_minor, refunded_minor)
    return status if status in ("cancelled", "refunded") else None


def is_enough(session: Session, order: Order) -> bool:
    """Whether what is kept of the order is worth a reward."""
    minimum = get_rulebook().referral_minimum_minor
    refunded_minor = shop.refunded_minor(session, order.id)
    return order.currency == get_facts().currency and rules.counts(order.total_minor, refunded_minor, minimum)


def void(session: Session, referral: Referral, reason: str, now: datetime) -> None:
    """End a referral without a reward."""
    referral.state, referral.reason, referral.settled_at = "void", reason, now
    session.flush()


def give_friend(session: Session, referral: Referral, now: datetime) -> None:
    """Give the friend their code; nothing when it is not for them, or none is left.

    They asked for it by giving the code, so it rests on no consent. What they ordered with it, or since,
    makes them no less new: they are who they were when they gave the code.
    """
    for_friends = lookups.offers(session, "referral")
    known = people.known(session, referral.referee_id, for_friends, now)
    together = lookups.same_mailbox(session, referral.referee_id)
    before = repository.kept_orders_before(session, together, referral.claimed_at - rules.JUST_NOW)
    known = replace(known, person=replace(known.person, orders=before, ordered=before))
    uses = people.uses(session, known, for_friends, now)
    for offer in offer_rules.entitled(for_friends, known.person, uses, now, 1):
        more = {"referral_id": referral.id}
        cause = issuing.Cause(asked=True, grant_key=f"referral:{referral.id}", more=more)
        issued = issuing.issue(session, offer, known, cause, now)
        if issued is not None:
            referral.coupon_id = issued.id
            session.flush()
            return


def rule() -> ReferralRule | None:
    """What the shop's file says about referrals."""
    return get_rulebook().referral


def _same_person(session: Session, one: int, other: int) -> bool:
    """Whether two customers are reached at the same mailbox or number."""
    return not rules.reachable_at(repository.identities(session, one)).isdisjoint(
        rules.reachable_at(repository.identities(session, other))
    )


def _written(code: str) -> str:
    """A code as it is stored, however it was typed."""
    plain = offer_rules.plain_code(code[: 2 * LONGEST_CODE])
    return f"{plain[: -rules.CODE_LENGTH]}-{plain[-rules.CODE_LENGTH :]}"


def _claim(session: Session, referral: Referral, repeated: bool) -> Claim:
    coupon = session.get(Coupon, referral.coupon_id) if referral.coupon_id is not None else None
    if coupon is None:
        return Claim(referral.id, None, 0, 0, 0, None, repeated)
    return Claim(
        referral.id,
        coupon.code,
        coupon.percent,
        coupon.amount_minor,
        coupon.minimum_minor,
        coupon.expires_at,
        repeated,
    )
