"""What follows from an event of an order: coupons, points, referrals, what the customer is worth.

Every step has a key made of the order or the refund, so that it happens once however often it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.connectors import repository, rules
from rapport.connectors.events import Details, OrderEvent
from rapport.kit.errors import ConflictError, NotFoundError
from rapport.loyalty.offers import service as offers
from rapport.loyalty.offers.service import CouponError
from rapport.loyalty.points import service as ledger
from rapport.loyalty.referrals import service as referrals
from rapport.loyalty.referrals.service import ReferralError
from rapport.shop.models import Order, Refund
from rapport.value import service as value


@dataclass(frozen=True)
class CouponUse:
    """What became of a code: `redeemed`, `rolled_back`, or why not (`expired`, `not_yours`, …)."""

    code: str
    outcome: str


@dataclass
class Outcome:
    """What an event led to. `points` are those earned by it or, below zero, taken back."""

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
    if event.order is not None and order.status not in rules.FINAL:
        _use_codes(session, event.order, order, outcome)
        _take_points(session, event.order, order, at)
        _note_friend(session, event.order, order, notes)
    # An imported order earned nothing when it came, and a word about it later is no reason to.
    if rules.is_paid(order.status) and (event.order or repository.described_at(session, order.id)):
        outcome.points += ledger.earn_for_order(session, order, at=at)
        referrals.note_order(session, order)
    if refund is not None:
        outcome.points -= ledger.reverse_for_refund(session, refund)
        referrals.note_refund(session, order)
    if order.status == "cancelled" and before != "cancelled":
        outcome.points -= ledger.cancel_order(session, order)
        referrals.note_refund(session, order)
    if order.status in rules.FINAL and before != order.status:
        _give_codes_back(session, order, outcome)
    if order.customer_id is not None:
        value.update_after_order(session, order.customer_id)
    return outcome


def _use_codes(session: Session, details: Details, order: Order, outcome: Outcome) -> None:
    """Redeem the codes of ours; what another program issued is passed over.

    The shop gave the discount already, so other codes on the order are no reason to refuse one, and a refused
    one does not keep the order out: why is said.
    """
    goods = sum(item.quantity * item.unit_price_minor for item in order.items)
    subtotal = details.subtotal_minor if details.subtotal_minor is not None else goods
    for coupon in repository.our_codes(session, details.coupons):
        code, used = coupon.code, coupon.state == "redeemed"
        if used and coupon.order_id == order.id:
            continue
        if used and coupon.order_id is None and repository.link_code(session, code, order):
            outcome.coupons.append(CouponUse(code, "redeemed"))
            continue
        try:
            offers.redeem(
                session,
                code,
                key=f"order:{order.id}:{code}",
                order_minor=subtotal,
                currency=order.currency,
                order_id=order.id,
                customer_id=order.customer_id,
                items=[(item.sku, item.quantity) for item in order.items],
                holder=basket(details.basket or order.number),
                # An order may be told of late, and a code may be added to it later.
                at=max(order.placed_at, coupon.issued_at),
            )
            outcome.coupons.append(CouponUse(code, "redeemed"))
        except CouponError as error:
            outcome.coupons.append(CouponUse(code, error.reason.value))


def basket(name: str) -> str:
    """Who holds a code: a basket or order of the shop's."""
    return f"basket:{name}"


def _take_points(session: Session, details: Details, order: Order, at: datetime) -> None:
    """Take the points the customer paid with. Raises ConflictError that names the field."""
    if order.customer_id is None or details.points is None:
        return
    hold, points = details.points.hold, details.points.points
    try:
        if hold is not None:
            ledger.capture(session, hold, key=f"capture:order:{order.id}", order_id=order.id, at=at)
        elif points is not None:
            ledger.burn(
                session,
                order.customer_id,
                points,
                key=f"burn:order:{order.id}",
                reason="order",
                order_id=order.id,
                at=at,
            )
    except (ConflictError, NotFoundError) as error:
        raise ConflictError(f"order.points: {error}") from None


def _note_friend(session: Session, details: Details, order: Order, notes: list[str]) -> None:
    if order.customer_id is None or details.referral is None:
        return
    try:
        referrals.claim(
            session,
            details.referral,
            order.customer_id,
            key=f"order:{order.id}:referral",
            at=order.placed_at,
        )
    except ReferralError as error:
        notes.append(f"order.referral: {error}")


def _give_codes_back(session: Session, order: Order, outcome: Outcome) -> None:
    for code in repository.codes_used_on(session, order.id):
        offers.rollback(
            session,
            code,
            key=f"order:{order.id}:{code}",
            reason=f"order {order.status}",
            order_id=order.id,
        )
        outcome.coupons.append(CouponUse(code, "rolled_back"))
