"""Whether offers and coupons add up: what must always hold, looked for in the rows."""

from __future__ import annotations

from sqlalchemy import Function, case, func, or_, select
from sqlalchemy.orm import Session

from rapport.loyalty.offers.models import GOOD, Coupon, CouponEvent, Offer

_COST = case(
    (Coupon.state == "redeemed", Coupon.cost_minor),
    (Coupon.state.in_(GOOD), Coupon.reserved_minor),
    else_=0,
)


def find(session: Session) -> list[str]:
    """Each thing that does not add up, in words; always empty."""
    return [*_counters(session), *_uses(session), *_events(session)]


def _counters(session: Session) -> list[str]:
    rows = session.execute(
        select(
            Offer.key,
            Offer.used,
            Offer.cap,
            Offer.spent_minor,
            Offer.budget_minor,
            func.count(Coupon.id).label("coupons"),
            func.coalesce(func.sum(_COST), 0).label("cost"),
        )
        .outerjoin(Coupon, Coupon.offer_id == Offer.id)
        .group_by(Offer.id)
    )
    found = []
    for row in rows:
        if row.used != row.coupons:
            found.append(f"offer {row.key}: {row.used} codes counted, {row.coupons} there")
        if row.spent_minor != row.cost:
            found.append(f"offer {row.key}: {row.spent_minor} spent, the codes say {row.cost}")
        if row.cap is not None and row.used > row.cap:
            found.append(f"offer {row.key}: more codes than its cap")
        if row.budget_minor is not None and row.spent_minor > row.budget_minor:
            found.append(f"offer {row.key}: more spent than its budget")
    return found


def _uses(session: Session) -> list[str]:
    too_much = session.scalars(
        select(Coupon.id).where(
            Coupon.state == "redeemed",
            or_(
                Coupon.redeemed_at >= Coupon.expires_at,
                Coupon.redeemed_at < Coupon.issued_at,
                Coupon.discount_minor < 0,
                Coupon.discount_minor > Coupon.max_discount_minor,
            ),
        )
    )
    return [f"coupon {coupon_id}: used outside its time or for more than it gives" for coupon_id in too_much]


def _events(session: Session) -> list[str]:
    """A code is used once more often than it was rolled back, or as often; each code was issued once."""

    def times(kind: str) -> Function[int]:
        return func.coalesce(func.sum(case((CouponEvent.kind == kind, 1), else_=0)), 0)

    rows = session.execute(
        select(
            Coupon.id,
            Coupon.state,
            times("issued").label("issued"),
            times("redeemed").label("redeemed"),
            times("rolled_back").label("undone"),
        )
        .join(CouponEvent, CouponEvent.coupon_id == Coupon.id)
        .group_by(Coupon.id, Coupon.state)
    )
    return [
        f"coupon {row.id}: {row.state}, but used {row.redeemed} times and undone {row.undone} times"
        for row in rows
        if row.issued != 1 or row.redeemed - row.undone != (row.state == "redeemed")
    ]
