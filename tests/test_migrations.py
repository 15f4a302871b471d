"""The migrations and the models say the same."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine

from rapport import migrations
from rapport.kit.database import Base


def _is_modelled(name: str | None, kind: str, _parents: object) -> bool:
    """The tables behind the search are each database's own."""
    return not (kind == "table" and name is not None and "_search" in name)


def test_migrations_lead_to_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": _is_modelled}
        )
        assert compare_metadata(context, Base.metadata) == []
        connection.rollback()


def test_upgrade_twice_changes_nothing(engine: Engine) -> None:
    migrations.upgrade(engine)
    assert migrations.current(engine) == migrations.newest()
