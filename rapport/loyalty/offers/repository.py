"""All queries about offers and coupons."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from rapport.customers.models import Customer
from rapport.kit.upsert import insert
from rapport.loyalty.offers.models import Coupon, Offer, Redemption
from rapport.loyalty.offers.rules import OfferTerms


def lock_customer(session: Session, customer_id: int) -> bool:
    """Keep others from deciding about the same customer until this session ends; False if there is none.

    (On SQLite the session's write transaction does that already.)
    """
    query = select(Customer.id).where(Customer.id == customer_id).with_for_update(key_share=True)
    return session.scalar(query) is not None


def offer_terms(session: Session) -> list[OfferTerms]:
    """The terms of all active offers, as they stand in the database now."""
    rows = session.execute(
        select(
            Offer.id,
            Offer.percent,
            Offer.minimum_minor,
            Offer.min_orders,
            Offer.starts_at,
            Offer.ends_at,
            Offer.valid_days,
            Offer.cap,
            Offer.used,
            Offer.active,
        ).where(Offer.active)
    )
    return [OfferTerms(**row._mapping) for row in rows]


def live_coupon(session: Session, customer_id: int, now: datetime) -> tuple[Coupon, Offer] | None:
    """The customer's unexpired, unredeemed coupon with its offer; the best, should there be several."""
    row = session.execute(
        select(Coupon, Offer)
        .join(Offer, Offer.id == Coupon.offer_id)
        .outerjoin(Redemption, Redemption.coupon_id == Coupon.id)
        .where(Coupon.customer_id == customer_id, Coupon.expires_at > now, Redemption.id.is_(None))
        .order_by(Offer.percent.desc(), Coupon.id)
        .limit(1)
    ).first()
    return (row[0], row[1]) if row else None


def redeemed_offers(session: Session, customer_id: int) -> set[int]:
    """Ids of the offers of which the customer has used a coupon."""
    return set(
        session.scalars(
            select(Coupon.offer_id)
            .join(Redemption, Redemption.coupon_id == Coupon.id)
            .where(Coupon.customer_id == customer_id)
        )
    )


def take_one(session: Session, offer_id: int) -> bool:
    """Count one more code of the offer; False when its cap is reached. Check and count are one step."""
    taken = session.scalar(
        update(Offer)
        .where(Offer.id == offer_id, (Offer.cap.is_(None)) | (Offer.used < Offer.cap))
        .values(used=Offer.used + 1)
        .returning(Offer.id)
        .execution_options(synchronize_session=False)
    )
    return taken is not None


def next_sequence(session: Session, offer_id: int, customer_id: int) -> int:
    """The number of the customer's next coupon of this offer, from 1."""
    last = session.scalar(
        select(func.max(Coupon.sequence)).where(
            Coupon.offer_id == offer_id, Coupon.customer_id == customer_id
        )
    )
    return (last or 0) + 1


def add_coupon(
    session: Session,
    code: str,
    offer_id: int,
    customer_id: int,
    sequence: int,
    message_key: str | None,
    issued_at: datetime,
    expires_at: datetime,
) -> bool:
    """Store a coupon; False when the code is in use."""
    added = session.scalar(
        insert(session, Coupon)
        .values(
            code=code,
            offer_id=offer_id,
            customer_id=customer_id,
            sequence=sequence,
            message_key=message_key,
            issued_at=issued_at,
            expires_at=expires_at,
        )
        .on_conflict_do_nothing(index_elements=["code"])
        .returning(Coupon.id)
    )
    return added is not None
