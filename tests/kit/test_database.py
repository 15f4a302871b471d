"""SQLite's writers take turns, and nobody keeps the turn."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from rapport.kit import database
from rapport.kit.database import learn_sizes, make_engine, read_scope, session_scope


def test_many_writers_do_not_wait_long(sqlite_engine: Engine) -> None:
    with session_scope(sqlite_engine) as session:
        session.execute(text("CREATE TABLE counter (n INTEGER)"))
        session.execute(text("INSERT INTO counter VALUES (0)"))
    longest: list[float] = []

    def count() -> None:
        for _ in range(25):
            started = time.monotonic()
            with session_scope(sqlite_engine) as session:
                session.execute(text("UPDATE counter SET n = n + 1"))
            longest.append(time.monotonic() - started)

    threads = [threading.Thread(target=count) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with read_scope(sqlite_engine) as session:
        assert session.execute(text("SELECT n FROM counter")).scalar_one() == 500
    assert max(longest) < 3


def test_the_turn_is_given_back_whatever_happens(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.2)
    with pytest.raises(ZeroDivisionError), session_scope(sqlite_engine) as session:
        session.execute(text("SELECT 1"))
        raise ZeroDivisionError
    connection = sqlite_engine.connect()
    connection.execute(text("SELECT 1"))
    connection.close()
    forgotten = sqlite_engine.connect()
    forgotten.execute(text("SELECT 1"))
    forgotten.detach()
    forgotten.close()
    # Another process holds the database.
    other = make_engine(str(sqlite_engine.url))
    blocker = other.connect()
    blocker.execute(text("SELECT 1"))
    impatient = make_engine(str(sqlite_engine.url))
    with pytest.raises(OperationalError), session_scope(impatient) as session:
        session.execute(text("SELECT 1"))
    blocker.close()
    started = time.monotonic()
    for engine in (sqlite_engine, impatient):
        with session_scope(engine) as session:
            session.execute(text("SELECT 1"))
    assert time.monotonic() - started < 0.2
    other.dispose()
    impatient.dispose()


def test_readers_do_not_wait_for_the_writer(sqlite_engine: Engine) -> None:
    with session_scope(sqlite_engine) as writer:
        writer.execute(text("CREATE TABLE t (n INTEGER)"))
        started = time.monotonic()
        with read_scope(sqlite_engine) as reader:
            reader.execute(text("SELECT 1"))
        assert time.monotonic() - started < 1


def test_the_database_learns_how_full_its_tables_are(engine: Engine) -> None:
    told = learn_sizes(engine)
    if engine.dialect.name == "sqlite":
        assert told == "done"
        with engine.connect() as connection:
            known = connection.exec_driver_sql("SELECT stat FROM sqlite_stat1 WHERE tbl = 'alembic_version'")
            assert known.scalar() == "1 1"
