"""What triggers of journeys look for is found by index; when a step was to come before it was put off."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rapport.kit.database import UtcDateTime

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


INDEXES = (
    ("ix_order_delivered_at", "order", ["delivered_at", "id"]),
    ("ix_consent_event_at", "consent_event", ["purpose", "at", "id"]),
    ("ix_customer_value_expected", "customer_value", ["expected_next_at", "customer_id"]),
    ("ix_customer_value_worth", "customer_value", ["segment", "revenue_minor", "customer_id"]),
)


def upgrade() -> None:
    op.add_column("journey_step", sa.Column("planned_at", UtcDateTime(), nullable=True))
    op.execute("UPDATE journey_step SET planned_at = due_at")
    with op.batch_alter_table("journey_step") as table:
        table.alter_column("planned_at", nullable=False)
    for name, table_name, columns in INDEXES:
        op.create_index(name, table_name, columns)


def downgrade() -> None:
    for name, table_name, _ in reversed(INDEXES):
        op.drop_index(name, table_name)
    with op.batch_alter_table("journey_step") as table:
        table.drop_column("planned_at")
