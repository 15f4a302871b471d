"""INSERT … ON CONFLICT, which SQLite and PostgreSQL write alike and SQLAlchemy keeps in two places."""

from __future__ import annotations

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from rapport.kit.database import Base


def insert(session: Session, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """The INSERT of the session's database, with its `on_conflict_do_…` methods."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
