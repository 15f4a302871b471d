"""Writing a row that may be there already, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from rapport.kit.database import Base


def insert(session: Session, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """The INSERT of the session's database, with its `on_conflict_do_…` methods."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def add_once(session: Session, row: Base) -> bool:
    """Insert a row; False when a unique constraint says that it is there already."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True
