"""Handing a mail over to be sent. It leaves only after the caller's commit."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Collection
from datetime import datetime
from email.utils import parseaddr

from sqlalchemy import event
from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.kit.settings import get_settings
from rapport.kit.upsert import add_once
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
    customer_id: int | None = None,
    step_id: int | None = None,
) -> bool:
    """Queue a mail once per `key`; False when that key was used before.

    It is sent at once or from `not_before` on, and after `expires_at` not any more.

    Whatever `purpose` is not among `rules.ASKED_FOR` is unasked: it needs the `customer_id` whose wishes its
    links lead to, or it is not sent. `purpose` is then what they agreed to (newsletter, tips, reminders,
    alerts; "other" where no consent is needed), which the footer tells. `text` is what is said, no more:
    footer, links and HTML are made when it leaves. `step_id`: the step of a journey that sends it.

    Without a recipient the row is written all the same, as failed and without the text: whoever must not show
    whether an address is known does the same work either way.
    """
    nobody = recipient is None
    message = OutboxMessage(
        key=key,
        purpose=purpose,
        asked=rules.is_asked(purpose),
        customer_id=customer_id,
        step_id=step_id,
        recipient=recipient,
        address_hash=None if recipient is None else address_hash(recipient),
        subject=None if nobody else subject,
        text=None if nobody else text,
        language=language,
        message_id=_new_message_id(),
        status="failed" if nobody else "queued",
        last_error="no recipient" if nobody else None,
        next_attempt_at=not_before or clock.now(),
        expires_at=expires_at,
    )
    added = add_once(session, message)
    if added:
        event.listen(session, "after_commit", lambda _session: queued.set(), once=True)
    return added


def cancel(session: Session, key: str) -> None:
    """Do not send what is still waiting under `key`."""
    repository.drop_queued(session, key, "cancelled", clock.now())


def cancel_unasked(session: Session, recipients: Collection[str], customer_id: int | None = None) -> None:
    """Send these addresses, and this customer, nothing more of what is waiting, but for what they asked for
    themselves.

    What is on its way to the server at this very moment may still go out, but is not tried again.
    """
    if recipients or customer_id is not None:
        repository.drop_unasked(session, recipients, customer_id, clock.now(), "cancelled")


def address_hash(address: str) -> str:
    """What an address is known by once it is wiped."""
    return rules.address_hash(get_settings().secret_key.get_secret_value(), address)


def reachable_again(session: Session, address: str) -> None:
    """They have just shown that they read mails at this address, whatever came back from it before."""
    repository.forget_trouble(session, address_hash(address))


def _new_message_id() -> str:
    """Given once and kept, so that a mail sent twice after a crash is recognised as one.

    Nobody can guess it: who names it has had the mail.
    """
    _name, sender = parseaddr(get_settings().mail_from)
    return f"<{secrets.token_hex(16)}@{sender.rpartition('@')[2] or 'localhost'}>"
