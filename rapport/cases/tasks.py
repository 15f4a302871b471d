"""Background work on cases: those that waited for a customer who has written do not wait any more."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.cases import repository, service

BATCH = 200


def run(session: Session, _now: datetime) -> Counter[str]:
    """What was done: how many were `heard`, and `more` when there is more to do."""
    found = repository.heard_while_waiting(session, BATCH)
    for case_id in found:
        service.heard(session, case_id)
    return +Counter(heard=len(found), more=int(len(found) == BATCH))
