"""Who was told that nobody came may leave an address: where the answer goes."""

from __future__ import annotations

import re
from datetime import timedelta

from email_validator import EmailNotValidError, validate_email
from sqlalchemy.orm import Session

from rapport.conversations.models import Conversation
from rapport.handoff import repository, texts
from rapport.handoff.tasks import NOBODY_CAME, case_key
from rapport.kit import clock

LOOKS_LIKE_ONE = re.compile(r"[^\s<>()\[\],;:\"]+@[^\s<>()\[\],;:\"]+\.[^\s<>()\[\],;:\"]+")
# Who writes one days later means something else by it.
ASKED_FOR = timedelta(days=2)


def found_in(text: str) -> str | None:
    """The first e-mail address in a text, if there is one."""
    for match in LOOKS_LIKE_ONE.finditer(text):
        try:
            return validate_email(match[0].rstrip(".!?"), check_deliverability=False).normalized
        except EmailNotValidError:
            continue
    return None


def taken(session: Session, conversation: Conversation, sequence: int, text: str) -> str | None:
    """What answers a message that leaves the address we asked for just before; None for any other message."""
    address = found_in(text) if "@" in text else None
    if address is None or repository.before(session, conversation.id, sequence) != NOBODY_CAME:
        return None
    handoff = repository.last_missed(session, conversation.id)
    if handoff is None or handoff.missed_at is None or clock.now() - handoff.missed_at > ASKED_FOR:
        return None
    case = repository.case_by_key(session, case_key(handoff))
    if case is None or case.resolved_at is not None:
        return None
    case.contact = address[:200]
    session.flush()
    return texts.text("address_taken", conversation.language, address=address)
