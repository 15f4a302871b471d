"""What others may ask about mentions, and what staff do with them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from rapport.mentions import repository


def has_bad(session: Session, customer_id: int, now: datetime) -> bool:
    """Whether the customer complained in public and that is not settled: its case is open, or nobody has
    looked at it yet. What its author took back counts no longer, unless its case is still open.
    """
    return repository.has_unsettled_complaint(session, customer_id, now)
