"""Background work of outreach: sending what is due.

A message is leased, sent without an open transaction, and only then marked. A crash in between means it is
sent again when the lease runs out, with the same Message-ID.
"""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import Engine

from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.settings import get_settings
from rapport.outreach import repository, rules
from rapport.outreach.mail import Mailer, RefusedError, TryAgainError, build_mail
from rapport.outreach.models import OutboxMessage

log = logging.getLogger(__name__)

WIPED = {"recipient": None, "subject": None, "text": None}


def send_due(engine: Engine, mailer: Mailer) -> int:
    """Send everything that is due; returns how many mails were sent."""
    sent = 0
    while (claimed := _claim(engine)) is not None:
        message, lease_until = claimed
        outcome = _attempt(mailer, message)
        with session_scope(engine) as session:
            kept = repository.release(session, message.id, lease_until, **outcome)
        if kept:
            log.info(
                "Mail %d (%s): %s", message.id, message.purpose, outcome.get("status", "will be tried again")
            )
        sent += outcome.get("status") == "sent"
    return sent


def _claim(engine: Engine) -> tuple[OutboxMessage, datetime] | None:
    now = clock.now()
    lease_until = now + rules.LEASE
    with read_scope(engine) as session:  # most of the time there is nothing, and looking takes no write lock
        if not repository.something_due(session, now):
            return None
    with session_scope(engine) as session:
        message = repository.claim(session, now, lease_until)
    return (message, lease_until) if message is not None else None


def _attempt(mailer: Mailer, message: OutboxMessage) -> dict[str, object]:
    """Try one message; returns the columns that tell what came of it."""
    if message.expires_at is not None and message.expires_at <= clock.now():
        return _failed("expired before it could be sent")
    try:
        mail = build_mail(
            sender=get_settings().mail_from,
            recipient=message.recipient or "",
            subject=message.subject or "",
            text=message.text or "",
            language=message.language,
            message_id=message.message_id,
            at=message.created_at,
        )
    except ValueError:
        return _failed("recipient or subject cannot stand in a mail")
    try:
        mailer.send(mail)
    except RefusedError as error:
        return _failed(str(error))
    except TryAgainError as error:
        return _later(message, str(error))
    return {"status": "sent", "sent_at": clock.now(), "last_error": None, **WIPED}


def _failed(reason: str) -> dict[str, object]:
    return {"status": "failed", "last_error": reason, **WIPED}


def _later(message: OutboxMessage, reason: str) -> dict[str, object]:
    at = rules.next_attempt(message.attempts, clock.now(), message.expires_at)
    return _failed(reason) if at is None else {"next_attempt_at": at, "last_error": reason}
