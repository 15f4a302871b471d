"""The database, for a command."""

from __future__ import annotations

from sqlalchemy import Engine

from rapport import migrations
from rapport.kit.database import get_engine


def ready_engine() -> Engine:
    """The process's engine, its database made or brought to the newest version."""
    engine = get_engine()
    migrations.upgrade(engine)
    return engine
