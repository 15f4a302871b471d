"""How the offers do: codes given out, used, and what they cost. For the shop's people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, case, cast, func, select
from sqlalchemy.orm import Session

from rapport.loyalty.offers.models import GOOD, Coupon, Offer


@dataclass(frozen=True)
class Figures:
    """One offer. `cost_minor` is what the codes used cost, without what good ones may cost yet."""

    key: str
    name: str
    occasion: str
    kind: str
    percent: int
    amount_minor: int
    gift_sku: str | None
    minimum_minor: int
    cap: int | None
    budget_minor: int | None
    ends_at: datetime | None
    active: bool
    codes: int
    good: int
    used: int
    cost_minor: int


def of_all(session: Session, past: bool) -> list[Figures]:
    """All active offers, with `past` the others too, in the order they came."""
    used = Coupon.state == "redeemed"
    columns = (
        *(Offer.key, Offer.name, Offer.occasion, Offer.kind, Offer.percent, Offer.amount_minor),
        *(Offer.gift_sku, Offer.minimum_minor, Offer.cap, Offer.budget_minor, Offer.ends_at, Offer.active),
    )
    query = (
        select(
            *columns,
            func.count(Coupon.id).label("codes"),
            func.coalesce(func.sum(case((Coupon.state.in_(GOOD), 1), else_=0)), 0).label("good"),
            func.coalesce(func.sum(case((used, 1), else_=0)), 0).label("used"),
            cast(func.coalesce(func.sum(case((used, Coupon.cost_minor), else_=0)), 0), BigInteger).label(
                "cost_minor"
            ),
        )
        .outerjoin(Coupon, Coupon.offer_id == Offer.id)
        .group_by(Offer.id)
        .order_by(Offer.id)
    )
    if not past:
        query = query.where(Offer.active)
    return [Figures(**row._mapping) for row in session.execute(query)]
