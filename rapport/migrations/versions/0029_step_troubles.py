"""How often a journey's step could not be decided, and how often it was called back before it left."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

COUNTS = ("failures", "repeats")


def upgrade() -> None:
    for name in COUNTS:
        op.add_column("journey_step", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("journey_step") as table:
        for name in COUNTS:
            table.alter_column(name, server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("journey_step") as table:
        for name in COUNTS:
            table.drop_column(name)
