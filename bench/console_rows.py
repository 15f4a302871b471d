"""Rows of all tables for bench/console.py, and how they get into either database quickly."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from random import Random
from typing import Any

import psycopg
from sqlalchemy import Integer, Table

from rapport.kit.database import Base

LANGUAGES = {"nb": 40, "en": 30, "es": 20, "ro": 10}
STAGES = {"know": 10, "interest": 20, "trust": 70}
SYLLABLES = tuple("kalomiretuvikdorelfagrihemjonorpil"[n : n + 3] for n in range(0, 30, 2))
# The moment at which the bench is: what was made earlier does not grow old.
END = datetime(2026, 9, 15, 11, tzinfo=UTC)
SPAN = timedelta(days=730)
CHUNK = 20_000
Row = dict[str, Any]


class Rows:
    """Rows by table, each with the columns it was given; the others get what the model says. Ids count up."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.of: dict[str, list[Row]] = {}

    def next(self, table: str) -> int:
        """The id the next row will have."""
        return self.ids.get(table, 0) + 1

    def add(self, table: str, **row: Any) -> int:
        """One more row; its id."""
        number = self.ids[table] = self.next(table)
        if _counts(table):
            row.setdefault("id", number)
        self.of.setdefault(table, []).append(row)
        return number

    def take(self) -> Rows:
        """What there is so far; the counting goes on."""
        taken = Rows()
        taken.of, self.of = self.of, {}
        return taken


class Writer:
    """Writes rows through a driver's connection, without the triggers that look at each row: what these would
    do is done at the end, at once (the full-text indexes), or stands in the rows (the sums of points).
    """

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._is_sqlite = isinstance(driver, sqlite3.Connection)
        self._triggers: dict[str, str] = {}
        self._tables: set[str] = set()
        self.count = 0

    def begin(self) -> None:
        if not self._is_sqlite:
            for statement in (
                "SET TIME ZONE 'UTC'",
                "SET session_replication_role = replica",
                "DROP INDEX ix_message_search",
                "DROP INDEX ix_customer_search",
            ):
                self._driver.execute(statement)
            return
        self._driver.execute("PRAGMA foreign_keys = OFF")
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND sql LIKE '%AFTER INSERT%'"
        self._triggers = dict(self._driver.execute(query).fetchall())
        for name in self._triggers:
            self._driver.execute(f"DROP TRIGGER {name}")
        self._driver.execute("BEGIN")

    def write(self, rows: Mapping[str, list[Row]]) -> None:
        for name, some in rows.items():
            if not some:
                continue
            self._tables.add(name)
            self.count += len(some)
            columns = list(some[0])
            fixed = _defaults(name, columns)
            lines = ((*(_plain(row[column]) for column in columns), *fixed.values()) for row in some)
            self._insert(name, ", ".join([*columns, *fixed]), lines)

    def _insert(self, name: str, columns: str, lines: Iterable[tuple[Any, ...]]) -> None:
        if self._is_sqlite:
            marks = ", ".join("?" * len(columns.split(",")))
            self._driver.executemany(f'INSERT INTO "{name}" ({columns}) VALUES ({marks})', lines)
            return
        with (
            self._driver.cursor() as cursor,
            cursor.copy(f'COPY "{name}" ({columns}) FROM STDIN') as copy,
        ):
            for line in lines:
                copy.write_row(line)

    def finish(self, progress: Callable[[str], None]) -> None:
        """Full-text search, and the numbers that are given next."""
        progress("full-text search")
        if self._is_sqlite:
            self._finish_sqlite()
        else:
            self._finish_postgresql()

    def _finish_sqlite(self) -> None:
        for name, trigger in self._triggers.items():
            if name.endswith("_search_add"):
                add = trigger.partition("BEGIN")[2].rpartition(";")[0]
                self._driver.execute(add.replace("WHERE", f"FROM {name[:-11]} AS new WHERE"))
            self._driver.execute(trigger)
        self._driver.execute("COMMIT")
        self._driver.execute("INSERT INTO message_search (message_search) VALUES ('optimize')")
        self._driver.execute("PRAGMA foreign_keys = ON")

    def _finish_postgresql(self) -> None:
        driver: psycopg.Connection[Any] = self._driver
        for name, column in (("message", "text"), ("customer", "name")):
            driver.execute(f"INSERT INTO {name}_search SELECT id, search_words({column}) FROM {name}")
            driver.execute(
                f"CREATE INDEX ix_{name}_search ON {name}_search USING gin (words) WITH (fastupdate = off)"
            )
        for name in self._tables:
            if _counts(name):
                driver.execute(
                    f"SELECT setval(pg_get_serial_sequence('\"{name}\"', 'id'), max(id)) FROM \"{name}\""
                )
        driver.execute("SET session_replication_role = DEFAULT")
        driver.commit()
        driver.autocommit = True
        driver.execute("VACUUM ANALYZE")
        driver.autocommit = False


def chosen(random: Random, weights: Mapping[str, float]) -> str:
    return random.choices([*weights], [*weights.values()])[0]


def rare(random: Random) -> str:
    """A word that few texts hold."""
    return "".join(random.choice(SYLLABLES) for _ in range(random.randrange(2, 5)))


def within(random: Random, begin: datetime, end: datetime) -> datetime:
    return begin + (end - begin) * random.random()


@cache
def _table(name: str) -> Table:
    return Base.metadata.tables[name]


@cache
def _counts(name: str) -> bool:
    """Whether the table's rows have numbers as ids."""
    column = _table(name).columns.get("id")
    return column is not None and isinstance(column.type, Integer)


def _defaults(name: str, given: list[str]) -> dict[str, Any]:
    """What the model puts into the columns that were not given."""
    found: dict[str, Any] = {}
    for column in _table(name).columns:
        default: Any = column.default
        if column.name not in given and default is not None:
            found[column.name] = _plain(default.arg(None) if default.is_callable else default.arg)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value) if isinstance(value, (dict, list)) else value
