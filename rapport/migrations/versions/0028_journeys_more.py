"""What triggers of journeys look for is found by index."""

from __future__ import annotations

from alembic import op

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
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns)


def downgrade() -> None:
    for name, table, _ in reversed(INDEXES):
        op.drop_index(name, table)
