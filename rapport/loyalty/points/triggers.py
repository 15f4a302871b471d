"""Database triggers of the ledger: rows are only added, and the sums beside it follow in the same statement.

The migration that made the tables holds its own copy (a test compares the two). On SQLite a later migration
that rebuilds one of these tables ("batch") loses its triggers and must make them again.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import DDL, FromClause, event

REFUSAL = "the points ledger is append-only"
LEDGER = ("transaction", "posting", "lot_movement")
# (table of the rows, what follows when one is added)
SUMS = {
    "posting": "UPDATE account SET balance = balance + NEW.points "
    "WHERE id = NEW.account_id AND kind <> 'shop'",
    "lot_movement": "UPDATE lot SET remaining = remaining + NEW.points WHERE id = NEW.lot_id",
}


def statements(table: str, dialect: str) -> list[str]:
    """The statements that give one of the ledger's tables its triggers."""
    return _sqlite(table) if dialect == "sqlite" else _postgresql(table)


def _sqlite(table: str) -> list[str]:
    result = [
        f'CREATE TRIGGER IF NOT EXISTS {table}_no_{verb.lower()} BEFORE {verb} ON "{table}" '
        f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        for verb in ("UPDATE", "DELETE")
    ]
    if table in SUMS:
        result.append(
            f'CREATE TRIGGER IF NOT EXISTS {table}_sum AFTER INSERT ON "{table}" BEGIN {SUMS[table]}; END'
        )
    return result


def _postgresql(table: str) -> list[str]:
    result = [
        "CREATE OR REPLACE FUNCTION points_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$",
        f'CREATE OR REPLACE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON "{table}" '
        "FOR EACH ROW EXECUTE FUNCTION points_append_only()",
        f'CREATE OR REPLACE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON "{table}" '
        "FOR EACH STATEMENT EXECUTE FUNCTION points_append_only()",
    ]
    if table in SUMS:
        result += [
            f"CREATE OR REPLACE FUNCTION points_{table}_sum() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {SUMS[table]}; RETURN NULL; END $$",
            f'CREATE OR REPLACE TRIGGER {table}_sum AFTER INSERT ON "{table}" '
            f"FOR EACH ROW EXECUTE FUNCTION points_{table}_sum()",
        ]
    return result


def _ddl(statement: str, dialect: str) -> DDL:
    made: DDL = DDL(statement).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]
    return made


def attach(*tables: FromClause) -> None:
    """Make the triggers wherever the tables are made from the models."""
    for table in tables:
        name: Any = getattr(table, "name", None)
        for dialect in ("sqlite", "postgresql"):
            for statement in statements(name, dialect):
                event.listen(table, "after_create", _ddl(statement, dialect))
