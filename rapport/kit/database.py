"""The database: engine, sessions, column types. No business words.

SQLite is the embedded default (WAL, foreign keys on, BEGIN IMMEDIATE for writes);
PostgreSQL is one setting away.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, DateTime, Dialect, Engine, MetaData, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import get_settings

BUSY_TIMEOUT_SECONDS = 15
SAMPLE_ROWS = 1000
# The database cannot be reached or is too busy; the same may work later.
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeoutError)


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware UTC time on both databases (SQLite itself knows no zones)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("times must be timezone-aware")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Base of all tables; constraint names are fixed so that migrations can name them."""

    type_annotation_map = {datetime: UtcDateTime}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def make_engine(url: str) -> Engine:
    """An engine for `url` with the house's connection settings.

    Raises ConfigurationError for what is no address of a database, or a file that cannot be made.
    """
    try:
        return _make_engine(url)
    except (ArgumentError, ImportError, OSError) as error:
        raise ConfigurationError(f"RAPPORT_DATABASE_URL leads to no database: {error}.") from error


def _make_engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, hide_parameters=True, pool_pre_ping=True, pool_size=10, max_overflow=20)
    path = make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS},
        hide_parameters=True,
        pool_size=10,
        max_overflow=20,
    )

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        # The driver must not open transactions by itself: `_begin` decides how they start.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    _begin_transactions(engine)
    return engine


def _begin_transactions(engine: Engine) -> None:
    """How transactions on SQLite start, and how the threads of this process take turns to write.

    SQLite has one writer at a time, and a connection that finds it busy sleeps for longer and longer spells.
    So writers queue up for a lock of ours first; what other processes do is left to SQLite.
    """
    lock = threading.Lock()

    def release(info: dict[Any, Any]) -> None:
        if info.pop("writing", False):
            lock.release()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A deferred transaction that turns into a write can fail with SQLITE_BUSY at once;
        # IMMEDIATE waits its turn instead. Read-only sessions ask for DEFERRED.
        if connection.get_execution_options().get("read_only", False):
            connection.exec_driver_sql("BEGIN DEFERRED")
            return
        connection.info["writing"] = lock.acquire(timeout=BUSY_TIMEOUT_SECONDS)
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except BaseException:
            release(connection.info)
            raise

    @event.listens_for(engine, "commit")
    @event.listens_for(engine, "rollback")
    def _end(connection: Connection) -> None:
        release(connection.info)

    @event.listens_for(engine, "reset")
    def _returned(_connection: Any, record: ConnectionPoolEntry, _state: Any) -> None:
        release(record.info)


@cache
def get_engine() -> Engine:
    """The process's engine."""
    return make_engine(get_settings().database_url)


@cache
def _writing(engine: Engine) -> sessionmaker[Session]:
    return sessionmaker(engine, expire_on_commit=False)


@cache
def _reading(engine: Engine) -> sessionmaker[Session]:
    return sessionmaker(engine.execution_options(read_only=True), expire_on_commit=False)


@contextmanager
def session_scope(engine: Engine | None = None) -> Iterator[Session]:
    """A session that commits when the block ends and rolls back when it raises.

    Only a request, an action, a task or a command opens one; services take the session they are given.
    """
    with _writing(engine or get_engine())() as session:
        yield session
        session.commit()


@contextmanager
def read_scope(engine: Engine | None = None) -> Iterator[Session]:
    """A session for reading only: takes no write lock on SQLite, never commits."""
    with _reading(engine or get_engine())() as session:
        yield session
        session.rollback()


def learn_sizes(engine: Engine) -> str:
    """Lets SQLite look at samples of its tables, so that it takes the right index for each question: without
    that some pages of a large shop take seconds. PostgreSQL does so by itself.
    """
    if engine.dialect.name != "sqlite":
        return "the database does so by itself"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA analysis_limit = {SAMPLE_ROWS}")
        connection.exec_driver_sql("ANALYZE")
    return "done"
