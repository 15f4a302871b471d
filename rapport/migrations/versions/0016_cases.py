"""Working on cases: who looks after each, until when, how it ended, and what happened on the way."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

from rapport.kit.database import UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# Those that are open already are due from when they were opened.
TIME = timedelta(days=2)
CASES = sa.table(
    "case",
    sa.column("id", sa.Integer),
    sa.column("opened_at", UtcDateTime),
    sa.column("due_at", UtcDateTime),
)


def upgrade() -> None:
    with op.batch_alter_table("case") as table:
        table.add_column(sa.Column("source_url", sa.String(length=500), nullable=True))
        table.add_column(sa.Column("contact", sa.String(length=200), nullable=True))
        table.add_column(sa.Column("owner_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("priority", sa.String(length=8), nullable=False, server_default="normal"))
        table.add_column(sa.Column("outcome", sa.String(length=20), nullable=True))
        table.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
        table.create_foreign_key(op.f("fk_case_owner_id_staff"), "staff", ["owner_id"], ["id"])
    connection = op.get_bind()
    connection.execute(
        sa.text(
            'UPDATE "case" SET owner_id ='
            ' (SELECT min(id) FROM staff WHERE staff.name = "case".owner OR staff.email = "case".owner)'
            " WHERE owner IS NOT NULL"
        )
    )
    without = sa.select(CASES.c.id, CASES.c.opened_at).where(CASES.c.due_at.is_(None))
    due = [{"case": row.id, "due": row.opened_at + TIME} for row in connection.execute(without)]
    if due:
        statement = sa.update(CASES).where(CASES.c.id == sa.bindparam("case"))
        connection.execute(statement.values(due_at=sa.bindparam("due")), due)
    with op.batch_alter_table("case") as table:
        table.drop_column("owner")
        table.alter_column("due_at", existing_type=UtcDateTime(), nullable=False)
        table.alter_column("priority", existing_type=sa.String(length=8), server_default=None)
        table.alter_column("version", existing_type=sa.Integer(), server_default=None)
    is_open, is_resolved = sa.text("resolved_at IS NULL"), sa.text("resolved_at IS NOT NULL")
    for name, columns, which in (
        ("ix_case_due", ["due_at", "id"], is_open),
        ("ix_case_owner_due", ["owner_id", "due_at", "id"], is_open),
        ("ix_case_resolved", ["resolved_at", "id"], is_resolved),
    ):
        op.create_index(name, "case", columns, sqlite_where=which, postgresql_where=which)
    op.create_table(
        "case_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_case_event_case_id_case")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_case_event_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_event")),
    )
    op.create_index("ix_case_event_case", "case_event", ["case_id", "id"])


def downgrade() -> None:
    op.drop_table("case_event")
    for name in ("ix_case_resolved", "ix_case_owner_due", "ix_case_due"):
        op.drop_index(name, "case")
    with op.batch_alter_table("case") as table:
        table.add_column(sa.Column("owner", sa.String(length=120), nullable=True))
        table.alter_column("due_at", existing_type=UtcDateTime(), nullable=True)
        table.drop_constraint(op.f("fk_case_owner_id_staff"), type_="foreignkey")
        for name in ("version", "outcome", "priority", "owner_id", "contact", "source_url"):
            table.drop_column(name)
