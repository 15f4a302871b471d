"""The audit log is found by indexes whatever is asked of it: it grows with every look at a customer."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, insert, text
from sqlalchemy.orm import Session

from rapport.kit.database import read_scope, session_scope
from rapport.staff import audit, service
from rapport.staff.audit import Filter
from rapport.staff.models import AuditEvent
from tests.plans import plan, read_whole, statements

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


@pytest.mark.parametrize("name", LOOKUPS)
def test_look_ups_use_indexes(filled: Engine, name: str) -> None:
    sqlite = filled.dialect.name == "sqlite"
    with read_scope(filled) as session, statements(filled) as asked:
        LOOKUPS[name](session)
    assert asked
    # With so few rows PostgreSQL may well sort them: whether it need not is asked.
    without = ("seqscan", "bitmapscan", "sort")
    for one in asked:
        # The newest by their ids are read through SQLite's primary key, from its end.
        if not (sqlite and name == "everything"):
            assert "audit_event" not in read_whole(filled, one, without), one[0]
        # Sorting is what takes long where many rows are found. (Of one moment it sorts its few.)
        steps = "\n".join(plan(filled, one, without))
        assert not re.search(r"TEMP B-TREE|^\s*(->\s*)?Sort\b", steps, re.MULTILINE), steps


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
