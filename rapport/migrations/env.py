"""Alembic's entry point; the engine comes from rapport.migrations or from the settings."""

from __future__ import annotations

from typing import Any

from alembic import context

import rapport.migrations  # noqa: F401  (fills Base.metadata)
from rapport.kit.database import Base, get_engine

engine = context.config.attributes.get("engine") or get_engine()

is_sqlite = engine.dialect.name == "sqlite"
with engine.connect() as connection:
    driver: Any = connection.connection.driver_connection
    if is_sqlite:
        # Some changes make a table anew and drop the old one, to which others point. Not in a transaction.
        driver.execute("PRAGMA foreign_keys = OFF")
    try:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=is_sqlite,
            compare_type=True,
            # Our column type is an ordinary timestamp to a migration.
            user_module_prefix="rapport.kit.database.",
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
    finally:
        connection.rollback()
        if is_sqlite:
            driver.execute("PRAGMA foreign_keys = ON")
