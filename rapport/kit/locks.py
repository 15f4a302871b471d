"""Doing one thing at a time under a name, also before there is a row to lock."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session


def one_at_a_time(session: Session, *names: str) -> None:
    """Wait until no other session works under any of these names; they are let go when this one ends.

    (On SQLite the session's write transaction does that already.)
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    for name in sorted(set(names)):  # always in the same order, so that two never wait for each other
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})
