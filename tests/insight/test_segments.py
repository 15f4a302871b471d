"""Segments over time: sizes, and moves that are counted once."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, select

from rapport.customers.models import Customer
from rapport.insight import segments
from rapport.insight.figures import results
from rapport.insight.figures.common import Spans
from rapport.insight.rules import Period
from rapport.kit.database import read_scope, session_scope
from rapport.value.models import CustomerValue

DAY = date(2026, 5, 4)
COUNTED = ("orders", "buying_days", "revenue_minor", "costed_minor", "margin_minor")


def put(engine: Engine, *now: str | None) -> None:
    """The segments of the customers, in the order of their ids."""
    with session_scope(engine) as session:
        values = list(session.scalars(select(CustomerValue).order_by(CustomerValue.customer_id)))
        for place, segment in enumerate(now):
            if place < len(values):
                values[place].segment = segment
                continue
            customer = Customer(language="en")
            session.add(customer)
            session.flush()
            row = CustomerValue(customer_id=customer.id, segment=segment, **dict.fromkeys(COUNTED, 1))
            session.add(row)


def found(
    engine: Engine, first: int, last: int
) -> tuple[list[dict[str, int] | None], dict[tuple[str, str], int]]:
    """The sizes by day, and the moves."""
    period = Period(DAY + timedelta(days=first), DAY + timedelta(days=last))
    spans = Spans.of(period, [Period(day, day) for day in period.all_days()], "Europe/Oslo")
    with read_scope(engine) as session:
        return results.segment_sizes(session, spans), results.segment_moves(session, period)


def test_sizes_and_moves(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "BATCH", 2)
    assert segments.count(engine, DAY) == 0
    put(engine, "new", "new", "loyal", None)
    assert segments.count(engine, DAY) == 3
    assert segments.count(engine, DAY) == 0, "counted once"
    put(engine, "loyal", "loyal", "new", "new")
    assert segments.count(engine, DAY + timedelta(days=1)) == 4
    put(engine, "loyal", "loyal", None, "new", "loyal")
    segments.count(engine, DAY + timedelta(days=1))
    sizes, moves = found(engine, 0, 1)
    assert sizes == [{"new": 2, "loyal": 1}, {"loyal": 3, "new": 1}]
    assert moves == {
        ("", "new"): 3,
        ("", "loyal"): 2,
        ("new", "loyal"): 2,
        ("loyal", "new"): 1,
        ("new", ""): 1,
    }
    assert found(engine, 2, 3) == ([None, None], {})
