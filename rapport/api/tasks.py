"""Forgetting answers that nobody will ask for again."""

from __future__ import annotations

from sqlalchemy import Engine

from rapport.api import repository, rules
from rapport.kit import clock
from rapport.kit.database import session_scope

BATCH = 1000


def forget(engine: Engine) -> str:
    """Drop stored answers after their time, a batch in a transaction."""
    count = 0
    while True:
        with session_scope(engine) as session:
            gone = repository.delete_answers(session, clock.now() - rules.ANSWERS_KEPT, BATCH)
        count += gone
        if gone < BATCH:
            return f"{count} stored answers"
