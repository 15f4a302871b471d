"""Who has an occasion for a present: queries over all customers, for tasks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from rapport.cases.models import Case
from rapport.conversations.models import Conversation
from rapport.customers.models import ConsentEvent, Customer
from rapport.customers.rules import NEWSLETTER
from rapport.loyalty.offers.models import Coupon
from rapport.shop.models import Order
from rapport.shop.repository import PAID, PAID_STATUSES

# How many values one statement takes.
MANY = 500


def not_granted(
    session: Session, due: Sequence[tuple[int, str, dict[str, int]]]
) -> list[tuple[int, str, dict[str, int]]]:
    """Those whose occasion has no coupon yet, in the same order."""
    granted: set[str | None] = set()
    keys = [grant_key for _, grant_key, _ in due]
    for first in range(0, len(keys), MANY):
        query = select(Coupon.grant_key).where(Coupon.grant_key.in_(keys[first : first + MANY]))
        granted.update(session.scalars(query))
    return [one for one in due if one[1] not in granted]


def born_on(session: Session, days: Sequence[tuple[int, int]]) -> list[int]:
    """Customers whose birthday is on one of these (month, day)."""
    month, day = func.extract("month", Customer.birthday), func.extract("day", Customer.birthday)
    query = select(Customer.id).where(
        Customer.birthday.is_not(None), or_(*(and_(month == m, day == d) for m, d in days))
    )
    return list(session.scalars(query.order_by(Customer.id)))


def first_ordered(session: Session, start: datetime, end: datetime) -> list[int]:
    """Customers whose first order that was paid and kept is of [start, end)."""
    earlier = aliased(Order)
    before = (
        select(earlier.id)
        .where(
            earlier.customer_id == Order.customer_id,
            earlier.placed_at < start,
            earlier.status.in_(PAID_STATUSES),
        )
        .exists()
    )
    query = (
        select(Order.customer_id)
        .where(Order.placed_at >= start, Order.placed_at < end, PAID, Order.customer_id.is_not(None), ~before)
        .distinct()
        .order_by(Order.customer_id)
    )
    return [customer_id for customer_id in session.scalars(query) if customer_id is not None]


def agreed_customers(session: Session) -> list[int]:
    """Customers who ever agreed to the newsletter; whether they still do is looked at one by one."""
    query = (
        select(ConsentEvent.customer_id)
        .where(ConsentEvent.purpose == NEWSLETTER, ConsentEvent.granted)
        .distinct()
        .order_by(ConsentEvent.customer_id)
    )
    return list(session.scalars(query))


def agreed_among(session: Session, ids: Sequence[int]) -> set[int]:
    """Those of the customers who ever agreed to the newsletter."""
    query = select(ConsentEvent.customer_id).where(
        ConsentEvent.customer_id.in_(ids), ConsentEvent.purpose == NEWSLETTER, ConsentEvent.granted
    )
    return set(session.scalars(query))


def settled_complaints(session: Session, since: datetime, until: datetime) -> list[tuple[int, int]]:
    """(case, customer) of complaints settled in (since, until], the oldest first."""
    owner = func.coalesce(Case.customer_id, Conversation.customer_id)
    rows = session.execute(
        select(Case.id, owner.label("customer_id"))
        .outerjoin(Conversation, Conversation.id == Case.conversation_id)
        .where(Case.kind == "complaint", Case.resolved_at > since, Case.resolved_at <= until)
        .where(owner.is_not(None))
        .order_by(Case.resolved_at)
    )
    return [(row.id, row.customer_id) for row in rows]
