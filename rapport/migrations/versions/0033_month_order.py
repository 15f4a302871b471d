"""What was understood by month lies in the order in which it is added up: by intent first."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

BEFORE = ("month", "channel", "language", "intent")
AFTER = ("month", "intent", "channel", "language")
KINDS: dict[str, sa.types.TypeEngine[Any]] = {
    "month": sa.Date(),
    "channel": sa.String(length=20),
    "language": sa.String(length=2),
    "intent": sa.String(length=60),
}
SUM_UP = {
    "sqlite": "INSERT INTO intent_month (month, channel, language, intent, messages)"
    " SELECT date(day, 'start of month'), channel, language, intent, sum(messages)"
    " FROM intent_day GROUP BY 1, 2, 3, 4",
    "postgresql": "INSERT INTO intent_month (month, channel, language, intent, messages)"
    " SELECT date_trunc('month', day)::date, channel, language, intent, sum(messages)"
    " FROM intent_day GROUP BY 1, 2, 3, 4",
}


def upgrade() -> None:
    _make(AFTER)


def downgrade() -> None:
    _make(BEFORE)


def _make(order: tuple[str, ...]) -> None:
    """The table anew: all of it can be counted from what is by day."""
    op.drop_table("intent_month")
    op.create_table(
        "intent_month",
        *(sa.Column(name, KINDS[name], nullable=False) for name in order),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(*order, name=op.f("pk_intent_month")),
        sqlite_with_rowid=False,
    )
    op.execute(SUM_UP[op.get_bind().dialect.name])
