"""The list of cases finds its page by an index, however many there are, and sorts nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from rapport.cases import repository
from rapport.cases.repository import Filters
from rapport.kit import clock
from rapport.kit.database import read_scope
from tests.plans import plan, read_whole, statements

INDEXES = {
    "mine": "ix_case_owner_due",
    "unassigned": "ix_case_owner_due",
    "overdue": "ix_case_due",
    "open": "ix_case_due",
    "resolved": "ix_case_resolved",
}


@pytest.mark.parametrize("tab", repository.TABS)
def test_each_tab_reads_its_own_index(engine: Engine, tab: str) -> None:
    with read_scope(engine) as session, statements(engine) as asked:
        repository.page(session, tab, 1, clock.now(), Filters(), (clock.now(), 7))
    one = next(one for one in asked if "substr" in one[0])
    steps = plan(engine, one, without=("seqscan", "bitmapscan"))
    # Of two that serve, PostgreSQL may take either while it knows nothing of the rows.
    mine = INDEXES[tab] if engine.dialect.name == "sqlite" else "ix_case_"
    assert any(mine in step for step in steps), steps
    assert not any("TEMP B-TREE" in step for step in steps)
    assert "case" not in read_whole(engine, one, without=("seqscan", "bitmapscan"))
