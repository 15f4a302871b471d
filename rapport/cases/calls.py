"""Calls that a journey asked for: nobody makes them once the customer wants none."""

from __future__ import annotations

from sqlalchemy.orm import Session

from rapport.cases import repository
from rapport.kit import clock

# How the keys of such cases begin (outreach/journeys/delivery.py).
UNASKED = "journey:"
OUTCOME = "withdrawn"


def withdraw_unasked(session: Session, customer_id: int) -> None:
    """End the customer's open call-backs that they did not ask for themselves."""
    for case_id in repository.open_calls(session, customer_id, UNASKED):
        case = repository.lock(session, case_id)
        if case is None or case.resolved_at is not None:
            continue
        case.status, case.outcome, case.resolved_at = "resolved", OUTCOME, clock.now()
        case.version += 1
        session.flush()
        repository.add_event(session, case, "resolved", None, outcome=OUTCOME, ways=[])
