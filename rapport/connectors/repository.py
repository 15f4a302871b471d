"""All queries about what shops sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, union_all, update
from sqlalchemy.orm import Session

from rapport.connectors.models import OrderEventRecord, WebhookDelivery
from rapport.kit.upsert import insert
from rapport.loyalty.offers import service as offers
from rapport.loyalty.offers.models import Coupon, CouponEvent
from rapport.shop.models import Order, Refund

Record = OrderEventRecord
# A code that was used before its order was told of belongs to an order placed so shortly after that, or so
# long before: some shops use a code as soon as the order is placed, some once it is paid.
PLACED_AFTER, PLACED_BEFORE = timedelta(days=3), timedelta(days=30)


def add_event(session: Session, **values: object) -> int | None:
    """Id of a new event record, or None when there is one of that source and event id already."""
    return session.scalar(
        insert(session, Record)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["source", "event_id"])
        .returning(Record.id)
    )


def get_event(session: Session, record_id: int) -> OrderEventRecord:
    """The event record of that id."""
    return session.get_one(Record, record_id)


def event_of(session: Session, source: str, event_id: str) -> OrderEventRecord:
    """The event record of that name."""
    return session.scalars(select(Record).where(Record.source == source, Record.event_id == event_id)).one()


def order_of_number(session: Session, source: str, number: str) -> int | None:
    """The order with that number."""
    return session.scalar(select(Order.id).where(Order.source == source, Order.number == number))


def order_of_reference(session: Session, source: str, reference: str) -> int | None:
    """The order that the shop calls by that reference."""
    return session.scalar(
        select(Record.order_id)
        .where(Record.source == source, Record.reference == reference, Record.order_id.is_not(None))
        .limit(1)
    )


def lock_order(session: Session, order_id: int) -> Order:
    """The order as it is now; nobody else changes it until this session ends."""
    query = select(Order).where(Order.id == order_id).with_for_update(key_share=True)
    return session.scalars(query.execution_options(populate_existing=True)).one()


def waiting_events(session: Session, order: Order) -> Sequence[OrderEventRecord]:
    """The events of this order that came before it did, or could not be applied yet."""
    references = select(Record.reference).where(Record.order_id == order.id, Record.reference.is_not(None))
    waiting = select(Record.id).where(Record.source == order.source, Record.waiting)
    # Two look-ups by index; an `or` may read the whole table.
    ids = union_all(
        waiting.where(Record.number == order.number), waiting.where(Record.reference.in_(references))
    )
    return session.scalars(select(Record).where(Record.id.in_(ids)).order_by(Record.id)).all()


def described_at(session: Session, order_id: int) -> datetime | None:
    """The time of the newest event that said what was ordered."""
    return session.scalar(select(func.max(Record.at)).where(Record.order_id == order_id, Record.described))


def refund_of(session: Session, source: str, reference: str) -> Refund | None:
    """The refund of that name."""
    return session.scalars(
        select(Refund).where(Refund.source == source, Refund.reference == reference)
    ).one_or_none()


def our_codes(session: Session, codes: Sequence[str]) -> Sequence[Coupon]:
    """Those of these codes that are ours."""
    typed = {offers.written(code) for code in codes}
    return session.scalars(select(Coupon).where(Coupon.code.in_(typed)).order_by(Coupon.id)).all()


def link_code(session: Session, code: str, order: Order) -> bool:
    """Say which order a code was used on that the shop had redeemed before it told of the order.

    That is an order which names the code, of the customer it is for, placed about when it was used: the same
    code on a later order is another use of it.
    """
    query = update(Coupon).where(
        Coupon.code == code,
        Coupon.state == "redeemed",
        Coupon.order_id.is_(None),
        Coupon.redeemed_at.between(order.placed_at - PLACED_AFTER, order.placed_at + PLACED_BEFORE),
    )
    if order.customer_id is not None:
        query = query.where(Coupon.customer_id == order.customer_id)
    return session.scalar(query.values(order_id=order.id).returning(Coupon.id)) is not None


def codes_used_on(session: Session, order_id: int) -> list[tuple[int, str]]:
    """(id, code) of the codes that were used on an order."""
    rows = session.execute(
        select(Coupon.id, Coupon.code)
        .where(Coupon.order_id == order_id, Coupon.state == "redeemed")
        .order_by(Coupon.id)
    )
    return [(row.id, row.code) for row in rows]


def owners_of_codes_on(session: Session, order_id: int) -> Sequence[int]:
    """Whose codes were used on an order."""
    return session.scalars(select(Coupon.customer_id).where(Coupon.order_id == order_id)).all()


def times_undone(session: Session, coupon_id: int) -> int:
    """How often a use of the code was undone."""
    query = select(func.count()).where(CouponEvent.coupon_id == coupon_id, CouponEvent.kind == "rolled_back")
    return session.scalar(query) or 0


def add_delivery(session: Session, **values: object) -> int | None:
    """Id of a new webhook delivery, or None when it is there already."""
    return session.scalar(
        insert(session, WebhookDelivery)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["source", "delivery_id", "digest"])
        .returning(WebhookDelivery.id)
    )


def due_deliveries(session: Session, now: datetime, limit: int) -> list[int]:
    """Ids of deliveries that should be applied (again) now, the oldest first."""
    delivery = WebhookDelivery
    return list(
        session.scalars(
            select(delivery.id)
            .where(
                delivery.status.in_(["received", "failed"]),
                delivery.next_try_at.is_not(None),
                delivery.next_try_at <= now,
            )
            .order_by(delivery.id)
            .limit(limit)
        )
    )


def take_delivery(session: Session, delivery_id: int) -> WebhookDelivery | None:
    """The delivery, if it still has to be applied and nobody else is at it."""
    delivery = WebhookDelivery
    return session.scalars(
        select(delivery)
        .where(delivery.id == delivery_id, delivery.status.in_(["received", "failed"]))
        .with_for_update(skip_locked=True)
    ).one_or_none()


def deliveries(session: Session, status: str | None, limit: int) -> Sequence[WebhookDelivery]:
    """The newest deliveries, of a status or of all."""
    query = select(WebhookDelivery).order_by(WebhookDelivery.id.desc()).limit(limit)
    if status:
        query = query.where(WebhookDelivery.status == status)
    return session.scalars(query).all()


def waiting_count(session: Session) -> int:
    """How many events wait for their order."""
    return session.scalar(select(func.count()).select_from(Record).where(Record.waiting)) or 0


def delete_done(session: Session, before: datetime) -> int:
    """Drop deliveries that were applied (or were about nothing of ours) before then; how many they were."""
    gone = session.scalars(
        delete(WebhookDelivery)
        .where(WebhookDelivery.done_at < before)
        .returning(WebhookDelivery.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


def try_again(session: Session, delivery_id: int | None, now: datetime) -> int:
    """Make a failed delivery, or all of them, due now; how many they were."""
    query = update(WebhookDelivery).where(WebhookDelivery.status == "failed")
    if delivery_id is not None:
        query = query.where(WebhookDelivery.id == delivery_id)
    again = session.scalars(
        query.values(next_try_at=now, tries=0)
        .returning(WebhookDelivery.id)
        .execution_options(synchronize_session=False)
    )
    return len(again.all())
