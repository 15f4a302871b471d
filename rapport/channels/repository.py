"""All queries on contact points, deliveries and links."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
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

# Word for word the condition of the indexes, or SQLite does not use them; nor does it with the `= 1` that
# is added to a Boolean.
OPEN: ColumnElement[Any] = literal_column("delivery.status IN ('queued', 'sending')")
OPEN_EARLIER: ColumnElement[Any] = literal_column("earlier.status IN ('queued', 'sending')")
# So far back a typed number may reach: over notices, and over what was said after a question.
REPLIES_BACK = 10


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


def newest_buttons(session: Session, conversation_id: str) -> tuple[int, str, list[dict[str, Any]]]:
    """(sequence, text, buttons) of the newest question the person has before them, which a typed number may
    answer; no buttons when there is none.

    What has not gone out yet nobody answers. Notices and news may come after a question; another answer of
    the bot's, or a word of a person's, ends it.
    """
    said, out = aliased(Message), Delivery
    rows = session.execute(
        select(Message, said.content.label("answered"), out.status.label("sent"), out.parts_sent)
        .outerjoin(said, Message.reply_to == said.id)
        .outerjoin(out, (out.conversation_id == Message.conversation_id) & (out.sequence == Message.sequence))
        .where(Message.conversation_id == conversation_id, Message.author != "customer")
        .order_by(Message.sequence.desc())
        .limit(REPLIES_BACK)
    )
    turn: int | None = None
    for reply, answered, sent, parts_sent in rows:
        if (answered or {}).get("notice") is not None:
            continue
        if reply.author == "staff" or (turn and reply.reply_to and reply.reply_to != turn):
            break
        turn = reply.reply_to or turn
        buttons = (reply.content or {}).get("buttons")
        if buttons and (sent in ("sent", "unknown") or parts_sent):
            return reply.sequence, reply.text or "", list(buttons)
    return 0, "", []


# --- deliveries --------------------------------------------------------------------------------------------


def add(session: Session, rows: list[dict[str, Any]]) -> None:
    session.execute(insert(Delivery), rows)


def claim(
    session: Session, now: datetime, lease_until: datetime, channels: Sequence[str]
) -> tuple[Delivery, bool] | None:
    """Take the next due delivery for oneself: (it, whether it was in somebody's hands who is gone).

    Of the first of these channels (`due_channels`) that still has one. Within a conversation in order; only
    what nobody asked for and is held back lets others pass. Two never get the same one.
    """
    for channel in channels:
        # SQLite leaves the lock out and lets one writer in at a time.
        query = select(Delivery).where(*_next(now, channel)).order_by(*FIRST_DUE).limit(1)
        found = session.scalar(query.with_for_update(skip_locked=True))
        if found is not None:
            break
    else:
        return None
    in_doubt = found.status == "sending"
    found.status, found.lease_until = "sending", lease_until
    found.attempts += 1
    session.flush()
    return found, in_doubt


def due_channels(session: Session, now: datetime, channels: Collection[str]) -> list[str]:
    """Those of the channels that have something to send now, the one that waits longest first.

    Each is asked by itself: so the index has its answer in order, and nothing is sorted.
    """
    found = []
    for channel in channels:
        query = select(Delivery.next_attempt_at, Delivery.id).where(*_next(now, channel))
        row = session.execute(query.order_by(*FIRST_DUE).limit(1)).first()
        if row is not None:
            found.append((row.next_attempt_at, row.id, channel))
    return [channel for *_, channel in sorted(found)]


FIRST_DUE = (Delivery.next_attempt_at, Delivery.id)


def _next(now: datetime, channel: str) -> tuple[ColumnElement[Any], ...]:
    """What may be sent on a channel now."""
    earlier = aliased(Delivery, name="earlier")
    waits = exists().where(
        earlier.conversation_id == Delivery.conversation_id,
        earlier.sequence < Delivery.sequence,
        OPEN_EARLIER,
        or_(earlier.asked, earlier.status == "sending", earlier.next_attempt_at <= now),
    )
    free = or_(Delivery.lease_until.is_(None), Delivery.lease_until <= now)
    return OPEN, Delivery.channel == channel, Delivery.next_attempt_at <= now, free, ~waits


def note(session: Session, delivery_id: int, lease: datetime, **values: Any) -> bool:
    """Write down what became of a claimed delivery; False when the lease was lost to another."""
    return _changed(
        session,
        update(Delivery).where(Delivery.id == delivery_id, Delivery.lease_until == lease).values(**values),
    )


def later(session: Session, delivery_id: int, lease: datetime, **values: Any) -> bool:
    """Put a claimed delivery back, unless it was cancelled meanwhile; False when the lease was lost."""
    status = case((Delivery.cancelled_at.is_not(None), "cancelled"), else_="queued")
    return note(session, delivery_id, lease, status=status, lease_until=None, **values)


def fail_all(session: Session, conversation_id: str, reason: str) -> None:
    """Give up what is queued in a conversation whose person cannot be reached."""
    _changed(
        session,
        update(Delivery)
        .where(Delivery.conversation_id == conversation_id, Delivery.status == "queued")
        .values(status="failed", last_error=reason),
    )


def cancel_unasked(
    session: Session, conversation_ids: Collection[str], now: datetime, since: datetime
) -> None:
    """Send nothing more of what nobody asked for. What is being sent at this moment may still go out; neither
    that nor what was sent is tried again if it did not arrive. What is older than `since` no one tries again.
    """
    _changed(
        session,
        update(Delivery)
        .where(
            Delivery.conversation_id.in_(conversation_ids),
            Delivery.status.in_(("queued", "sending", "sent")),
            Delivery.asked.is_(False),
            Delivery.created_at >= since,
        )
        .values(
            status=case((Delivery.status == "queued", "cancelled"), else_=Delivery.status),
            cancelled_at=now,
        ),
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
