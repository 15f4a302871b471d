"""CDNOW's text format, in both its forms."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from rapport.connectors import importers
from rapport.customers.models import Customer, ExternalRef
from rapport.kit.database import read_scope
from rapport.shop.models import Order, Product

FULL = """ 00001 19970101  1   11.77
 00002 19970112  1   12.00
 00002 19970112  5   77.00
 00002 19970112  5   77.00
 00003 19970330  2    0.00
 00003 19971332  2   20.76
 00003 1998
"""
SAMPLE = """00004 0001 19970101  2   29.33
00004 0001 19970118  2   29.73
00021 0002 19970101  3   63.34
"""


@pytest.mark.parametrize(("content", "orders", "customers"), [(FULL, 5, 3), (SAMPLE, 3, 2)])
def test_both_forms(engine: Engine, tmp_path: Path, content: str, orders: int, customers: int) -> None:
    path = tmp_path / "cdnow.txt"
    path.write_text(content, "ascii")
    plan = importers.plan("orders", path, currency="USD", source="cdnow")
    assert plan.format == "cdnow"
    assert "CDNOW" in plan.describe()
    for added in (orders, 0):
        report = importers.run(plan, engine)
        assert report.added["orders"] == added
    with read_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(Order)) == orders
        assert session.scalar(select(func.count()).select_from(Customer)) == customers
        assert session.scalar(select(func.count()).select_from(Product)) == 0


def test_what_an_order_holds(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "cdnow.txt"
    path.write_text(FULL, "ascii")
    report = importers.run(importers.plan("orders", path, currency="USD", source="cdnow"), engine)
    assert report.rows == {"not a date": [6], "not a line of four or five numbers": [7]}
    with read_scope(engine) as session:
        orders = session.scalars(select(Order).order_by(Order.id)).all()
        assert [(order.number, order.total_minor) for order in orders] == [
            ("00001-19970101", 1177),
            ("00002-19970112", 1200),
            ("00002-19970112-2", 7700),
            ("00002-19970112-3", 7700),
            ("00003-19970330", 0),
        ]
        assert orders[0].placed_at.date().isoformat() == "1997-01-01"
        assert orders[2].items[0].description == "5 CDs"
        assert session.scalars(select(ExternalRef.value).order_by(ExternalRef.id)).all() == [
            "00001",
            "00002",
            "00003",
        ]
