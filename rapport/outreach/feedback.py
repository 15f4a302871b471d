"""What comes back about mails that were sent: that they did not arrive, or are not wanted.

Who names a mail's Message-ID has had it, or carried it: nobody can guess one.
"""

from __future__ import annotations

import logging

from sqlalchemy.orm import Session

from rapport.customers import choices, contact
from rapport.kit import clock
from rapport.outreach import repository, service
from rapport.outreach.models import OutboxMessage

log = logging.getLogger(__name__)

# Not the words of a page: a mail program's button.
WORDING = "mail-1"


def bounced(session: Session, message_id: str, reason: str, gone: bool) -> bool:
    """A mail did not arrive; `gone`: nobody is there. False when it is none of the outbox's.

    The same told again changes nothing.
    """
    message = repository.by_message_id(session, message_id)
    if message is None:
        return False
    if message.status in ("sent", "unknown"):
        message.status, message.last_error = "bounced", reason[:300]
        log.info("Mail %d (%s): %s", message.id, message.purpose, reason)
        if message.address_hash is not None:
            repository.note_trouble(session, message.address_hash, gone, reason[:300], clock.now())
    return True


def nobody_at(session: Session, address: str, reason: str) -> None:
    """A mail that is none of the outbox's came back: nobody is at this address."""
    repository.note_trouble(session, service.address_hash(address), True, reason[:300], clock.now())


def refused(session: Session, message_id: str, complaint: bool) -> bool:
    """Who had this mail wants nothing unasked any more; a `complaint` said so to their provider.

    False when it is none of the outbox's. The same complaint again changes nothing.
    """
    message = repository.by_message_id(session, message_id)
    if message is None:
        return False
    if complaint and not _is_new(message):
        return True
    log.info("Mail %d (%s): %s", message.id, message.purpose, "complaint" if complaint else "unsubscribed")
    if message.customer_id is not None:
        refuse(session, message.customer_id, f"mail:{message.id}", complaint)
    return True


def refuse(session: Session, customer_id: int, source: str, complaint: bool) -> None:
    """Send this customer nothing unasked any more. Who complained gets no mail even where no consent is
    needed, until they ask for mail again.
    """
    choices.leave(session, customer_id, choices.Said(source=source, wording=WORDING))
    if complaint:
        contact.set_channels(session, customer_id, refused=["email"])


def _is_new(message: OutboxMessage) -> bool:
    if message.complained_at is not None:
        return False
    message.complained_at = clock.now()
    return True
