"""Applying the webhooks that were stored, and trying again those that failed."""

from __future__ import annotations

import logging
import traceback
from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.connectors import order_events, reading, repository
from rapport.connectors.models import WebhookDelivery
from rapport.connectors.shops import SHOPS
from rapport.kit import clock
from rapport.kit.database import DATABASE_AWAY, read_scope, session_scope
from rapport.kit.errors import RapportError

log = logging.getLogger(__name__)

BATCH, MOST_BATCHES = 100, 100
# A failure may mend itself, as when points come in that an order was paid with. After the last it waits for a
# person: `rapport webhooks retry`.
TRY_AGAIN_AFTER = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720))
LONGEST_REASON = 300
# As long as a shop might send the same delivery again.
DONE_KEPT = timedelta(days=30)


def apply_due(engine: Engine) -> str:
    """Apply what is due: what a crash left undone, and what failed before."""
    done = 0
    for _ in range(MOST_BATCHES):
        with read_scope(engine) as session:
            due = repository.due_deliveries(session, clock.now(), BATCH)
        for delivery_id in due:
            try:
                apply_delivery(engine, delivery_id)
            except DATABASE_AWAY:
                _put_off(engine, delivery_id)
        done += len(due)
        if len(due) < BATCH:
            break
    return f"{done} deliveries"


def apply_delivery(engine: Engine, delivery_id: int) -> None:
    """Apply one delivery, whole or not at all. A failure is kept with its reason."""
    with session_scope(engine) as session:
        delivery = repository.take_delivery(session, delivery_id)
        if delivery is None:  # somebody else did it
            return
        try:
            with session.begin_nested():
                applied = _apply(session, delivery)
        except RapportError as error:
            _failed(delivery, str(error))
        except DATABASE_AWAY:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the delivery must not be lost
            # The exception's own text may quote a row.
            trace = "".join(traceback.format_tb(error.__traceback__))
            log.error("Webhook %s: %s\n%s", delivery_id, type(error).__name__, trace)
            _failed(delivery, f"an error of ours: {type(error).__name__}")
        else:
            delivery.status = "applied" if applied else "ignored"
            delivery.reason = None if applied else "nothing about an order"
            delivery.body = delivery.next_try_at = None
            delivery.done_at = clock.now()
            delivery.tries += 1


def _put_off(engine: Engine, delivery_id: int) -> None:
    """Count a try that the database broke off, as to end a deadlock, so that it does not block all others.

    When the database is away, this fails, too: then nothing can be done before it is back.
    """
    with session_scope(engine) as session:
        delivery = repository.take_delivery(session, delivery_id)
        if delivery is not None:
            _failed(delivery, "the database broke it off")


def forget(engine: Engine) -> str:
    """Drop what was applied long ago; what failed stays."""
    with session_scope(engine) as session:
        return f"{repository.delete_done(session, clock.now() - DONE_KEPT)} old deliveries"


def _apply(session: Session, delivery: WebhookDelivery) -> int:
    payload = reading.parse(delivery.body or b"")
    events = SHOPS[delivery.source].events(delivery.topic, payload, delivery.received_at)
    for event in events:
        order_events.apply(session, event, same_id_is_same=True)
    return len(events)


def _failed(delivery: WebhookDelivery, reason: str) -> None:
    delivery.status = "failed"
    delivery.reason = reason[:LONGEST_REASON]
    again = TRY_AGAIN_AFTER[delivery.tries : delivery.tries + 1]
    delivery.next_try_at = clock.now() + again[0] if again else None
    delivery.tries += 1
    log.warning("Webhook %s of %s failed: see `rapport webhooks list`", delivery.id, delivery.source)
