"""The list of cases finds its page by an index, however many there are, and sorts nothing."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from rapport.cases import repository
from rapport.cases.repository import Filters
from rapport.kit import clock
from rapport.kit.database import read_scope

INDEXES = {
    "mine": "ix_case_owner_due",
    "unassigned": "ix_case_owner_due",
    "overdue": "ix_case_due",
    "open": "ix_case_due",
    "resolved": "ix_case_resolved",
}


@pytest.mark.parametrize("tab", repository.TABS)
def test_each_tab_reads_its_own_index(engine: Engine, tab: str) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_c: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        asked.append((statement, parameters))

    with read_scope(engine) as session:
        sqlite = engine.dialect.name == "sqlite"
        if not sqlite:  # with hardly a row a planner reads them all
            session.execute(text("SET LOCAL enable_seqscan = off"))
            session.execute(text("SET LOCAL enable_bitmapscan = off"))
        event.listen(engine, "before_cursor_execute", note)
        repository.page(session, tab, 1, clock.now(), Filters(), (clock.now(), 7))
        event.remove(engine, "before_cursor_execute", note)
        explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
        statement, parameters = next(one for one in asked if "substr" in one[0])
        rows = session.connection().exec_driver_sql(explain + statement, parameters).all()
    plan = "\n".join(str(row) for row in rows)
    # Of two that serve, PostgreSQL may take either while it knows nothing of the rows.
    assert INDEXES[tab] in plan or (not sqlite and "ix_case_" in plan)
    assert "TEMP B-TREE" not in plan
    if sqlite:
        assert "SCAN case " not in plan.replace(f"USING INDEX {INDEXES[tab]}", "")
