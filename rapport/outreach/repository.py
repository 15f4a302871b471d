"""All queries on the outbox, and on addresses mails come back from."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Update, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from rapport.kit import clock, upsert
from rapport.kit.settings import get_settings
from rapport.outreach import rules
from rapport.outreach.models import MailTrouble, OutboxMessage

WIPED = {"recipient": None, "subject": None, "text": None}


def something_due(session: Session, now: datetime) -> bool:
    return any(
        session.scalar(select(OutboxMessage.id).where(_due(now, asked)).limit(1)) is not None
        for asked in (True, False)
    )


def claim(session: Session, now: datetime, lease_until: datetime) -> OutboxMessage | None:
    """Take the next due message for oneself until `lease_until`: first what somebody waits for. Two workers
    never get the same one.
    """
    return _claim(session, now, lease_until, True) or _claim(session, now, lease_until, False)


def _claim(session: Session, now: datetime, lease_until: datetime, asked: bool) -> OutboxMessage | None:
    next_one = (
        select(OutboxMessage.id)
        .where(_due(now, asked))
        .order_by(OutboxMessage.next_attempt_at, OutboxMessage.id)
        .limit(1)
        .with_for_update(
            skip_locked=True
        )  # PostgreSQL; SQLite leaves it out and lets one writer in at a time
    )
    return session.scalar(
        update(OutboxMessage)
        .where(OutboxMessage.id == next_one.scalar_subquery())
        .values(lease_until=lease_until, attempts=OutboxMessage.attempts + 1)
        .returning(OutboxMessage)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


def hand_over(session: Session, message_id: int, lease_until: datetime) -> bool:
    """Look once more at a claimed message, right before it leaves; False when it must not any more.

    From here on nobody can tell whether it went, until `release` says so.
    """
    claimed = (OutboxMessage.id == message_id, OutboxMessage.lease_until == lease_until)
    return _changed(
        session, update(OutboxMessage).where(*claimed, OutboxMessage.status == "queued"), status="sending"
    )


def release(session: Session, message_id: int, lease_until: datetime, **values: Any) -> bool:
    """Write down what became of a claimed message; False when the lease was lost to another worker."""
    claimed = update(OutboxMessage).where(
        OutboxMessage.id == message_id, OutboxMessage.lease_until == lease_until
    )
    return _changed(session, claimed, lease_until=None, **values)


def put_back(session: Session, message_id: int, lease_until: datetime, **values: Any) -> bool:
    """Queue a claimed message again, unless it was cancelled meanwhile; False when the lease was lost."""
    claimed = (OutboxMessage.id == message_id, OutboxMessage.lease_until == lease_until)
    cancelled = update(OutboxMessage).where(*claimed, OutboxMessage.cancelled_at.is_not(None))
    if _changed(session, cancelled, status="failed", last_error="cancelled", lease_until=None, **WIPED):
        return True
    return release(session, message_id, lease_until, status="queued", **values)


def something_doubtful(session: Session, now: datetime) -> bool:
    return session.scalar(select(OutboxMessage.id).where(*_doubtful(now)).limit(1)) is not None


def give_up_doubtful(session: Session, now: datetime, reason: str) -> None:
    """What a worker handed over when it was killed may have gone: it is never repeated."""
    values: dict[str, Any] = {"status": "unknown", "last_error": reason, "lease_until": None, **WIPED}
    _changed(session, update(OutboxMessage).where(*_doubtful(now)), **values)


def drop_queued(session: Session, key: str, reason: str, now: datetime) -> None:
    """Give up a message that no worker has in hand."""
    waiting = update(OutboxMessage).where(
        OutboxMessage.key == key, OutboxMessage.status == "queued", OutboxMessage.lease_until.is_(None)
    )
    _changed(session, waiting, status="failed", last_error=reason, cancelled_at=now, **WIPED)


def drop_unasked(
    session: Session,
    recipients: Collection[str],
    customer_id: int | None,
    now: datetime,
    reason: str,
) -> None:
    """Give up what is queued for these addresses, or for this customer whatever the address.

    A worker that has it in hand looks once more before it hands it over. What is being handed over at this
    very moment is not tried again.
    """
    theirs: ColumnElement[bool] = OutboxMessage.recipient.in_(recipients)
    if customer_id is not None:
        theirs = or_(theirs, OutboxMessage.customer_id == customer_id)
    unasked = (theirs, OutboxMessage.asked.is_(False))
    waiting = update(OutboxMessage).where(*unasked, OutboxMessage.status == "queued")
    _changed(
        session,
        waiting,
        status="failed",
        last_error=reason,
        lease_until=None,
        cancelled_at=now,
        **WIPED,
    )
    leaving = update(OutboxMessage).where(*unasked, OutboxMessage.status == "sending")
    _changed(session, leaving, cancelled_at=now, expires_at=now)


def by_message_id(session: Session, message_id: str) -> OutboxMessage | None:
    """The mail that has this Message-ID, as it is now; locked until the transaction ends."""
    query = select(OutboxMessage).where(OutboxMessage.message_id == message_id).limit(1).with_for_update()
    return session.scalar(query, execution_options={"populate_existing": True})


# --- addresses ---------------------------------------------------------------------------------------------


def unreachable(session: Session, address: str) -> str | None:
    """Why nothing unasked goes to this address, None if it does: its mails came back."""
    return unreachable_among(session, [address]).get(address)


def unreachable_among(session: Session, addresses: Collection[str]) -> dict[str, str]:
    """Those of the addresses that nothing unasked goes to, and why: their mails came back."""
    secret, now = get_settings().secret_key.get_secret_value(), clock.now()
    hashes = {address: rules.address_hash(secret, address) for address in addresses}
    rows = session.execute(
        select(
            MailTrouble.address_hash,
            MailTrouble.gone_at,
            MailTrouble.soft_count,
            MailTrouble.soft_at,
            MailTrouble.reason,
        ).where(MailTrouble.address_hash.in_(hashes.values()))
    )
    why = {
        row.address_hash: row.reason or "its mails came back"
        for row in rows
        if rules.is_unreachable(row.gone_at is not None, row.soft_count, row.soft_at, now)
    }
    return {address: why[hashed] for address, hashed in hashes.items() if hashed in why}


def note_trouble(session: Session, address_hash: str, gone: bool, reason: str, now: datetime) -> None:
    """Note that a mail came back from an address; `gone`: nobody is there."""
    session.flush()
    blank = upsert.insert(session, MailTrouble).values(address_hash=address_hash, soft_count=0)
    session.execute(blank.on_conflict_do_nothing())
    trouble = session.get_one(MailTrouble, address_hash, with_for_update=True, populate_existing=True)
    if gone:
        trouble.gone_at, trouble.reason = trouble.gone_at or now, reason
    else:
        trouble.soft_count = rules.soft_bounces(trouble.soft_count, trouble.soft_at, now)
        trouble.soft_at = now
        if trouble.gone_at is None:
            trouble.reason = reason
    session.flush()


def forget_trouble(session: Session, address_hash: str) -> None:
    session.execute(delete(MailTrouble).where(MailTrouble.address_hash == address_hash))


def _due(now: datetime, asked: bool) -> ColumnElement[bool]:
    free = or_(OutboxMessage.lease_until.is_(None), OutboxMessage.lease_until <= now)
    return and_(
        OutboxMessage.status == "queued",
        OutboxMessage.asked.is_(asked),
        OutboxMessage.next_attempt_at <= now,
        free,
    )


def _doubtful(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return OutboxMessage.status == "sending", OutboxMessage.lease_until <= now


def _changed(session: Session, statement: Update, **values: Any) -> bool:
    changed = session.execute(statement.values(**values).execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", changed).rowcount > 0
