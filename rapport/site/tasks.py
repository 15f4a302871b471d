"""Looking who waits for something that is back, and forgetting what is old."""

from __future__ import annotations

from sqlalchemy import Engine

from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.site import repository, rules, service

BATCH = 1000


def see_stock(engine: Engine) -> str:
    """Find wishes that were confirmed, and those whose product is in stock again."""
    now = clock.now()
    with session_scope(engine) as session:
        confirmed = service.claim(session)
        repository.see_sold_out(session)
        back = repository.fulfil(session, now)
    return f"{back} wishes fulfilled, {confirmed} confirmed"


def forget(engine: Engine) -> str:
    """Drop what is older than it may get, a batch in a transaction."""
    now = clock.now()
    with session_scope(engine) as session:
        service.claim(session)  # not the wish somebody has just confirmed
        wishes = repository.delete_wishes(
            session, now - rules.FULFILLED_KEPT, now - rules.WISH_KEPT, now - rules.CONFIRMED_WITHIN
        )
    events = 0
    while True:
        with session_scope(engine) as session:
            gone = repository.delete_old_events(
                session, now - rules.KEPT_ANONYMOUS, now - rules.KEPT_KNOWN, BATCH
            )
        events += gone
        if gone < BATCH:
            break
    visitors = 0
    while True:
        with session_scope(engine) as session:
            gone = repository.delete_old_visitors(session, now - rules.KEPT_ANONYMOUS, BATCH)
        visitors += gone
        if gone < BATCH:
            return f"{events} events, {visitors} visitors, {wishes} wishes"
