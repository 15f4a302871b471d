"""Points and discounts: what others may ask for.

Points are whole numbers and are rounded down. They stand in a double-entry ledger that is only ever
added to: what a customer gains the shop's account `issued` loses, and the other way round. A balance is a
sum of postings; it may fall below zero when points were spent and the order they came from is sent back.

An offer is made as one code at a time: a customer who asks again gets the same code while it is good. A code
that ran out unused may be followed by a new one; an offer once redeemed is not made to that customer again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.loyalty import repository, rules
from rapport.loyalty.models import Posting
from rapport.shop import repository as shop_repository
from rapport.shop import service as shop
from rapport.shop.facts import get_facts
from rapport.shop.models import Order, Refund

ISSUED = "issued"
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


def balance(session: Session, customer_id: int) -> int:
    """The customer's points."""
    return repository.balance(session, customer_id)


def earn_for_order(session: Session, order: Order, at: datetime | None = None) -> int:
    """Credit the points of an order, once; returns how many were credited now.

    Orders without a customer, cancelled ones and those in another currency than the shop's earn nothing;
    neither does what was paid back before.
    """
    session.flush()
    facts = get_facts()
    if order.customer_id is None or order.status == "cancelled" or order.currency != facts.currency:
        return 0
    kept_minor = order.total_minor - shop_repository.refunded_minor(session, order.id)
    points = rules.points_for(kept_minor, facts.club.points, facts.club.per_minor)
    if points == 0:
        return 0
    transaction_id = repository.add_transaction(
        session, f"earn:order:{order.id}", "earn", at or clock.now(), order_id=order.id
    )
    if transaction_id is None:
        return 0
    _move(session, transaction_id, order.customer_id, points)
    return points


def reverse_for_refund(session: Session, refund: Refund) -> int:
    """Take back the points of what was refunded, once per refund; returns how many were taken now.

    What stays is what the rest of the order would have earned by today's club rules.
    """
    session.flush()
    if refund.order_id is None:
        return 0
    # The lock makes two refunds of one order wait for each other.
    earned = repository.transaction_by_key(session, f"earn:order:{refund.order_id}", lock=True)
    order = session.get(Order, refund.order_id)
    if earned is None or order is None or order.customer_id is None:
        return 0
    facts = get_facts()
    account_id = repository.customer_account(session, order.customer_id)
    credited = repository.points_on_order(session, order.id, account_id, "earn")
    taken_back = -repository.points_on_order(session, order.id, account_id, "refund")
    left_minor = order.total_minor - shop_repository.refunded_minor(session, order.id)
    due = rules.points_for(left_minor, facts.club.points, facts.club.per_minor)
    points = rules.points_to_take_back(credited, taken_back, due)
    if points == 0:
        return 0
    transaction_id = repository.add_transaction(
        session,
        f"refund:{refund.id}",
        "refund",
        refund.at,
        order_id=order.id,
        # Only the taking back of a whole transaction in one go is its reversal.
        reverses_id=earned.id if points == credited else None,
    )
    if transaction_id is None:
        return 0
    _move(session, transaction_id, order.customer_id, -points)
    return points


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


def _move(session: Session, transaction_id: int, customer_id: int, points: int) -> None:
    """Post `points` to the customer and their opposite to the shop."""
    customer_account = repository.customer_account(session, customer_id)
    shop_account = repository.shop_account(session, ISSUED)
    session.add_all(
        [
            Posting(transaction_id=transaction_id, account_id=customer_account, points=points),
            Posting(transaction_id=transaction_id, account_id=shop_account, points=-points),
        ]
    )
