"""All queries that gather what is known of a customer, and those that find one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, exists, func, or_, select, union
from sqlalchemy.orm import Session

from rapport.channels.models import ContactPoint
from rapport.conversations.models import Case, Conversation
from rapport.customers.models import (
    ConsentEvent,
    ContactPolicy,
    Customer,
    CustomerMerge,
    ExternalRef,
    Identity,
    Interest,
)
from rapport.loyalty.offers.models import Coupon
from rapport.review import repository as review
from rapport.review.words import parse
from rapport.shop.models import Order
from rapport.value.models import CustomerValue


def customers(session: Session, ids: Collection[int]) -> dict[int, Customer]:
    """These customers by their ids."""
    found = session.scalars(select(Customer).where(Customer.id.in_(ids)))
    return {customer.id: customer for customer in found}


def identities_of(session: Session, ids: Collection[int]) -> dict[int, list[Identity]]:
    """What these customers are known by."""
    found: dict[int, list[Identity]] = {}
    query = select(Identity).where(Identity.customer_id.in_(ids)).order_by(Identity.kind, Identity.id)
    for identity in session.scalars(query):
        found.setdefault(identity.customer_id, []).append(identity)
    return found


def identities(session: Session, customer_id: int) -> Sequence[Identity]:
    query = select(Identity).where(Identity.customer_id == customer_id)
    return session.scalars(query.order_by(Identity.kind, Identity.id)).all()


def contact_points(session: Session, customer_id: int, conversation_id: str | None) -> Sequence[ContactPoint]:
    """Where the customer is reached in apps; with a conversation, also who that is with."""
    whose = ContactPoint.customer_id == customer_id
    if conversation_id is not None:
        whose = or_(whose, ContactPoint.conversation_id == conversation_id)
    return session.scalars(select(ContactPoint).where(whose).order_by(ContactPoint.id)).all()


def contact_points_in(session: Session, conversation_ids: Collection[str]) -> dict[str, ContactPoint]:
    """Who writes in these conversations from an app."""
    found = session.scalars(select(ContactPoint).where(ContactPoint.conversation_id.in_(conversation_ids)))
    return {point.conversation_id: point for point in found}


def references(session: Session, customer_id: int) -> Sequence[ExternalRef]:
    query = select(ExternalRef).where(ExternalRef.customer_id == customer_id)
    return session.scalars(query.order_by(ExternalRef.system, ExternalRef.id)).all()


def policy(session: Session, customer_id: int) -> ContactPolicy | None:
    return session.get(ContactPolicy, customer_id)


def consents(session: Session, customer_id: int, limit: int) -> Sequence[ConsentEvent]:
    """What the customer agreed to and withdrew, newest first."""
    query = select(ConsentEvent).where(ConsentEvent.customer_id == customer_id)
    return session.scalars(query.order_by(ConsentEvent.at.desc(), ConsentEvent.id.desc()).limit(limit)).all()


def interests(session: Session, customer_id: int | None, conversation_id: str | None) -> Sequence[Interest]:
    """What a customer likes, newest first; or, while nobody is known, what the conversation holds."""
    whose = (
        Interest.conversation_id == conversation_id
        if customer_id is None
        else Interest.customer_id == customer_id
    )
    query = select(Interest).where(whose).order_by(Interest.at.desc(), Interest.id.desc()).limit(30)
    return session.scalars(query).all()


def coupons(session: Session, customer_id: int, limit: int) -> Sequence[Coupon]:
    """The customer's codes, newest first."""
    query = select(Coupon).where(Coupon.customer_id == customer_id)
    return session.scalars(query.order_by(Coupon.id.desc()).limit(limit)).all()


def conversations(session: Session, customer_id: int, limit: int) -> Sequence[Conversation]:
    """The customer's conversations, the latest first."""
    query = select(Conversation).where(Conversation.customer_id == customer_id)
    return session.scalars(query.order_by(Conversation.updated_at.desc()).limit(limit)).all()


def cases(
    session: Session, customer_id: int | None, conversation_id: str | None, limit: int
) -> Sequence[Case]:
    """Cases of the customer (also those opened before anybody knew who they are) and of the conversation:
    open ones first, then the newest.
    """
    # Each by its index; an `or` may read the whole table.
    ways = []
    if customer_id is not None:
        talks = select(Conversation.id).where(Conversation.customer_id == customer_id)
        ways.append(select(Case.id).where(Case.customer_id == customer_id))
        ways.append(select(Case.id).where(Case.conversation_id.in_(talks)))
    if conversation_id is not None:
        ways.append(select(Case.id).where(Case.conversation_id == conversation_id))
    query = select(Case).where(Case.id.in_(union(*ways) if len(ways) > 1 else ways[0]))
    return session.scalars(query.order_by(Case.resolved_at.is_not(None), Case.id.desc()).limit(limit)).all()


def merges(session: Session, customer_id: int, limit: int) -> Sequence[CustomerMerge]:
    ways = union(
        select(CustomerMerge.id).where(CustomerMerge.from_id == customer_id),
        select(CustomerMerge.id).where(CustomerMerge.into_id == customer_id),
    )
    query = select(CustomerMerge).where(CustomerMerge.id.in_(ways)).order_by(CustomerMerge.id.desc())
    return session.scalars(query.limit(limit)).all()


def is_in_hands(session: Session, customer_id: int, staff_id: int) -> bool:
    """Whether somebody looks after one of the customer's conversations."""
    query = select(
        exists().where(Conversation.customer_id == customer_id, Conversation.assigned_to == staff_id)
    )
    return bool(session.scalar(query))


# --- finding somebody --------------------------------------------------------------------------------------

_SHOWN = (
    Customer.id,
    Customer.name,
    Customer.stage,
    Customer.language,
    Customer.created_at,
    CustomerValue.segment,
    CustomerValue.orders,
    CustomerValue.revenue_minor,
    CustomerValue.last_order_at,
)


def by_ids(session: Session, ids: Collection[int]) -> list[Row[Any]]:
    """Customers as lines of a list, the newest first."""
    query = select(*_SHOWN).outerjoin(CustomerValue, CustomerValue.customer_id == Customer.id)
    return list(session.execute(query.where(Customer.id.in_(ids)).order_by(Customer.id.desc())))


def listed(
    session: Session,
    name: str | None,
    segment: str | None,
    stage: str | None,
    before: int | None,
    limit: int,
) -> list[Row[Any]]:
    """Customers whose name has these words in it, of a segment, at a stage; the newest first."""
    query = select(*_SHOWN).outerjoin(CustomerValue, CustomerValue.customer_id == Customer.id)
    if name:
        words = parse(name)
        if not words.terms:
            return []
        query = query.where(Customer.id.in_(review.named(session, words)))
    if segment is not None:
        query = query.where(CustomerValue.segment == segment)
    if stage is not None:
        query = query.where(Customer.stage == stage)
    if before is not None:
        query = query.where(Customer.id < before)
    return list(session.execute(query.order_by(Customer.id.desc()).limit(limit)))


def addresses(session: Session, ids: Collection[int]) -> dict[int, str]:
    """An e-mail address of each of these customers who has one."""
    query = select(Identity.customer_id, func.min(Identity.value)).where(
        Identity.customer_id.in_(ids), Identity.kind == "email"
    )
    return {row[0]: row[1] for row in session.execute(query.group_by(Identity.customer_id))}


def owners_of_order(session: Session, numbers: Collection[str]) -> set[int]:
    """Whose orders have one of these numbers."""
    query = select(Order.customer_id).where(Order.number.in_(numbers), Order.customer_id.is_not(None))
    return {owner for owner in session.scalars(query.limit(20)) if owner is not None}
