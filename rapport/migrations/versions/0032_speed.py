"""What the console's pages ask for is found by index; what was understood is summed up by month."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0029"
branch_labels = None
depends_on = None

UNCLEAR = sa.text("author = 'customer' AND payload IS NULL AND (intent = 'nlu_fallback' OR confidence < 0.5)")
# Indexes that hold all that is asked for: (name before, name now, table, columns before, columns more).
WIDER = (
    (
        "ix_coupon_redeemed_at",
        "ix_coupon_redeemed",
        "coupon",
        ["redeemed_at"],
        ["order_id", "discount_minor", "cost_minor"],
    ),
    (
        "ix_journey_entry_journey",
        "ix_journey_entry_journey",
        "journey_entry",
        ["journey", "entered_at"],
        ["customer_id", "variant", "status", "left_why"],
    ),
    (
        "ix_journey_step_entry",
        "ix_journey_step_entry",
        "journey_step",
        ["entry_id"],
        ["step", "status", "reason", "channel"],
    ),
)
SUM_UP = {
    "sqlite": "INSERT INTO intent_month"
    " SELECT date(day, 'start of month'), channel, language, intent, sum(messages)"
    " FROM intent_day GROUP BY 1, 2, 3, 4",
    "postgresql": "INSERT INTO intent_month"
    " SELECT date_trunc('month', day)::date, channel, language, intent, sum(messages)"
    " FROM intent_day GROUP BY 1, 2, 3, 4",
}


def upgrade() -> None:
    op.create_index(
        "ix_message_unclear",
        "message",
        ["language", "at"],
        sqlite_where=UNCLEAR,
        postgresql_where=UNCLEAR,
    )
    for before, after, table, few, many in WIDER:
        op.drop_index(before, table)
        op.create_index(after, table, few + many)
    op.create_table(
        "intent_month",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("intent", sa.String(length=60), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("month", "channel", "language", "intent", name=op.f("pk_intent_month")),
        sqlite_with_rowid=False,
    )
    op.execute(SUM_UP[op.get_bind().dialect.name])


def downgrade() -> None:
    op.drop_table("intent_month")
    for before, after, table, few, _ in WIDER:
        op.drop_index(after, table)
        op.create_index(before, table, few)
    op.drop_index("ix_message_unclear", "message")
