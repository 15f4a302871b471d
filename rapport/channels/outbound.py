"""What goes out to messaging apps: handed over with the answer it belongs to, so none is lost and none is
decided twice. sending.py takes it from there.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from rapport.channels import repository, rules
from rapport.channels.base import Report
from rapport.channels.models import Delivery
from rapport.conversations.models import Conversation
from rapport.kit import clock

WEB = "web"
# What was taken and did not arrive is sent again until it was lost as often as this.
MOST_LOST = 5

# Set after a commit that left something to send; the sender waits for it.
queued = threading.Event()


def queue(
    session: Session, conversation: Conversation, rows: Sequence[Mapping[str, Any]], asked: bool = True
) -> None:
    """Deliver these messages of ours (rows of `message`), stored in this very transaction, in their order.

    The web chat fetches them itself. `asked` False: the person did not write just now, and it is sent once at
    most.
    """
    if conversation.channel == WEB or not rows:
        return
    now = clock.now()
    repository.add(
        session,
        [
            {
                "conversation_id": conversation.id,
                "sequence": row["sequence"],
                "channel": conversation.channel,
                "asked": asked,
                "next_attempt_at": now,
                "created_at": now,
            }
            for row in rows
        ],
    )
    event.listen(session, "after_commit", lambda _session: queued.set(), once=True)


def stop_unasked(session: Session, customer_id: int, channels: Collection[str] | None = None) -> None:
    """Send the customer nothing more of what they did not ask for: on these channels, or on all."""
    points = repository.contacts_of(session, customer_id)
    named = [point.conversation_id for point in points if channels is None or point.channel in channels]
    if named:
        now = clock.now()
        repository.cancel_unasked(session, named, now, now - rules.GIVE_UP_UNASKED_AFTER)


def report(session: Session, channel: str, told: Report) -> None:
    """Note what became of something sent. What comes again, or too late, changes nothing."""
    delivery = repository.by_provider_id(session, channel, told.message_id)
    if delivery is None:
        return
    now = clock.now()
    if told.status in {"delivered", "read"}:
        delivery.delivered_at = delivery.delivered_at or now
        if told.status == "read":
            delivery.read_at = delivery.read_at or now
    elif told.status == "failed" and delivery.status == "sent" and delivery.delivered_at is None:
        delivery.last_error = (told.reason or "refused later")[:300]
        at = _again_at(session, delivery, told, now)
        if delivery.cancelled_at is not None:
            delivery.status = "cancelled"
        elif at is None:
            delivery.status = "failed"
        else:
            # It is told of the last part; those before it arrived.
            delivery.status, delivery.lease_until, delivery.provider_id = "queued", None, None
            delivery.parts_sent = max(delivery.parts_sent - 1, 0)
            delivery.next_attempt_at = at
        if told.gone:
            give_up(session, delivery.conversation_id, delivery.last_error)


def _again_at(session: Session, delivery: Delivery, told: Report, now: datetime) -> datetime | None:
    """When to send again what did not arrive; None when it is not worth it, or would come out of order."""
    if repository.overtaken(session, delivery):
        return None
    if told.after is not None and not delivery.asked:
        at = now + timedelta(seconds=rules.patience(told.after)) * 2 ** min(delivery.attempts - 1, 4)
        return at if at - delivery.created_at <= rules.GIVE_UP_UNASKED_AFTER else None
    if not told.again or delivery.attempts >= MOST_LOST:
        return None
    return rules.next_attempt(delivery.attempts, now, delivery.created_at, None, delivery.asked)


def give_up(session: Session, conversation_id: str, reason: str) -> None:
    """The person cannot be reached here any more, until they write again."""
    point = repository.contact_of(session, conversation_id)
    if point is not None and point.unreachable_since is None:
        point.unreachable_since, point.unreachable_reason = clock.now(), reason[:300]
    repository.fail_all(session, conversation_id, "cannot be reached")
