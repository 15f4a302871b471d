"""Alembic's entry point; the engine comes from rapport.migrations or from the settings."""

from __future__ import annotations

from alembic import context

import rapport.migrations  # noqa: F401  (fills Base.metadata)
from rapport.kit.database import Base, get_engine

engine = context.config.attributes.get("engine") or get_engine()

with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=engine.dialect.name == "sqlite",
        compare_type=True,
        # Our column type is an ordinary timestamp to a migration.
        user_module_prefix="rapport.kit.database.",
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
