"""The time zone of a customer, and when somebody wanted nothing unasked any more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rapport.kit.database import UtcDateTime

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("customer", sa.Column("timezone", sa.String(length=60), nullable=True))
    op.add_column("contact_policy", sa.Column("left_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("contact_policy", "left_at")
    op.drop_column("customer", "timezone")
