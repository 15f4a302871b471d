"""Points: what others may ask for.

Points are whole numbers and are rounded down. They stand in a double-entry ledger that is only ever
added to: what a customer gains the shop's account `issued` loses, and the other way round. A balance is a
sum of postings; it may fall below zero when points were spent and the order they came from is sent back.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.loyalty.points import repository, rules
from rapport.loyalty.points.models import Posting
from rapport.shop import repository as shop_repository
from rapport.shop.facts import get_facts
from rapport.shop.models import Order, Refund

ISSUED = "issued"


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
