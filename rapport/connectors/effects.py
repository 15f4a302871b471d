"""What follows from an event of an order: coupons, points, referrals, the customer's stage and value.

Every step has a key made of the order or the refund, so that it happens once however often it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.connectors import rules
from rapport.connectors.events import Details, OrderEvent
from rapport.customers import service as customers
from rapport.loyalty.offers import service as offers
from rapport.loyalty.offers.service import CouponError
from rapport.loyalty.points import service as ledger
from rapport.loyalty.referrals import service as referrals
from rapport.loyalty.referrals.service import ReferralError
from rapport.shop import service as shop
from rapport.shop.models import Order, Refund
from rapport.value import service as value


@dataclass(frozen=True)
class CouponUse:
    """What became of a code: `redeemed`, `rolled_back`, or why not (`expired`, `not_yours`, …)."""

    code: str
    outcome: str


@dataclass
class Outcome:
    """What an event led to. `points` is what the customer gained, or lost."""

    points: int = 0
    coupons: list[CouponUse] = field(default_factory=list)


def follow(
    session: Session,
    event: OrderEvent,
    order: Order,
    *,
    before: str,
    refund: Refund | None,
    at: datetime,
    notes: list[str],
) -> Outcome:
    """Do all that follows. `before` is the order's status until now, `refund` one that is new."""
    outcome = Outcome()
    had = ledger.balance(session, order.customer_id) if order.customer_id is not None else 0
    if event.order is not None and order.status not in rules.FINAL:
        _spend(session, event.order, order, outcome, at=at, notes=notes)
    if rules.is_paid(order.status):
        ledger.earn_for_order(session, order, at=at)
        referrals.note_order(session, order)
    if refund is not None:
        ledger.reverse_for_refund(session, refund)
        referrals.note_refund(session, order)
    if order.status == "cancelled" and before != "cancelled":
        ledger.cancel_order(session, order)
        referrals.note_refund(session, order)
    if order.status in rules.FINAL and before != order.status:
        _give_codes_back(session, order, outcome)
    if order.customer_id is not None:
        outcome.points = ledger.balance(session, order.customer_id) - had
        _note_stage(session, order, before)
        value.update_after_order(session, order.customer_id)
    return outcome


def _spend(
    session: Session, details: Details, order: Order, outcome: Outcome, *, at: datetime, notes: list[str]
) -> None:
    """Use what the customer paid with: codes, points; and note who sent them."""
    goods = sum(item.quantity * item.unit_price_minor for item in order.items)
    subtotal = details.subtotal_minor if details.subtotal_minor is not None else goods
    codes = list(dict.fromkeys(code.upper() for code in details.coupons))
    for code in codes:
        try:
            offers.redeem(
                session,
                code,
                key=f"order:{order.id}:{code}",
                order_minor=subtotal,
                currency=order.currency,
                order_id=order.id,
                customer_id=order.customer_id,
                with_codes=[other for other in codes if other != code],
                at=order.placed_at,
            )
            outcome.coupons.append(CouponUse(code, "redeemed"))
        except CouponError as error:
            # The shop gave the discount already: the order stands, and what was wrong is said.
            outcome.coupons.append(CouponUse(code, str(error.reason)))
    if order.customer_id is None:
        return
    if details.points is not None and details.points.hold is not None:
        ledger.capture(
            session, details.points.hold, key=f"capture:order:{order.id}", order_id=order.id, at=at
        )
    elif details.points is not None and details.points.points is not None:
        ledger.burn(
            session,
            order.customer_id,
            details.points.points,
            key=f"burn:order:{order.id}",
            reason="order",
            order_id=order.id,
            at=at,
        )
    if details.referral is not None:
        try:
            referrals.claim(
                session, details.referral, order.customer_id, key=f"order:{order.id}:referral", at=at
            )
        except ReferralError as error:
            notes.append(f"order.referral: {error}")


def _give_codes_back(session: Session, order: Order, outcome: Outcome) -> None:
    raise NotImplementedError


def _note_stage(session: Session, order: Order, before: str) -> None:
    assert order.customer_id is not None
    if order.status not in rules.FINAL:
        customers.note(session, order.customer_id, "ordered")
    elif before != order.status and shop.kept_order_count(session, order.customer_id) == 0:
        customers.note(session, order.customer_id, "returned_all")
