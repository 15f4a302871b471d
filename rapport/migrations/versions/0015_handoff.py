"""Taking a conversation over and handing it back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rapport.kit.database import UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

UNTOLD = sa.text("told_at IS NULL AND status IN ('kept', 'untold')")
OPEN = sa.text("closed_at IS NULL")


def upgrade() -> None:
    # In plain SQL where a column points to another table: SQLite could otherwise add it only by writing the
    # table anew, and other tables point to its rows.
    for table in ("message", "handoff"):
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN staff_id INTEGER"
            f" CONSTRAINT fk_{table}_staff_id_staff REFERENCES staff (id)"
        )
    op.add_column("message", sa.Column("told_at", UtcDateTime(), nullable=True))
    op.create_index(
        "ix_message_untold",
        "message",
        ["conversation_id", "sequence"],
        sqlite_where=UNTOLD,
        postgresql_where=UNTOLD,
    )
    for name in ("first_answer_at", "waiting_since", "missed_at"):
        op.add_column("handoff", sa.Column(name, UtcDateTime(), nullable=True))
    op.execute("ALTER TABLE handoff DROP COLUMN taken_by")
    op.execute("UPDATE handoff SET waiting_since = requested_at WHERE closed_at IS NULL")
    op.create_index(
        "ix_handoff_open",
        "handoff",
        ["conversation_id"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )


def downgrade() -> None:
    op.drop_index("ix_handoff_open", "handoff")
    op.add_column("handoff", sa.Column("taken_by", sa.String(length=120), nullable=True))
    op.drop_index("ix_message_untold", "message")
    for name in ("first_answer_at", "waiting_since", "missed_at", "staff_id"):
        op.drop_column("handoff", name)
    # In plain SQL as well: a table written anew has lost the triggers that keep the search.
    for name in ("told_at", "staff_id"):
        op.drop_column("message", name)
