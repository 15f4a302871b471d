"""What has to be known of somebody who asks for a discount, in as few questions as possible.

Built once: building a statement costs more than running it, and everyone who chats waits for these.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Integer, and_, bindparam, case, func, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from rapport.customers.models import Identity, Interest
from rapport.loyalty.offers.models import GOOD, Coupon, Offer
from rapport.loyalty.offers.rules import Audience, OfferTerms, Terms
from rapport.shop.models import Order, Product, Refund
from rapport.shop.repository import KEPT, PAID

_CUSTOMER = bindparam("customer", type_=Integer)
_own = aliased(Identity)
# Not a join: SQLite would read the whole table to leave out the doubles.
_MAILBOXES = select(_own.mailbox).where(_own.customer_id == _CUSTOMER, _own.mailbox.is_not(None))
_SAME_MAILBOX = select(Identity.customer_id).where(Identity.mailbox.in_(_MAILBOXES))
# The customer and whoever shares a mailbox with them.
_TOGETHER = union_all(select(_CUSTOMER), _SAME_MAILBOX)
_refunded = (
    select(func.coalesce(func.sum(Refund.amount_minor), 0))
    .where(Refund.order_id == Order.id)
    .correlate(Order)
    .scalar_subquery()
)
_ORDERS = select(
    func.coalesce(func.sum(case((and_(Order.customer_id == _CUSTOMER, PAID), 1), else_=0)), 0), func.count()
).where(
    Order.customer_id.in_(_TOGETHER),
    KEPT,
    or_(_refunded == 0, _refunded < Order.total_minor),
)
_INTERESTS = (
    select(Interest.topic, Product.category)
    .outerjoin(Product, Product.sku == Interest.topic)
    .where(Interest.customer_id == _CUSTOMER)
)
_OFFERS = (
    select(*Offer.__table__.columns)
    .where(Offer.active, Offer.occasion.in_(bindparam("occasions", expanding=True)))
    .order_by(Offer.id)
)
_USES = (
    select(Coupon.offer_id, func.sum(case((Coupon.customer_id == _CUSTOMER, 1), else_=0)), func.count())
    .where(
        Coupon.customer_id.in_(_TOGETHER),
        or_(
            Coupon.state == "redeemed",
            and_(Coupon.state.in_(GOOD), Coupon.expires_at > bindparam("now")),
            and_(Coupon.state == "revoked", Coupon.excused.is_(False)),
        ),
    )
    .group_by(Coupon.offer_id)
)


def same_mailbox(session: Session, customer_id: int) -> list[int]:
    """The customer and whoever else is reached at one of their mailboxes, by whichever address; in order."""
    return sorted({customer_id, *session.scalars(_SAME_MAILBOX, {"customer": customer_id})})


def orders_of(session: Session, customer_id: int) -> tuple[int, int]:
    """(how many orders the customer paid for, how many all at their mailboxes have together, paid or not).

    None of them cancelled or paid back whole.
    """
    row = session.execute(_ORDERS, {"customer": customer_id}).one()
    return int(row[0]), int(row[1])


def interests_of(session: Session, customer_id: int) -> frozenset[str]:
    """What the customer likes: categories, products, and the categories of these products."""
    rows = session.execute(_INTERESTS, {"customer": customer_id})
    return frozenset(name for row in rows for name in row if name)


def offers(session: Session, *occasions: str) -> list[OfferTerms]:
    """The terms of the active offers for these occasions, as they stand in the database now."""
    rows = session.execute(_OFFERS, {"occasions": occasions})
    return [_terms(row._mapping) for row in rows]


def _terms(row: Any) -> OfferTerms:
    return OfferTerms(
        id=row["id"],
        key=row["key"],
        name=row["name"],
        occasion=row["occasion"],
        terms=Terms(
            row["kind"],
            row["percent"],
            row["amount_minor"],
            row["gift_sku"],
            row["minimum_minor"],
            row["max_discount_minor"],
            row["stacking"],
            row["keep_margin"],
        ),
        audience=Audience.of(row["min_orders"], row["max_orders"], row["audience"]),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        valid_days=row["valid_days"],
        cap=row["cap"],
        used=row["used"],
        per_customer=row["per_customer"] or None,
        budget_minor=row["budget_minor"],
        spent_minor=row["spent_minor"],
        chance=row["chance"],
        after_days=row["after_days"],
        active=row["active"],
    )


def uses(session: Session, customer_id: int, now: datetime) -> dict[int, tuple[int, int]]:
    """How many codes of each offer, by its id, the customer used, can still use, or had taken away; and how
    many all at their mailboxes did.

    One the shop took back for a mistake of its own does not count.
    """
    rows = session.execute(_USES, {"customer": customer_id, "now": now})
    return {row[0]: (int(row[1]), int(row[2])) for row in rows}
