"""Background work: valuing all customers, every night."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine

from rapport.value.service import Run, recompute


def run(engine: Engine, now: datetime | None = None) -> Run:
    """Value every customer as of `now`; again changes nothing but for the time gone by.

    Opens its own sessions, short ones for writing, so that nobody waits for it.
    """
    return recompute(engine, now=now)
