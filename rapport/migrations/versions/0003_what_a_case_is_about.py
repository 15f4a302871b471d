"""what a case is about"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("case") as table:
        table.add_column(sa.Column("topic", sa.String(length=40), nullable=True))
        table.add_column(sa.Column("order_number", sa.String(length=60), nullable=True))
        # One message may ask for several things, so a request's key also holds what it asks for.
        table.alter_column("message_key", existing_type=sa.String(length=80), type_=sa.String(length=120))


def downgrade() -> None:
    with op.batch_alter_table("case") as table:
        table.alter_column("message_key", existing_type=sa.String(length=120), type_=sa.String(length=80))
        table.drop_column("order_number")
        table.drop_column("topic")
