"""All queries about what people do on the site, and about who waits for a product."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from rapport.customers.models import Identity
from rapport.kit.upsert import insert
from rapport.preferences.models import Subscription
from rapport.shop.models import Product
from rapport.site.models import SiteEvent, SiteVisitor, StockWish

# --- visitors ----------------------------------------------------------------------------------------------


def locked_visitor(session: Session, key_hash: str, now: datetime) -> SiteVisitor:
    """The visitor, made when there is none; nobody else changes it until this session ends."""
    session.execute(
        insert(session, SiteVisitor).values(key_hash=key_hash, seen_at=now).on_conflict_do_nothing()
    )
    query = select(SiteVisitor).where(SiteVisitor.key_hash == key_hash).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def give_events(session: Session, visitor_id: int, customer_id: int) -> None:
    """What the visitor did before we knew who it is was done by this customer."""
    _change(
        session,
        update(SiteEvent)
        .where(SiteEvent.visitor_id == visitor_id, SiteEvent.customer_id.is_(None))
        .values(customer_id=customer_id),
    )


def delete_events(session: Session, visitor_id: int) -> None:
    _change(session, delete(SiteEvent).where(SiteEvent.visitor_id == visitor_id))


# --- events ------------------------------------------------------------------------------------------------


def put_view(session: Session, visitor: SiteVisitor, product_id: int, at: datetime) -> None:
    """Note a view; of a product seen on that day already only the time, if this one is later."""
    values = {
        "visitor_id": visitor.id,
        "customer_id": visitor.customer_id,
        "kind": "view",
        "product_id": product_id,
        "day": at.date(),
        "at": at,
    }
    statement = insert(session, SiteEvent).values(values)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["visitor_id", "kind", "product_id", "day"],
            set_={"at": statement.excluded.at},
            where=SiteEvent.at < statement.excluded.at,
        )
    )


def put_last(
    session: Session, visitor: SiteVisitor, kind: str, at: datetime, cart: dict[str, Any] | None = None
) -> None:
    """Note something of which only the visitor's last is kept; nothing when a later one is known already."""
    of_kind = (SiteEvent.visitor_id == visitor.id, SiteEvent.kind == kind)
    if session.scalar(select(exists().where(*of_kind, SiteEvent.at > at))):
        return
    _change(session, delete(SiteEvent).where(*of_kind))
    session.add(
        SiteEvent(
            visitor_id=visitor.id, customer_id=visitor.customer_id, kind=kind, day=at.date(), at=at, cart=cart
        )
    )
    session.flush()


def delete_old_events(session: Session, anonymous: datetime, known: datetime, limit: int) -> int:
    """Drop what happened before these times, so many at a time; how many went."""
    old = select(SiteEvent.id).where(
        SiteEvent.at < anonymous, or_(SiteEvent.customer_id.is_(None), SiteEvent.at < known)
    )
    return _change(session, delete(SiteEvent).where(SiteEvent.id.in_(old.limit(limit))))


def delete_old_visitors(session: Session, before: datetime, limit: int) -> int:
    """Drop visitors not seen since, of whom nothing is kept."""
    old = select(SiteVisitor.id).where(
        SiteVisitor.seen_at < before, ~exists().where(SiteEvent.visitor_id == SiteVisitor.id)
    )
    # The time is asked of the row itself once more: it may have been seen just now.
    return _change(
        session,
        delete(SiteVisitor).where(SiteVisitor.id.in_(old.limit(limit)), SiteVisitor.seen_at < before),
    )


# --- who waits for a product -------------------------------------------------------------------------------


def put_wish(session: Session, product: Product, source: str, now: datetime, **whose: Any) -> None:
    """Note a wish (`customer_id` or `email`); the same again begins anew if it was fulfilled."""
    out = product.stock is None or product.stock <= 0
    values = {"product_id": product.id, "source": source, "asked_at": now, "seen_out": out, **whose}
    statement = insert(session, StockWish).values(values)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["product_id", *whose],
            set_={"asked_at": now, "seen_out": out, "fulfilled_at": None},
            where=or_(StockWish.fulfilled_at.is_not(None), StockWish.email.is_not(None)),
        )
    )


def waits(session: Session, customer_id: int, product_id: int) -> bool:
    """Whether this customer is waiting for it."""
    return bool(
        session.scalar(
            select(
                exists().where(
                    StockWish.product_id == product_id,
                    StockWish.customer_id == customer_id,
                    StockWish.fulfilled_at.is_(None),
                )
            )
        )
    )


def drop_fulfilled(session: Session, customer_id: int, product_id: int) -> None:
    """Forget that this customer was told before: they wait once more."""
    _change(
        session,
        delete(StockWish).where(
            StockWish.product_id == product_id,
            StockWish.customer_id == customer_id,
            StockWish.fulfilled_at.is_not(None),
        ),
    )


def confirmed_wishes(session: Session) -> Sequence[Any]:
    """(wish, customer_id, what they agreed to) of wishes by address whose owner confirmed something since."""
    return session.execute(
        select(StockWish, Identity.customer_id, Subscription.purposes)
        .join(Identity, and_(Identity.kind == "email", Identity.value == StockWish.email))
        .join(Subscription, Subscription.customer_id == Identity.customer_id)
        .where(StockWish.email.is_not(None), Subscription.confirmed_at >= StockWish.asked_at)
    ).all()


def delete_wishes(session: Session, fulfilled: datetime, asked: datetime, unconfirmed: datetime) -> int:
    """Drop wishes fulfilled or asked before these times, and those nobody confirmed in time."""
    return _change(
        session,
        delete(StockWish).where(
            or_(
                StockWish.fulfilled_at < fulfilled,
                StockWish.asked_at < asked,
                and_(StockWish.email.is_not(None), StockWish.asked_at < unconfirmed),
            )
        ),
    )


def see_sold_out(session: Session) -> int:
    """Note which wished products are sold out by now."""
    out = select(Product.id).where(Product.id == StockWish.product_id, Product.stock <= 0)
    return _change(
        session,
        update(StockWish)
        .where(StockWish.fulfilled_at.is_(None), ~StockWish.seen_out, out.exists())
        .values(seen_out=True),
    )


def fulfil(session: Session, now: datetime) -> int:
    """Note which wished products are in stock again."""
    back = select(Product.id).where(Product.id == StockWish.product_id, Product.stock > 0)
    return _change(
        session,
        update(StockWish)
        .where(
            StockWish.fulfilled_at.is_(None),
            StockWish.seen_out,
            StockWish.customer_id.is_not(None),
            back.exists(),
        )
        .values(fulfilled_at=now),
    )


def _change(session: Session, statement: Any) -> int:
    """Run an UPDATE or DELETE; how many rows it touched."""
    result = session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount
