"""The audit log is found by indexes whatever is asked of it: it grows with every look at a customer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, event, insert, text
from sqlalchemy.orm import Session

from rapport.kit.database import read_scope, session_scope
from rapport.staff import audit, service
from rapport.staff.audit import Filter
from rapport.staff.models import AuditEvent

START = datetime(2026, 5, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAYS = {"since": START + 100 * MINUTE, "until": START + 200 * MINUTE}

LOOKUPS: dict[str, Callable[[Session], object]] = {
    "everything": lambda session: audit.page(session, Filter()),
    "the next page": lambda session: audit.page(session, Filter(), before=500),
    "the page before": lambda session: audit.newer(session, Filter(), after=500),
    "a person": lambda session: audit.page(session, Filter(staff_id=1)),
    "nobody": lambda session: audit.page(session, Filter(staff_id=audit.NOBODY), before=500),
    "an action": lambda session: audit.page(session, Filter(action="rare"), before=500),
    "a person's action": lambda session: audit.page(session, Filter(staff_id=1, action="rare")),
    "a kind": lambda session: audit.page(session, Filter(subject="settings")),
    "one subject": lambda session: audit.page(session, Filter(subject="customer", subject_id="7")),
    "days": lambda session: audit.page(session, Filter(**DAYS)),
    "a person's days": lambda session: audit.page(session, Filter(staff_id=1, **DAYS)),
    "actions": lambda session: audit.actions(session),
    "kinds": lambda session: audit.subjects(session),
}


@pytest.fixture(scope="module")
def filled(shared_engine: Engine) -> Engine:
    with session_scope(shared_engine) as session:
        staff = service.create(session, "ann@fjordly.example", "Ann", "agent").id
        session.execute(
            insert(AuditEvent),
            [
                {
                    "at": START + number * MINUTE,
                    "staff_id": staff if number % 3 else None,
                    "action": "rare" if number % 500 == 0 else "look",
                    "subject": "settings" if number % 500 == 0 else "customer",
                    "subject_id": str(number % 50),
                    "details": {},
                }
                for number in range(3000)
            ],
        )
    with session_scope(shared_engine) as session:
        session.execute(text("ANALYZE"))
    return shared_engine


@contextmanager
def _seen(engine: Engine) -> Iterator[list[tuple[str, object]]]:
    statements: list[tuple[str, object]] = []

    def note(
        _connection: Connection, _cursor: object, statement: str, parameters: object, *_rest: object
    ) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            statements.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("name", LOOKUPS)
def test_look_ups_use_indexes(filled: Engine, name: str) -> None:
    sqlite = filled.dialect.name == "sqlite"
    with read_scope(filled) as session, _seen(filled) as statements:
        LOOKUPS[name](session)
    assert statements
    whole = r"SCAN audit_event$" if sqlite else "Seq Scan on audit_event"
    # The newest by their ids are read through the primary key, from its end.
    by_id = name in {"everything"}
    with filled.connect() as connection:
        if not sqlite:
            # With so few rows it may well sort them: whether it need not is asked.
            for way in ("seqscan", "bitmapscan", "sort"):
                connection.exec_driver_sql(f"SET enable_{way} = off")
        for statement, parameters in statements:
            explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
            rows = connection.exec_driver_sql(explain + statement, parameters)  # type: ignore[arg-type]
            plan = "\n".join(str(row[-1]) for row in rows).replace('"', "")
            if not (sqlite and by_id):
                assert not re.search(whole, plan, re.MULTILINE), plan
            # Sorting is what takes long where many rows are found. (Of one moment it sorts its few.)
            assert not re.search(r"TEMP B-TREE|^\s*(->\s*)?Sort\b", plan, re.MULTILINE), plan
        connection.rollback()


def test_every_action_and_kind_is_found(filled: Engine) -> None:
    with read_scope(filled) as session:
        assert audit.actions(session) == ["look", "rare"]
        assert audit.subjects(session) == ["customer", "settings"]


def test_events_whose_ids_and_times_crossed_are_found(filled: Engine) -> None:
    """Two at once: the one with the lower id may bear the later time."""
    with session_scope(filled) as session:
        late, early = START + timedelta(days=30, seconds=5), START + timedelta(days=30)
        for at in (late, early):
            session.add(AuditEvent(at=at, action="crossed", details={}))
            session.flush()
    with read_scope(filled) as session:
        one = Filter(action="crossed", since=late)
        assert [found.at for found in audit.page(session, one)] == [late]
        one = Filter(action="crossed", until=late)
        assert [found.at for found in audit.page(session, one)] == [early]
