"""How a database answers what it is asked: the statements, and which tables it reads whole for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

# A statement and its parameters.
Asked = tuple[str, Any]


@contextmanager
def statements(engine: Engine) -> Iterator[list[Asked]]:
    """What is asked (not written) while this lasts."""
    asked: list[Asked] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


def plan(engine: Engine, asked: Asked, without: Sequence[str] = ("seqscan",)) -> list[str]:
    """The steps of the plan, a line each, names unquoted.

    With few rows PostgreSQL would rather read them all: of `without` (seqscan, bitmapscan, sort) it uses only
    what it must.
    """
    sqlite = engine.dialect.name == "sqlite"
    statement, parameters = asked
    with engine.connect() as connection:
        for way in () if sqlite else without:
            connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
        rows = connection.exec_driver_sql(explain + statement, parameters).all()
        connection.rollback()
    return [str(row[-1]).replace('"', "") for row in rows]


def read_whole(engine: Engine, asked: Asked, without: Sequence[str] = ("seqscan",)) -> list[str]:
    """Tables of which every row is read to answer, with no index to lead there."""
    steps = [line.strip().removeprefix("->").split() for line in plan(engine, asked, without)]
    if engine.dialect.name == "sqlite":
        # A "CONSTANT ROW" is one made of the parameters.
        return [words[1] for words in steps if words[0] == "SCAN" and not {"CONSTANT", "INDEX"} & set(words)]
    # With "Parallel" before it where the table is large.
    reading = [words[1:] if words[:1] == ["Parallel"] else words for words in steps]
    return [words[3] for words in reading if words[:3] == ["Seq", "Scan", "on"]]
