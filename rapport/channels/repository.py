"""All queries on contact points, deliveries and links."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    Boolean,
    ColumnElement,
    CursorResult,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased

from rapport.channels.models import ChannelLink, ContactPoint, Delivery
from rapport.conversations.models import Conversation, Message

# Word for word the condition of the index, or SQLite does not use it.
OPEN: ColumnElement[bool] = literal_column("delivery.status IN ('queued', 'sending')", Boolean)


# --- contact points ----------------------------------------------------------------------------------------


def contact(session: Session, channel: str, addresses: Sequence[str]) -> ContactPoint | None:
    """The person one of these addresses is, by the first of them that is known; locked until the transaction
    ends. Ids of one person may have become two before it was known that they belong together.
    """
    query = select(ContactPoint).where(ContactPoint.channel == channel, ContactPoint.address.in_(addresses))
    order = case({address: place for place, address in enumerate(addresses)}, value=ContactPoint.address)
    return session.scalar(query.order_by(order, ContactPoint.id).limit(1).with_for_update())


def contact_of(session: Session, conversation_id: str) -> ContactPoint | None:
    """Who a conversation in a messaging app is with."""
    return session.scalar(select(ContactPoint).where(ContactPoint.conversation_id == conversation_id))


def locked_contact_of(session: Session, conversation_id: str) -> ContactPoint | None:
    """The same, as it is now; locked until the transaction ends."""
    query = select(ContactPoint).where(ContactPoint.conversation_id == conversation_id)
    return session.scalar(query.with_for_update(), execution_options={"populate_existing": True})


def contacts_of(session: Session, customer_id: int) -> Sequence[ContactPoint]:
    """Where a customer is reached."""
    query = select(ContactPoint).where(ContactPoint.customer_id == customer_id).order_by(ContactPoint.id)
    return session.scalars(query).all()


def newest_buttons(session: Session, conversation_id: str) -> tuple[int, list[dict[str, Any]]]:
    """(sequence, buttons) of the newest reply, if it has any: what a typed number may mean."""
    row = session.execute(
        select(Message.sequence, Message.content)
        .where(Message.conversation_id == conversation_id, Message.author != "customer")
        .order_by(Message.sequence.desc())
        .limit(1)
    ).first()
    return (row.sequence, list((row.content or {}).get("buttons", ()))) if row else (0, [])


# --- deliveries --------------------------------------------------------------------------------------------


def add(session: Session, rows: list[dict[str, Any]]) -> None:
    session.execute(insert(Delivery), rows)


def claim(
    session: Session, now: datetime, lease_until: datetime, channels: Collection[str]
) -> tuple[Delivery, bool] | None:
    """Take the next due delivery for oneself: (it, whether it was in somebody's hands who is gone).

    Within a conversation strictly in order, and on these channels. Two never get the same one.
    """
    earlier = aliased(Delivery)
    waits = exists().where(
        earlier.conversation_id == Delivery.conversation_id,
        earlier.sequence < Delivery.sequence,
        earlier.status.in_(("queued", "sending")),
    )
    found = session.scalar(
        select(Delivery)
        .where(OPEN, _due(now), Delivery.channel.in_(channels), ~waits)
        .order_by(Delivery.next_attempt_at, Delivery.id)
        .limit(1)
        .with_for_update(skip_locked=True)  # SQLite leaves it out and lets one writer in at a time
    )
    if found is None:
        return None
    in_doubt = found.status == "sending"
    found.status, found.lease_until = "sending", lease_until
    found.attempts += 1
    session.flush()
    return found, in_doubt


def something_due(session: Session, now: datetime, channels: Collection[str]) -> bool:
    query = select(Delivery.id).where(OPEN, _due(now), Delivery.channel.in_(channels)).limit(1)
    return session.scalar(query) is not None


def _due(now: datetime) -> ColumnElement[bool]:
    free = or_(Delivery.lease_until.is_(None), Delivery.lease_until <= now)
    return (Delivery.next_attempt_at <= now) & free


def note(session: Session, delivery_id: int, lease: datetime, **values: Any) -> bool:
    """Write down what became of a claimed delivery; False when the lease was lost to another."""
    return _changed(
        session,
        update(Delivery).where(Delivery.id == delivery_id, Delivery.lease_until == lease).values(**values),
    )


def fail_all(session: Session, conversation_id: str, reason: str) -> None:
    """Give up what is queued in a conversation whose person cannot be reached."""
    _changed(
        session,
        update(Delivery)
        .where(Delivery.conversation_id == conversation_id, Delivery.status == "queued")
        .values(status="failed", last_error=reason),
    )


def cancel_unasked(session: Session, conversation_ids: Collection[str]) -> None:
    """Send nothing more of what nobody asked for. What is being sent at this moment may still go out."""
    _changed(
        session,
        update(Delivery)
        .where(
            Delivery.conversation_id.in_(conversation_ids),
            Delivery.status == "queued",
            Delivery.asked.is_(False),
        )
        .values(status="cancelled"),
    )


def message(session: Session, delivery: Delivery) -> tuple[str, dict[str, Any], str]:
    """(text, content, language) of what is to be delivered."""
    row = session.execute(
        select(Message.text, Message.content, Message.language).where(
            Message.conversation_id == delivery.conversation_id, Message.sequence == delivery.sequence
        )
    ).one()
    return row.text or "", row.content or {}, row.language or "en"


def subject(session: Session, channel: str, provider_id: str | None) -> str | None:
    """What a message that came in was about."""
    query = select(Message.content).where(Message.channel == channel, Message.provider_id == provider_id)
    return (session.scalar(query) or {}).get("subject") if provider_id else None


def by_provider_id(session: Session, channel: str, provider_id: str) -> Delivery | None:
    """The delivery that made this message on the wire."""
    query = select(Delivery).where(Delivery.channel == channel, Delivery.provider_id == provider_id)
    return session.scalar(query.order_by(Delivery.id).limit(1))


def overtaken(session: Session, delivery: Delivery) -> bool:
    """Whether something later has gone out in its conversation."""
    later = exists().where(
        Delivery.conversation_id == delivery.conversation_id,
        Delivery.sequence > delivery.sequence,
        Delivery.status.in_(("sending", "sent")),
    )
    return bool(session.scalar(select(later)))


def figures(session: Session) -> dict[str, tuple[int, int, int]]:
    """(people, deliveries that wait, deliveries that failed) by channel."""
    counted = select(ContactPoint.channel, func.count()).group_by(ContactPoint.channel)
    people: dict[str, int] = dict(session.execute(counted).all())
    waits, failed = func.count().filter(OPEN), func.count().filter(Delivery.status == "failed")
    sent = session.execute(select(Delivery.channel, waits, failed).group_by(Delivery.channel))
    found = {channel: (waiting, lost) for channel, waiting, lost in sent}
    return {name: (people.get(name, 0), *found.get(name, (0, 0))) for name in {*people, *found}}


# --- links -------------------------------------------------------------------------------------------------


def link(session: Session, token_hash: str) -> ChannelLink | None:
    return session.scalar(select(ChannelLink).where(ChannelLink.token_hash == token_hash))


def drop_old_links(session: Session, customer_id: int, now: datetime) -> None:
    """Forget the customer's links that nobody can follow any more."""
    _changed(
        session,
        delete(ChannelLink).where(ChannelLink.customer_id == customer_id, ChannelLink.expires_at <= now),
    )


def use_link(session: Session, link_id: int, now: datetime) -> bool:
    """Mark a link used; False when somebody was faster, or it is too old."""
    return _changed(
        session,
        update(ChannelLink)
        .where(ChannelLink.id == link_id, ChannelLink.used_at.is_(None), ChannelLink.expires_at > now)
        .values(used_at=now),
    )


def conversation(session: Session, conversation_id: str) -> Conversation:
    return session.get_one(Conversation, conversation_id)


def _changed(session: Session, statement: Any) -> bool:
    result = session.execute(statement.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", result).rowcount > 0
