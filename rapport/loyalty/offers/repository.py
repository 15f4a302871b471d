"""Queries about offers, coupons and who may be given one: those of the gate are in gate_lookups.py, those of
occasions in occasions.py.

In PostgreSQL locks are taken in one order: the customer's row, then the coupon's, then the offer's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, and_, case, func, or_, select, update
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.conversations.models import Conversation
from rapport.customers.models import ConsentEvent, Customer
from rapport.kit.upsert import insert
from rapport.loyalty.offers import lookups
from rapport.loyalty.offers.models import GOOD, Coupon, CouponEvent, Offer
from rapport.shop.models import Product

# A customer asks for a discount: what they paid for with points is no answer, and a present is none first.
_NO_ANSWER_FIRST = case((Coupon.occasion == "points", 2), (Coupon.kind == "gift", 1), else_=0)


def lock_customer(session: Session, customer_id: int) -> bool:
    """Keep others from deciding about the same customer until this session ends; False if there is none.

    (On SQLite the session's write transaction does that already.)
    """
    query = select(Customer.id).where(Customer.id == customer_id).with_for_update(key_share=True)
    return session.scalar(query) is not None


def lock_free_customers(session: Session, ids: Sequence[int]) -> list[int]:
    """Those of the customers nobody else decides about right now, locked; the others' turn comes later."""
    query = select(Customer.id).where(Customer.id.in_(ids)).order_by(Customer.id)
    return list(session.scalars(query.with_for_update(key_share=True, skip_locked=True)))


def lock_mailbox(session: Session, customer_id: int) -> bool:
    """Like `lock_customer`, with all who share a mailbox with them, so that only one of them is new at once.

    For a session that has locked nobody yet.
    """
    query = select(Customer.id).where(Customer.id.in_(lookups.same_mailbox(session, customer_id)))
    locked = session.scalars(query.order_by(Customer.id).with_for_update(key_share=True))
    return customer_id in set(locked)


def has_open_complaint(session: Session, customer_id: int) -> bool:
    """Whether a complaint of theirs is not settled, also one made before we knew who they are."""
    talks = select(Conversation.id).where(Conversation.customer_id == customer_id)
    whose = or_(Case.customer_id == customer_id, Case.conversation_id.in_(talks))
    query = select(Case.id).where(whose, Case.kind == "complaint", Case.resolved_at.is_(None)).limit(1)
    return session.scalar(query) is not None


def consent_to(session: Session, customer_id: int, purpose: str) -> ConsentEvent | None:
    """The newest agreement to a purpose, on any channel, that was not withdrawn on that channel since."""
    events = session.scalars(
        select(ConsentEvent)
        .where(ConsentEvent.customer_id == customer_id, ConsentEvent.purpose == purpose)
        .order_by(ConsentEvent.at, ConsentEvent.id)
    )
    latest = {event.channel: event for event in events}
    granted = [event for event in latest.values() if event.granted]
    return max(granted, key=lambda event: (event.at, event.id), default=None)


def live_coupons(session: Session, customer_id: int, now: datetime) -> Sequence[Coupon]:
    """The customer's codes that are still good: discounts before presents before what points bought, the
    higher first.
    """
    return session.scalars(
        select(Coupon)
        .where(Coupon.customer_id == customer_id, Coupon.state.in_(GOOD), Coupon.expires_at > now)
        .order_by(_NO_ANSWER_FIRST, Coupon.percent.desc(), Coupon.amount_minor.desc(), Coupon.id)
    ).all()


def take(session: Session, offer_id: int, cost_minor: int) -> bool:
    """Count one more code of the offer and set aside what it can cost; False when the cap or the budget does
    not allow it. Check and count are one step.
    """
    return _one(
        session,
        update(Offer)
        .where(Offer.id == offer_id, Offer.active)
        .where(or_(Offer.cap.is_(None), Offer.used < Offer.cap))
        .where(_within_budget(cost_minor))
        .values(used=Offer.used + 1, spent_minor=Offer.spent_minor + cost_minor),
    )


def spend(session: Session, offer_id: int, more_minor: int) -> bool:
    """Add to what the offer cost (or take off, below 0); False when the budget does not allow it."""
    if more_minor == 0:
        return True
    room = _within_budget(more_minor) if more_minor > 0 else Offer.id == offer_id
    return _one(
        session,
        update(Offer).where(Offer.id == offer_id, room).values(spent_minor=Offer.spent_minor + more_minor),
    )


def has_budget(session: Session, offer_id: int) -> bool:
    """Whether the offer's cost is limited, as it stays until this session ends."""
    query = select(Offer.budget_minor).where(Offer.id == offer_id).with_for_update()
    return session.scalar(query) is not None


def _within_budget(more_minor: int) -> ColumnElement[bool]:
    return or_(Offer.budget_minor.is_(None), Offer.spent_minor + more_minor <= Offer.budget_minor)


def _one(session: Session, statement: Any) -> bool:
    result = session.execute(statement.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", result).rowcount == 1


def next_sequence(session: Session, offer_id: int, customer_id: int) -> int:
    """The number of the customer's next coupon of this offer, from 1."""
    last = session.scalar(
        select(func.max(Coupon.sequence)).where(
            Coupon.offer_id == offer_id, Coupon.customer_id == customer_id
        )
    )
    return (last or 0) + 1


def add_coupon(session: Session, values: dict[str, Any]) -> int | None:
    """Store a coupon; None when the code is in use."""
    return session.scalar(
        insert(session, Coupon)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["code"])
        .returning(Coupon.id)
    )


def coupon_by_grant(session: Session, grant_key: str) -> Coupon | None:
    """The coupon that was given for an occasion."""
    return session.scalar(select(Coupon).where(Coupon.grant_key == grant_key))


def owner_of(session: Session, code: str) -> int | None:
    """Whose a code is; None when nobody issued it."""
    return session.scalar(select(Coupon.customer_id).where(Coupon.code == code))


def coupon_by_code(session: Session, code: str, lock: bool = False) -> Coupon | None:
    """The coupon; with `lock`, nobody else works on it until this session ends."""
    query = select(Coupon).where(Coupon.code == code).execution_options(populate_existing=True)
    return session.scalar(query.with_for_update() if lock else query)


def stackings(session: Session, codes: Sequence[str]) -> dict[str, str]:
    """The stacking group of each of these codes that we issued."""
    rows = session.execute(select(Coupon.code, Coupon.stacking).where(Coupon.code.in_(codes)))
    return {row.code: row.stacking for row in rows}


def event_by_key(session: Session, kind: str, key: str) -> CouponEvent | None:
    return session.scalar(select(CouponEvent).where(CouponEvent.kind == kind, CouponEvent.key == key))


def add_event(session: Session, values: dict[str, Any]) -> bool:
    """Append what happened; False when that key was used for it before."""
    added = session.scalar(
        insert(session, CouponEvent)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["kind", "key"])
        .returning(CouponEvent.id)
    )
    return added is not None


def product(session: Session, sku: str) -> Product | None:
    return session.scalar(select(Product).where(Product.sku == sku))


def costs(session: Session, skus: Sequence[str]) -> dict[str, int]:
    """What the shop pays for each of these products, where that is known."""
    rows = session.execute(
        select(Product.sku, Product.cost_minor).where(Product.sku.in_(skus), Product.cost_minor.is_not(None))
    )
    return {row.sku: row.cost_minor for row in rows}


def due_coupons(session: Session, ended_before: datetime, limit: int) -> list[tuple[int, int]]:
    """(customer, coupon) of good codes whose end has passed, the oldest first."""
    rows = session.execute(
        select(Coupon.customer_id, Coupon.id)
        .where(Coupon.state.in_(GOOD), Coupon.expires_at <= ended_before)
        .order_by(Coupon.expires_at)
        .limit(limit)
    )
    return [(row.customer_id, row.id) for row in rows]


def coupon_by_id(session: Session, coupon_id: int) -> Coupon:
    """The coupon, locked."""
    query = select(Coupon).where(Coupon.id == coupon_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def coupons_to_speak_of(session: Session, customer_id: int, now: datetime) -> Sequence[Coupon]:
    """The codes the customer may be told of: those that are good, and those they used."""
    good = and_(Coupon.state.in_(GOOD), Coupon.expires_at > now)
    query = select(Coupon).where(Coupon.customer_id == customer_id, or_(Coupon.state == "redeemed", good))
    return session.scalars(query).all()


def offer_rows(session: Session) -> dict[str, Offer]:
    """All offers by key, locked against being used meanwhile, always in the same order."""
    rows = session.scalars(select(Offer).order_by(Offer.id).with_for_update())
    return {offer.key: offer for offer in rows}


def offer_keys(session: Session) -> set[str]:
    """The keys of all offers there ever were."""
    return set(session.scalars(select(Offer.key)))


def good_codes(session: Session, key: str, now: datetime) -> int:
    """How many codes of an offer are good."""
    query = (
        select(func.count(Coupon.id))
        .join(Offer, Offer.id == Coupon.offer_id)
        .where(Offer.key == key, Coupon.state.in_(GOOD), Coupon.expires_at > now)
    )
    return session.scalar(query) or 0


def without_limit(session: Session, offer_id: int) -> int:
    """How many good codes of the offer may cost any sum."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Coupon)
            .where(
                Coupon.offer_id == offer_id,
                Coupon.state.in_(GOOD),
                Coupon.kind == "percent",
                Coupon.max_discount_minor.is_(None),
            )
        )
        or 0
    )
