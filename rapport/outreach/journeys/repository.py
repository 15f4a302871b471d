"""All queries on who is on which journey, and on what decides whether they stay on it.

In PostgreSQL a step is claimed with its customer's row, neither of which is waited for: a refusal holds the
customer's, and then no step of theirs is decided.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, exists, func, literal_column, select, update
from sqlalchemy.orm import Session, aliased

from rapport.cases import calls
from rapport.cases.models import Case
from rapport.channels.models import ContactPoint, Delivery
from rapport.conversations.models import Conversation, Message
from rapport.customers.models import ConsentEvent, Customer, Identity
from rapport.kit.upsert import insert
from rapport.loyalty.offers.models import GOOD, Coupon, Offer
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.outreach.models import OutboxMessage
from rapport.shop.models import Order, Product, Refund
from rapport.shop.repository import KEPT

# What a step that was sent refers to: <kind>:<id>.
OUTBOX, MESSAGE, CASE = "outbox", "message", "case"
PAUSED = "paused"
# Word for word the condition of the index, or SQLite need not use it.
WAITING: ColumnElement[Any] = literal_column("journey_step.status = 'waiting'")

# Built once: it is asked for each step, and building it costs more than running it.
_earlier = aliased(JourneyStep, name="earlier")
# Waiting, due, and no step before it waits: they are decided in their order.
_DUE = (
    WAITING,
    JourneyStep.due_at <= bindparam("now"),
    ~exists().where(
        _earlier.entry_id == JourneyStep.entry_id,
        _earlier.id < JourneyStep.id,
        _earlier.status == "waiting",
    ),
)
_SOMETHING = select(JourneyStep.id).where(*_DUE).limit(1)
_CLAIM = (
    select(JourneyStep)
    .join(Customer, Customer.id == JourneyStep.customer_id)
    .where(*_DUE)
    .order_by(JourneyStep.due_at, JourneyStep.id)
    .limit(1)
    # SQLite leaves it out and lets one writer in at a time.
    .with_for_update(of=[JourneyStep, Customer], key_share=True, skip_locked=True)
)

# --- entries -----------------------------------------------------------------------------------------------


def add_entry(session: Session, values: Mapping[str, Any]) -> int | None:
    """Store an entry; None when the customer is on that journey for that reason already."""
    return session.scalar(
        insert(session, JourneyEntry)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["customer_id", "journey", "trigger_key"])
        .returning(JourneyEntry.id)
    )


def last_entered_at(session: Session, customer_id: int, journey: str) -> datetime | None:
    """When the customer entered this journey last."""
    query = select(func.max(JourneyEntry.entered_at)).where(
        JourneyEntry.customer_id == customer_id, JourneyEntry.journey == journey
    )
    return session.scalar(query)


def last_context(session: Session, customer_id: int, journey: str) -> dict[str, Any]:
    """What the customer was on this journey for last; empty when they never were."""
    query = select(JourneyEntry.context).where(
        JourneyEntry.customer_id == customer_id, JourneyEntry.journey == journey
    )
    return session.scalars(query.order_by(JourneyEntry.id.desc()).limit(1)).first() or {}


def running(
    session: Session, customer_id: int, journeys: Sequence[str] | None = None
) -> Sequence[JourneyEntry]:
    """The entries of a customer that are not over: of these journeys, or of all."""
    query = select(JourneyEntry).where(
        JourneyEntry.customer_id == customer_id, JourneyEntry.status == "running"
    )
    if journeys is not None:
        query = query.where(JourneyEntry.journey.in_(journeys))
    return session.scalars(query.order_by(JourneyEntry.id)).all()


def end_entry(session: Session, entry_id: int, now: datetime, why: str | None) -> None:
    """Nothing more comes of an entry: it is finished, or left because of `why`."""
    session.execute(
        update(JourneyEntry)
        .where(JourneyEntry.id == entry_id, JourneyEntry.status == "running")
        .values(status="left" if why else "finished", left_why=why, ended_at=now)
        .execution_options(synchronize_session=False)
    )


def leave_steps(session: Session, entry_id: int, now: datetime, why: str) -> None:
    """No step of the entry that still waits is sent."""
    session.execute(
        update(JourneyStep)
        .where(JourneyStep.entry_id == entry_id, JourneyStep.status == "waiting")
        .values(status="left", reason=why, decided_at=now)
        .execution_options(synchronize_session=False)
    )


# --- steps -------------------------------------------------------------------------------------------------


def due(session: Session, now: datetime, limit: int) -> Sequence[JourneyStep]:
    """The steps that are due, in their order, for looking at them only: no lock is taken."""
    query = select(JourneyStep).where(*_DUE).order_by(JourneyStep.due_at, JourneyStep.id).limit(limit)
    return session.scalars(query, {"now": now}).all()


def something_due(session: Session, now: datetime) -> bool:
    return session.scalar(_SOMETHING, {"now": now}) is not None


def claim(session: Session, now: datetime) -> JourneyStep | None:
    """The next step that is due, with its customer, for this session alone; None if there is none, or others
    have those there are in hand. Two never get the same one.
    """
    return session.scalar(_CLAIM, {"now": now}, execution_options={"populate_existing": True})


def waiting_step(session: Session, step_id: int) -> JourneyStep | None:
    """The step for this session alone, if it waits and nobody else has it in hand."""
    query = select(JourneyStep).where(JourneyStep.id == step_id, JourneyStep.status == "waiting")
    return session.scalar(
        query.with_for_update(skip_locked=True), execution_options={"populate_existing": True}
    )


def sent_steps(session: Session, customer_id: int, since: datetime) -> Sequence[JourneyStep]:
    """What was handed over for a customer since then."""
    query = select(JourneyStep).where(
        JourneyStep.customer_id == customer_id, JourneyStep.decided_at > since, JourneyStep.status == "sent"
    )
    return session.scalars(query.execution_options(populate_existing=True)).all()


def called_back(session: Session, references: Collection[str], since: datetime) -> set[str]:
    """Those of what steps refer to that was cancelled since then, and never left."""
    ids: dict[str, list[int]] = {}
    for reference in references:
        kind, _, number = reference.partition(":")
        ids.setdefault(kind, []).append(int(number))
    mails = select(OutboxMessage.id).where(
        OutboxMessage.id.in_(ids.get(OUTBOX, [])),
        OutboxMessage.status == "failed",
        OutboxMessage.cancelled_at >= since,
    )
    messages = (
        select(Message.id)
        .join(
            Delivery,
            and_(Delivery.conversation_id == Message.conversation_id, Delivery.sequence == Message.sequence),
        )
        .where(
            Message.id.in_(ids.get(MESSAGE, [])),
            Delivery.status == "cancelled",
            Delivery.parts_sent == 0,
            Delivery.cancelled_at >= since,
        )
    )
    withdrawn = select(Case.id).where(
        Case.id.in_(ids.get(CASE, [])), Case.outcome == calls.OUTCOME, Case.resolved_at >= since
    )
    queries = {OUTBOX: mails, MESSAGE: messages, CASE: withdrawn}
    return {
        f"{kind}:{found}"
        for kind, query in queries.items()
        if kind in ids
        for found in session.scalars(query)
    }


def move_paused(session: Session, customer_id: int, until: datetime) -> None:
    """What waits for the end of the customer's pause is due then."""
    session.execute(
        update(JourneyStep)
        .where(
            JourneyStep.customer_id == customer_id,
            JourneyStep.status == "waiting",
            JourneyStep.reason == PAUSED,
        )
        .values(due_at=until)
        .execution_options(synchronize_session=False)
    )


def following(session: Session, step: JourneyStep) -> Sequence[JourneyStep]:
    """The steps of the same entry that wait, in their order."""
    query = select(JourneyStep).where(
        JourneyStep.entry_id == step.entry_id, JourneyStep.status == "waiting", JourneyStep.id != step.id
    )
    return session.scalars(query.order_by(JourneyStep.id)).all()


# --- what decides ------------------------------------------------------------------------------------------


def has_ordered_since(session: Session, customer_id: int, since: datetime, but: int | None) -> bool:
    """Whether the customer ordered something after that and kept it; `but`: this order does not count."""
    query = select(Order.id).where(Order.customer_id == customer_id, Order.placed_at > since, KEPT)
    if but is not None:
        query = query.where(Order.id != but)
    return session.scalar(query.limit(1)) is not None


def is_returned(session: Session, order_id: int) -> bool:
    """Whether an order was cancelled, or something of it was paid back."""
    refunded = exists().where(Refund.order_id == Order.id)
    query = select(Order.id).where(Order.id == order_id, (~KEPT) | refunded)
    return session.scalar(query) is not None


def has_withdrawn(session: Session, customer_id: int, purpose: str) -> bool:
    """Whether the customer agreed to a purpose once, or was asked, and agrees to it on no channel now."""
    events = session.execute(
        select(ConsentEvent.channel, ConsentEvent.granted)
        .where(ConsentEvent.customer_id == customer_id, ConsentEvent.purpose == purpose)
        .order_by(ConsentEvent.at, ConsentEvent.id)
    )
    now: dict[str, bool] = {row.channel: row.granted for row in events}
    return bool(now) and not any(now.values())


def is_used(session: Session, coupon_ids: Sequence[int], entry_id: int) -> bool:
    """Whether one of these codes was used, or one that was given on this journey."""
    mine = Coupon.grant_key.like(f"journey:{entry_id}:%")
    query = select(Coupon.id).where(Coupon.state == "redeemed", mine | Coupon.id.in_(coupon_ids))
    return session.scalar(query.limit(1)) is not None


# --- codes -------------------------------------------------------------------------------------------------


def offer(session: Session, key: str) -> tuple[int, str] | None:
    """(id, occasion) of the active offer of that key."""
    row = session.execute(
        select(Offer.id, Offer.occasion).where(Offer.key == key, Offer.active)
    ).one_or_none()
    return (row[0], row[1]) if row else None


def good_coupon(session: Session, customer_id: int, offer_id: int, now: datetime) -> Coupon | None:
    """A code of this offer that the customer has and can still use; the one that lasts longest."""
    query = (
        select(Coupon)
        .where(
            Coupon.customer_id == customer_id,
            Coupon.offer_id == offer_id,
            Coupon.state.in_(GOOD),
            Coupon.expires_at > now,
        )
        .order_by(Coupon.expires_at.desc(), Coupon.id)
    )
    return session.scalars(query.limit(1)).first()


def some_sku(session: Session) -> list[str]:
    """Something the shop sells, if it sells anything."""
    return list(session.scalars(select(Product.sku).order_by(Product.id).limit(1)))


# --- ways to somebody --------------------------------------------------------------------------------------


def number_of(session: Session, customer_id: int) -> str | None:
    """The number the customer is called by."""
    query = select(Identity.value).where(Identity.customer_id == customer_id, Identity.kind == "phone")
    return session.scalars(query.order_by(Identity.id.desc()).limit(1)).first()


def contact_on(session: Session, customer_id: int, channel: str) -> ContactPoint | None:
    """Where the customer is reached on a messaging channel: where they wrote last, and did not say STOP."""
    query = select(ContactPoint).where(
        ContactPoint.customer_id == customer_id,
        ContactPoint.channel == channel,
        ContactPoint.unreachable_since.is_(None),
    )
    stopped = ContactPoint.stopped_at.is_not(None)  # no more than the contact policy takes them for
    query = query.order_by(stopped, ContactPoint.last_inbound_at.desc(), ContactPoint.id.desc())
    return session.scalars(query.limit(1)).first()


def free_conversation(session: Session, conversation_id: str) -> Conversation | None:
    """The conversation, locked; None while somebody else works on it. It is not waited for: others take
    the conversation's lock before the customer's.
    """
    query = select(Conversation).where(Conversation.id == conversation_id)
    return session.scalar(
        query.with_for_update(skip_locked=True), execution_options={"populate_existing": True}
    )


def newest_language(session: Session, customer_id: int) -> str | None:
    """The language of the customer's last conversation."""
    query = select(Conversation.language).where(Conversation.customer_id == customer_id)
    return session.scalars(query.order_by(Conversation.updated_at.desc()).limit(1)).first()


def outbox_id(session: Session, key: str) -> int | None:
    return session.scalar(select(OutboxMessage.id).where(OutboxMessage.key == key))
