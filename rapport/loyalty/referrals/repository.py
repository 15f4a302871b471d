"""All queries about referrals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from rapport.customers.models import Identity
from rapport.kit.upsert import insert
from rapport.loyalty.referrals.models import Referral, ReferralCode
from rapport.shop.models import Order, Refund
from rapport.shop.repository import KEPT


def code_of(session: Session, customer_id: int) -> str | None:
    return session.scalar(select(ReferralCode.code).where(ReferralCode.customer_id == customer_id))


def owner_of(session: Session, code: str) -> int | None:
    return session.scalar(select(ReferralCode.customer_id).where(ReferralCode.code == code))


def add_code(session: Session, customer_id: int, code: str, at: datetime) -> None:
    """Store a code unless the customer has one or somebody has this one."""
    session.execute(
        insert(session, ReferralCode)
        .values(customer_id=customer_id, code=code, made_at=at)
        .on_conflict_do_nothing()
    )


def by_key(session: Session, key: str) -> Referral | None:
    return session.scalar(select(Referral).where(Referral.key == key))


def of_referee(session: Session, customer_id: int, lock: bool = False) -> Referral | None:
    """Who brought this customer, as a row."""
    query = select(Referral).where(Referral.referee_id == customer_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.scalar(query)


def of_order(session: Session, order_id: int) -> Referral | None:
    """The referral that waits for this order, locked."""
    query = select(Referral).where(Referral.order_id == order_id, Referral.state == "ordered")
    return session.scalar(query.with_for_update().execution_options(populate_existing=True))


def brought(session: Session, referrer_id: int, referee_id: int) -> bool:
    """Whether the one brought the other."""
    query = select(Referral.id).where(Referral.referrer_id == referrer_id, Referral.referee_id == referee_id)
    return session.scalar(query) is not None


def add(session: Session, values: dict[str, Any]) -> Referral | None:
    """Store who brought whom; None when the referee was brought before or the key was used."""
    added = session.scalar(
        insert(session, Referral).values(**values).on_conflict_do_nothing().returning(Referral.id)
    )
    return session.get(Referral, added) if added is not None else None


def identities(session: Session, customer_id: int) -> list[tuple[str, str]]:
    """(kind, value) of all the customer is known by."""
    rows = session.execute(select(Identity.kind, Identity.value).where(Identity.customer_id == customer_id))
    return [(row.kind, row.value) for row in rows]


def kept_orders_before(session: Session, customers: Sequence[int], moment: datetime) -> int:
    """How many orders of before then these have that were neither cancelled nor paid back in full."""
    refunded = (
        select(func.coalesce(func.sum(Refund.amount_minor), 0))
        .where(Refund.order_id == Order.id)
        .correlate(Order)
        .scalar_subquery()
    )
    query = (
        select(func.count())
        .select_from(Order)
        .where(Order.customer_id.in_(customers), KEPT, Order.placed_at < moment)
        .where(or_(refunded == 0, refunded < Order.total_minor))
    )
    return session.scalar(query) or 0


def rewarded_since(session: Session, referrer_id: int, since: datetime) -> int:
    """How many friends the customer was rewarded for since then."""
    query = (
        select(func.count())
        .select_from(Referral)
        .where(
            Referral.referrer_id == referrer_id,
            Referral.settled_at >= since,
            Referral.state == "rewarded",
        )
    )
    return session.scalar(query) or 0


def due(session: Session, now: datetime) -> list[tuple[int, int, int]]:
    """(referral, referrer, referee) of those whose order can't be sent back any more."""
    rows = session.execute(
        select(Referral.id, Referral.referrer_id, Referral.referee_id)
        .where(Referral.state == "ordered", Referral.due_at <= now)
        .order_by(Referral.due_at)
    )
    return [(row.id, row.referrer_id, row.referee_id) for row in rows]


def locked(session: Session, referral_id: int) -> Referral:
    query = select(Referral).where(Referral.id == referral_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def brought_by(session: Session, referrer_id: int) -> Sequence[Referral]:
    """Whom this customer brought, the latest first."""
    query = select(Referral).where(Referral.referrer_id == referrer_id).order_by(Referral.id.desc())
    return session.scalars(query).all()
