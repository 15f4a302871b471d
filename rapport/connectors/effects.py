"""What follows from an event of an order: coupons, points, referrals, what the customer is worth.

Every step has a key made of the order or the refund, so that it happens once however often it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.connectors import repository, rules
from rapport.connectors.events import Details
from rapport.kit.errors import ConflictError, NotFoundError
from rapport.loyalty.offers import service as offers
from rapport.loyalty.offers.service import CouponError
from rapport.loyalty.points import service as ledger
from rapport.loyalty.referrals import service as referrals
from rapport.loyalty.referrals.service import ReferralError
from rapport.shop.models import Order, Refund
from rapport.value import service as value

# No customer has this id: who used a code is not known.
NOBODY = 0


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
    order: Order,
    details: Details | None,
    *,
    named: int | None,
    before: str,
    refund: Refund | None,
    at: datetime,
    notes: list[str],
) -> Outcome:
    """Do all that follows. `before` is the order's status until now, `refund` one that is new.

    `details` are what the event said of the order, None when newer ones are known. `named` is the customer it
    named by the shop's own id: who is known by an address alone may be anybody.
    """
    outcome = Outcome()
    if details is not None and order.status not in rules.FINAL:
        _use_codes(session, details, order, named, outcome)
        _take_points(session, details, order, named, at)
        _note_friend(session, details, order, notes)
    # An imported order earned nothing when it came, and a word about it later is no reason to.
    if rules.is_paid(order.status) and repository.described_at(session, order.id):
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


def touched(session: Session, details: Details | None, order: Order | None) -> set[int]:
    """The customers whose codes or points an event may move, besides the one it names."""
    found: set[int] = set()
    if order is not None:
        found |= {order.customer_id} if order.customer_id is not None else set()
        found |= ledger.owners(session, order.id)
        found |= set(repository.owners_of_codes_on(session, order.id))
    if details is not None:
        found |= {coupon.customer_id for coupon in repository.our_codes(session, details.coupons)}
        hold = details.points.hold if details.points else None
        owner = ledger.owner_of_hold(session, hold) if hold is not None else None
        found |= {owner} if owner is not None else set()
    return found


def _use_codes(session: Session, details: Details, order: Order, named: int | None, outcome: Outcome) -> None:
    """Redeem the codes of ours; what another program issued is passed over.

    The shop gave the discount already, so other codes on the order are no reason to refuse one. A good code
    that was not for this order is used up all the same; why it should not have been is said. Whose order it
    is tells the customer it named, or the hold the shop made for this basket.
    """
    goods = sum(item.quantity * item.unit_price_minor for item in order.items)
    subtotal = details.subtotal_minor if details.subtotal_minor is not None else goods
    for coupon in repository.our_codes(session, details.coupons):
        code, used = coupon.code, coupon.state == "redeemed"
        holder = basket(details.basket or order.number)
        # Undone and used again is another use.
        undone = repository.times_undone(session, coupon.id)
        if used and coupon.order_id == order.id:
            continue
        if used and coupon.order_id is None and repository.link_code(session, code, order):
            outcome.coupons.append(CouponUse(code, "redeemed"))
            continue
        try:
            quote = offers.redeem(
                session,
                code,
                key=_use_key(order, code, undone),
                order_minor=subtotal,
                currency=order.currency,
                order_id=order.id,
                customer_id=coupon.customer_id if coupon.holder == holder else named or NOBODY,
                items=[(item.sku, item.quantity) for item in order.items],
                holder=holder,
                # An order may be told of late, and a code may be added to it later.
                at=max(order.placed_at, coupon.issued_at),
                force=True,
            )
            outcome.coupons.append(CouponUse(code, quote.refusal.value if quote.refusal else "redeemed"))
        except CouponError as error:
            outcome.coupons.append(CouponUse(code, error.reason.value))


def _use_key(order: Order, code: str, undone: int) -> str:
    return f"order:{order.id}:{code}" + (f":{undone}" if undone else "")


def basket(name: str) -> str:
    """Who holds a code: a basket or order of the shop's."""
    return f"basket:{name}"


def _take_points(session: Session, details: Details, order: Order, named: int | None, at: datetime) -> None:
    """Take the points the customer paid with. Raises ConflictError that names the field.

    Those of a hold, whoever the order is of: the shop made it with its key. A number only of the customer the
    event names by its own id: an address is typed by anyone.
    """
    if details.points is None:
        return
    hold, points = details.points.hold, details.points.points
    if hold is None and points is not None and (named is None or named != order.customer_id):
        raise ConflictError(
            "order.points: are only taken from the customer the order names by `id`. Else hold them first."
        )
    try:
        if hold is not None:
            ledger.capture(session, hold, key=f"capture:order:{order.id}", order_id=order.id, at=at)
        elif points is not None and named is not None:
            ledger.burn(
                session,
                named,
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
    for coupon_id, code in repository.codes_used_on(session, order.id):
        offers.rollback(
            session,
            code,
            key=_use_key(order, code, repository.times_undone(session, coupon_id)),
            reason=f"order {order.status}",
            order_id=order.id,
        )
        outcome.coupons.append(CouponUse(code, "rolled_back"))
