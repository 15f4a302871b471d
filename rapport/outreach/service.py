"""Handing a mail over to be sent. It leaves only after the caller's commit."""

from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import datetime
from email.utils import make_msgid, parseaddr

from sqlalchemy import event
from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.kit.settings import get_settings
from rapport.outreach import repository, rules
from rapport.outreach.models import OutboxMessage

# Set after a commit that left something to send; the worker waits for it.
queued = threading.Event()


def enqueue(
    session: Session,
    *,
    key: str,
    purpose: str,
    recipient: str | None,
    subject: str,
    text: str,
    language: str,
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
) -> bool:
    """Queue a mail once per `key`; False when that key was used before.

    It is sent at once or from `not_before` on, and after `expires_at` not any more.

    Without a recipient the row is written all the same, as failed and without the text: whoever must not show
    whether an address is known does the same work either way.
    """
    nobody = recipient is None
    message = OutboxMessage(
        key=key,
        purpose=purpose,
        recipient=recipient,
        subject=None if nobody else subject,
        text=None if nobody else text,
        language=language,
        message_id=_new_message_id(),
        status="failed" if nobody else "queued",
        last_error="no recipient" if nobody else None,
        next_attempt_at=not_before or clock.now(),
        expires_at=expires_at,
    )
    added = repository.add_once(session, message)
    if added:
        event.listen(session, "after_commit", lambda _session: queued.set(), once=True)
    return added


def cancel(session: Session, key: str) -> None:
    """Do not send what is still waiting under `key`."""
    repository.drop_queued(session, key, "cancelled")


def cancel_unasked(session: Session, recipients: Collection[str]) -> None:
    """Send these addresses nothing more of what is waiting, but for what they asked for themselves.

    What a worker has in hand at this moment may still go out, but is not tried again.
    """
    if recipients:
        repository.drop_unasked(session, recipients, rules.ASKED_FOR, clock.now(), "cancelled")


def _new_message_id() -> str:
    """Given once and kept, so that a mail sent twice after a crash is recognised as one."""
    _name, sender = parseaddr(get_settings().mail_from)
    return make_msgid(domain=sender.rpartition("@")[2] or "localhost")
