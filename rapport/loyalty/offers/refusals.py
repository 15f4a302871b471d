"""What was refused is written down too, although the refusal undoes all else.

The error that says no rolls the caller's transaction back, and a check is asked in one that only reads. So
the note waits until the caller's transaction has ended, whichever way, and then gets one of its own. A note
about a code nobody issued holds neither the code nor whose it is.
"""

from __future__ import annotations

import logging
from typing import Any, NoReturn

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from rapport.loyalty.offers import repository
from rapport.loyalty.offers.rules import CouponError, Refusal

log = logging.getLogger(__name__)

NOTES = "coupon_notes"


def refuse(session: Session, reason: Refusal, action: str, values: dict[str, Any]) -> NoReturn:
    """Raise CouponError and see to it that the log says so."""
    note(session, {"kind": "refused", "action": action, "reason": reason.value, **values})
    raise CouponError(reason)


def note(session: Session, values: dict[str, Any]) -> None:
    """Append an event once the caller's transaction has ended."""
    if NOTES not in session.info:
        session.info[NOTES] = []
        event.listen(session, "after_transaction_end", _write)
    session.info[NOTES].append(values)


def _write(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is not None or not session.info[NOTES]:
        return  # the end of a savepoint, and the transaction around it goes on; or nothing to write
    notes, session.info[NOTES] = session.info[NOTES], []
    try:
        engine = session.get_bind().engine.execution_options(read_only=False)
        with Session(engine) as own, own.begin():
            for values in notes:
                repository.add_event(own, values)
    except Exception as error:  # noqa: BLE001 - the caller's own error or result must come through
        log.error("%s coupon events could not be stored: %s", len(notes), type(error).__name__)
