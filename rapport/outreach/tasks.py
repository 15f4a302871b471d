"""Background work of outreach: sending what is due.

A message is leased, sent without an open transaction, and only then marked. A crash in between means that
what somebody asked for is sent again when the lease runs out, with the same Message-ID. What nobody asked for
is marked as being handed over right before it leaves: a crash before that means it is sent later, a crash
after it that nobody knows, and it is not repeated.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.customers import repository as customers
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.settings import get_settings
from rapport.outreach import last_look, letter, repository, rules
from rapport.outreach.journeys import recall
from rapport.outreach.mail import InDoubtError, Mailer, RefusedError, TryAgainError
from rapport.outreach.models import OutboxMessage
from rapport.outreach.repository import WIPED

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt: the columns that tell it. `gone`: nobody is at this address. `server`: it
    would not have worked with any other mail.
    """

    values: dict[str, object]
    gone: bool = False
    server: bool = False


# Somebody refused it meanwhile, or another worker has it: there is nothing to write down.
CANCELLED = Outcome({})


def send_due(engine: Engine, mailer: Mailer) -> int:
    """Send everything that is due, until the server takes nothing more; returns how many mails were sent."""
    _give_up_doubtful(engine)
    sent = 0
    with mailer.batch() as batch:
        while (claimed := _claim(engine)) is not None:
            outcome = _send(engine, batch, *claimed)
            sent += outcome.values.get("status") == "sent"
            if outcome.server:
                break  # the others would only wear out their attempts; the next look is soon
    return sent


def _send(engine: Engine, mailer: Mailer, message: OutboxMessage, lease_until: datetime) -> Outcome:
    """Try a claimed message and write down what came of it."""
    outcome = _attempt(engine, mailer, message, lease_until)
    if outcome is CANCELLED:
        log.info("Mail %d (%s) was cancelled before it left", message.id, message.purpose)
    elif _note(engine, message, lease_until, outcome):
        told = outcome.values.get("status", "will be tried again")
        log.info("Mail %d (%s): %s", message.id, message.purpose, told)
    return outcome


def _give_up_doubtful(engine: Engine) -> None:
    now = clock.now()
    with read_scope(engine) as session:
        if not repository.something_doubtful(session, now):
            return
    with session_scope(engine) as session:
        repository.give_up_doubtful(session, now, "a worker ended while it was handed over")


def _claim(engine: Engine) -> tuple[OutboxMessage, datetime] | None:
    now = clock.now()
    lease_until = now + rules.LEASE
    with read_scope(engine) as session:  # most of the time there is nothing, and looking takes no write lock
        if not repository.something_due(session, now):
            return None
    with session_scope(engine) as session:
        message = repository.claim(session, now, lease_until)
    return (message, lease_until) if message is not None else None


def _attempt(engine: Engine, mailer: Mailer, message: OutboxMessage, lease_until: datetime) -> Outcome:
    """Try one message."""
    if message.expires_at is not None and message.expires_at <= clock.now():
        return _failed("expired before it could be sent")
    try:
        mail = letter.write(get_settings(), message)
    except letter.NotReadyError as error:
        _warn_once(str(error))
        return _later(message, str(error))
    except ValueError:
        return _failed("recipient or subject cannot stand in a mail, or it cannot be unsubscribed")
    try:
        with mailer.line() as hand_over:
            if not message.asked and (instead := _last_look(engine, message, lease_until)) is not None:
                return instead
            hand_over(mail)
    except RefusedError as error:
        return _failed(str(error), gone=error.gone)
    except InDoubtError as error:
        return _later(message, str(error)) if message.asked else _unknown(str(error))
    except TryAgainError as error:
        return _later(message, str(error), error.server)
    return Outcome({"status": "sent", "sent_at": clock.now(), "last_error": None, **WIPED})


@cache
def _warn_once(why: str) -> None:
    log.warning("Nothing unasked is sent: %s.", why)


def _last_look(engine: Engine, message: OutboxMessage, lease_until: datetime) -> Outcome | None:
    """What becomes of it instead of being sent; None when it may leave, and is marked as leaving."""
    with session_scope(engine) as session:
        decision = last_look.decide(session, message, clock.now())
        if decision.outcome == "send":
            return None if repository.hand_over(session, message.id, lease_until) else CANCELLED
    if decision.outcome == "never" or decision.until is None:
        return _failed(f"not any more: {decision.reason}")
    at = decision.until if message.expires_at is None else min(decision.until, message.expires_at)
    # It was no attempt: the server was not asked.
    return Outcome({"next_attempt_at": at, "last_error": decision.reason, "attempts": message.attempts - 1})


def _note(engine: Engine, message: OutboxMessage, lease_until: datetime, outcome: Outcome) -> bool:
    """Write down what came of it; False when the lease was lost to another worker."""
    with session_scope(engine) as session:
        if outcome.gone and message.address_hash is not None:
            reason = str(outcome.values["last_error"])
            repository.note_trouble(session, message.address_hash, True, reason, clock.now())
        if "status" in outcome.values:
            return repository.release(session, message.id, lease_until, **outcome.values)
        return _put_back(session, message, lease_until, outcome)


def _put_back(session: Session, message: OutboxMessage, lease_until: datetime, outcome: Outcome) -> bool:
    """Queue it again; if it was cancelled meanwhile it never left, and its journey's step was not sent."""
    customer_id = message.customer_id if message.step_id is not None else None
    if customer_id is not None:
        customers.lock_customer(session, customer_id)  # first, as who cancels it does
    noted = repository.put_back(session, message.id, lease_until, **outcome.values)
    if customer_id is not None:
        recall.did_not_leave(session, customer_id, lease_until - rules.LEASE)
    return noted


def _failed(reason: str, gone: bool = False) -> Outcome:
    return Outcome({"status": "failed", "last_error": reason, **WIPED}, gone=gone)


def _unknown(reason: str) -> Outcome:
    return Outcome({"status": "unknown", "last_error": reason, **WIPED})


def _later(message: OutboxMessage, reason: str, server: bool = False) -> Outcome:
    at = rules.next_attempt(message.attempts, clock.now(), message.expires_at)
    if at is None:
        return _failed(reason)
    return Outcome({"next_attempt_at": at, "last_error": reason}, server=server)
