"""Importing order lines: what is taken, what is not, and that a second time changes nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from rapport.connectors import importers
from rapport.connectors.orders import OrderWriter
from rapport.connectors.report import Report
from rapport.customers.models import ConsentEvent, Customer, ExternalRef, Identity
from rapport.kit.database import read_scope, session_scope
from rapport.loyalty.points.models import Transaction
from rapport.shop.models import ImportRun, Order, OrderItem, Product, ProductText, Refund

FILE = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE LANTERN,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536365,71053,"METAL ""LAMP"", BIG",2,2010-12-01 08:26:00,3.39,17850.0,United Kingdom
536365,85123A,WHITE LANTERN,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536366,POST,POSTAGE,1,2010-12-01 09:00:00,18.0,12583.0,France
536366,22728,ALARM CLOCK,24,2010-12-01 09:00:00,3.75,12583.0,France
C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,17850.0,United Kingdom
C536380,22728,ALARM CLOCK,-2,2010-12-01 09:45:00,3.75,,France
C536380,22728,ALARM CLOCK,-2,2010-12-01 09:45:00,3.75,,France
536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom
536415,22139,RETRO TEA SET,1,2010-12-01 11:53:00,0.0,17850.0,United Kingdom
536544,21773,DECORATIVE ROSE,1,2010-12-01 14:32:00,2.51,,United Kingdom
536544,21774,DECORATIVE CAT,1,2010-12-01 14:32:00,2.51,nan,United Kingdom
A563185,B,Adjust bad debt,1,2010-12-01 14:50:00,-11062.06,,United Kingdom
536589,21777,RECIPE BOX,-10,2010-12-01 16:50:00,7.95,17850.0,United Kingdom
536590,21777,RECIPE BOX,1,not a day,7.95,17850.0,United Kingdom
536590,21777,RECIPE BOX,1.5,2010-12-01 16:50:00,7.95,17850.0,United Kingdom
536590,21777,RECIPE BOX,1,2010-12-01 16:50:00,cheap,17850.0,United Kingdom
,21777,RECIPE BOX,1,2010-12-01 16:50:00,7.95,17850.0,United Kingdom
536590,21777,too few
536590,21777,RECIPE BOX,0,2010-12-01 16:50:00,7.95,17850.0,United Kingdom
536366,21777,RECIPE BOX,1,2010-12-01 09:01:00,7.95,12583.0,France
"""
TAKEN, ADDED_ITEMS, ORDERS, REFUNDS = 11, 8, 4, 3


def _import(engine: Engine, path: Path, **options: str) -> Report:
    return importers.run(importers.plan("orders", path, currency="GBP", **options), engine)  # type: ignore[arg-type]


def _state(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the tables an import writes to, but the notes about its runs."""
    with read_scope(engine) as session:
        return {
            table.__tablename__: sorted(
                (tuple(row) for row in session.execute(select(*table.__table__.columns))), key=str
            )
            for table in (Customer, ExternalRef, Identity, Product, ProductText, Order, OrderItem, Refund)
        }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "day.csv"
    path.write_text(FILE, "utf-8")
    return path


def test_what_is_taken_and_why_not(engine: Engine, path: Path) -> None:
    report = _import(engine, path)
    assert (report.read, report.taken) == (21, TAKEN)
    assert (
        dict(report.skipped)
        == {
            "repeats another row of its invoice": 2,
            "price is zero and no customer (a correction of the stock)": 1,
            "price below zero (bookkeeping)": 1,
            "date: not a date": 1,
            "quantity: not a whole number": 1,
            "price: not a number": 1,
            "no order number": 1,
            "quantity is zero": 1,
            "not readable as a row of this file (columns or quotes)": 1,
        }
        | {}
    )
    assert report.rows["repeats another row of its invoice"] == [4, 9]
    assert report.rows["date: not a date"] == [16]
    assert {kind: count for kind, count in report.added.items() if count} == {
        "customers": 2,
        "products": 7,
        "orders": ORDERS,
        "order lines": ADDED_ITEMS,
        "refunds": REFUNDS,
    }
    assert any("day.csv: 21 rows read, 11 taken, 10 skipped" in line for line in report.lines())


def test_what_is_in_the_database(engine: Engine, path: Path) -> None:
    _import(engine, path)
    with read_scope(engine) as session:
        orders = {order.number: order for order in session.scalars(select(Order))}
        assert sorted(orders) == ["536365", "536366", "536415", "536544"]
        assert orders["536365"].total_minor == 6 * 255 + 2 * 339
        assert orders["536366"].total_minor == 1800 + 24 * 375 + 795
        assert orders["536544"].customer_id is None
        assert [item.line for item in orders["536366"].items] == [1, 2, 3]
        assert orders["536366"].items[0].product_id is None
        assert orders["536365"].currency == "GBP"
        assert orders["536365"].placed_at.isoformat() == "2010-12-01T07:26:00+00:00"
        customer = session.scalars(
            select(Customer)
            .join(ExternalRef)
            .where(ExternalRef.value == "17850", ExternalRef.system == "import")
        ).one()
        assert (customer.country, customer.stage) == ("GB", "trust")
        assert orders["536365"].customer_id == customer.id
        refunds = {refund.reference.split(":")[0]: refund for refund in session.scalars(select(Refund))}
        assert refunds["C536379"].amount_minor == 2750
        assert refunds["C536379"].customer_id == customer.id
        assert refunds["C536380"].customer_id is None
        assert refunds["C536380"].amount_minor == 750
        assert refunds["536589"].amount_minor == 7950
        assert all(refund.order_id is None for refund in refunds.values())
        names = {
            row[0]: row[1] for row in session.execute(select(Product.sku, ProductText.name).join(ProductText))
        }
        assert names["71053"] == 'METAL "LAMP", BIG'
        assert "POST" not in names
        assert session.scalar(select(func.count()).select_from(ConsentEvent)) == 0
        assert session.scalar(select(func.count()).select_from(Transaction)) == 0
        assert session.scalars(select(ImportRun.file_name)).all() == ["day.csv"]


def test_again_changes_nothing(engine: Engine, path: Path) -> None:
    _import(engine, path)
    before = _state(engine)
    report = _import(engine, path)
    assert report.taken == 0
    assert report.skipped["there already"] == TAKEN + 2
    assert not +report.added
    assert _state(engine) == before


def test_another_source_is_another_shop(engine: Engine, path: Path) -> None:
    _import(engine, path)
    report = _import(engine, path, source="other")
    assert report.added["orders"] == ORDERS
    assert report.added["customers"] == 2
    assert report.added["products"] == 0


def test_a_negative_quantity_belongs_to_its_order(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text("order,date,sku,quantity,price\n7,2024-01-02,A,3,10\n7,2024-01-05,A,-1,10\n", "utf-8")
    _import(engine, path)
    with read_scope(engine) as session:
        order = session.scalars(select(Order)).one()
        assert (order.total_minor, order.refunds[0].amount_minor) == (3000, 1000)


def test_rows_of_an_order_may_stand_anywhere(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small chunks, shuffled rows: the sums are those of the file in order and in one piece."""
    rows = [
        f"{order},2024-03-{1 + order % 28:02d},S{item},Thing,{1 + (order + item) % 5},{item}.50,{order % 7}"
        for order in range(1, 41)
        for item in range(1, 9)
    ]
    rows += rows[:20]
    random.Random(3).shuffle(rows)
    path = tmp_path / "file.csv"
    path.write_text("\n".join(["order,date,sku,description,quantity,price,customer", *rows]), "utf-8")
    monkeypatch.setattr(OrderWriter, "chunk", 17)
    report = _import(engine, path)
    assert (report.taken, report.skipped["repeats another row of its invoice"]) == (320, 20)
    with read_scope(engine) as session:
        totals = {row[0]: row[1] for row in session.execute(select(Order.number, Order.total_minor))}
        assert totals == {
            str(order): sum((1 + (order + item) % 5) * (item * 100 + 50) for item in range(1, 9))
            for order in range(1, 41)
        }
        lines = session.execute(
            select(OrderItem.order_id, func.count(), func.max(OrderItem.line)).group_by("order_id")
        )
        assert all((count, last) == (8, 8) for _, count, last in lines)
        assert session.scalar(select(func.count()).select_from(Customer)) == 7
    before = _state(engine)
    _import(engine, path)
    assert _state(engine) == before


def test_an_interrupted_run_is_completed_by_the_next(
    engine: Engine, path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(OrderWriter, "chunk", 2)
    write, calls = OrderWriter.write, 0

    def fail_in_the_middle(self: OrderWriter, *arguments: object) -> None:
        nonlocal calls
        calls += 1
        write(self, *arguments)  # type: ignore[arg-type]
        if calls == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(OrderWriter, "write", fail_in_the_middle)
    with pytest.raises(KeyboardInterrupt):
        _import(engine, path)
    monkeypatch.setattr(OrderWriter, "write", write)
    with read_scope(engine) as session:
        # The third chunk was rolled back as a whole.
        assert session.scalar(select(func.count()).select_from(OrderItem)) == 3
    _import(engine, path)
    with read_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(OrderItem)) == ADDED_ITEMS
        assert session.scalar(select(func.sum(Order.total_minor))) == session.scalar(
            select(func.sum(OrderItem.quantity * OrderItem.unit_price_minor))
        )


def test_a_dry_run_writes_nothing(engine: Engine, path: Path) -> None:
    before = _state(engine)
    plan = importers.plan("orders", path, currency="GBP")
    seen: list[tuple[int, int]] = []
    report = importers.run(plan, engine, lambda done, total: seen.append((done, total)), dry_run=True)
    assert report.taken == TAKEN + 2
    assert _state(engine) == before
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)
    assert any("dry run" in line for line in report.lines())


def test_norwegian_file_in_cp1252(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "ordre.csv"
    path.write_text(
        "Ordrenr;Dato;Varenr;Varenavn;Antall;Pris;Kundenr;E-post;Land\n"
        "1001;31.12.2024 23:30;T1;Fjelltelt 'Blåne';1;kr 4 990,00;77;Kari@Example.com;Norge\n"
        "1001;31.12.2024 23:30;S2;Sovepose;2;1.290,50;77;kari@example.com;Norge\n"
        "1002;01.01.2025;T1;Fjelltelt 'Blåne';1;4990;;not an address;Norge\n",
        "cp1252",
    )
    plan = importers.plan("orders", path)
    assert (plan.currency, plan.decimal, plan.date_order, plan.delimiter) == ("NOK", ",", "dmy", ";")
    report = importers.run(plan, engine)
    assert report.taken == 3
    assert report.noted == {"e-mail address not valid, left out": 1}
    with read_scope(engine) as session:
        assert session.scalars(select(Order.total_minor).order_by(Order.number)).all() == [757100, 499000]
        assert session.scalars(select(Identity.value)).all() == ["kari@example.com"]
        assert (
            session.scalars(select(ProductText.name).order_by(ProductText.name)).first()
            == "Fjelltelt 'Blåne'"
        )


def test_a_known_address_is_the_same_customer(engine: Engine, tmp_path: Path) -> None:
    with session_scope(engine) as session:
        kari = Customer(
            name="Kari", stage="know", identities=[Identity(kind="email", value="kari@example.com")]
        )
        session.add(kari)
    path = tmp_path / "file.csv"
    path.write_text("order,date,sku,price,email\n1,2024-01-02,A,3,KARI@example.com\n", "utf-8")
    report = _import(engine, path)
    assert report.added["customers"] == 0
    with read_scope(engine) as session:
        customer = session.scalars(select(Customer)).one()
        assert (customer.name, customer.stage) == ("Kari", "trust")
        assert session.scalars(select(Order.customer_id)).all() == [customer.id]


def test_hostile_cells(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    cells = ["'; DROP TABLE customer; --", "<script>alert(1)</script>", "x" * 5000, "\U0001f3d5\ufe0f tent"]
    rows = [f'{number},2024-01-02,S{number},"{cell}",1,9.99,C{number}' for number, cell in enumerate(cells)]
    rows.append(f"{'9' * 70},2024-01-02,S,x,1,1,1")
    rows.append(f"8,2024-01-02,{'S' * 70},x,1,1,1")
    rows.append("9,2024-01-02,S,x,2000000000,20000000,1")
    path.write_text("\n".join(["order,date,sku,description,quantity,price,customer", *rows]), "utf-8")
    report = _import(engine, path)
    assert report.taken == 4
    assert set(report.skipped) == {"order number too long", "product code too long", "order too large"}
