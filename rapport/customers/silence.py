"""What is queued for somebody unasked is not sent any more, on whatever way."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.cases import calls
from rapport.channels import outbound
from rapport.customers import repository
from rapport.kit import clock
from rapport.outreach import service as outreach
from rapport.outreach.journeys import recall


def cancel_unasked(
    session: Session,
    customer_id: int,
    channels: Collection[str] | None = None,
    pause: datetime | None = None,
) -> None:
    """Send this customer nothing of what is waiting for them unasked: on these channels, or on all.

    `pause`: they only want nothing until then; what a journey wanted to say is decided again after it.
    """
    began = clock.now()
    if channels is None or "email" in channels:
        outreach.cancel_unasked(session, repository.addresses_of(session, customer_id), customer_id)
    if channels is None or "phone" in channels:
        calls.withdraw_unasked(session, customer_id)
    outbound.stop_unasked(session, customer_id, channels)
    recall.call_back(session, customer_id, began, pause)
