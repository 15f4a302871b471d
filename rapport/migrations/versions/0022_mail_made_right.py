"""The outbox: whose an unasked mail is and which step sent it, what became of it, and addresses mails come
back from.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rapport.kit.database import UtcDateTime

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mail_trouble",
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("gone_at", UtcDateTime(), nullable=True),
        sa.Column("soft_count", sa.Integer(), nullable=False),
        sa.Column("soft_at", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.String(length=300), nullable=True),
        sa.PrimaryKeyConstraint("address_hash", name=op.f("pk_mail_trouble")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("customer_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("step_id", sa.Integer(), nullable=True))
        # All there was until now was asked for.
        batch_op.add_column(sa.Column("asked", sa.Boolean(), nullable=False, server_default=sa.true()))
        batch_op.add_column(sa.Column("address_hash", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("cancelled_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("complained_at", UtcDateTime(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_outbox_customer_id_customer"), "customer", ["customer_id"], ["id"]
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_outbox_step_id_journey_step"), "journey_step", ["step_id"], ["id"]
        )
        batch_op.create_index(batch_op.f("ix_outbox_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_outbox_step_id"), ["step_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_outbox_message_id"), ["message_id"], unique=False)
        batch_op.drop_index("ix_outbox_due")
        batch_op.create_index("ix_outbox_due", ["status", "asked", "next_attempt_at"], unique=False)
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.alter_column("asked", existing_type=sa.Boolean(), server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index("ix_outbox_due")
        batch_op.create_index("ix_outbox_due", ["status", "next_attempt_at"], unique=False)
        batch_op.drop_index(batch_op.f("ix_outbox_message_id"))
        batch_op.drop_index(batch_op.f("ix_outbox_step_id"))
        batch_op.drop_index(batch_op.f("ix_outbox_customer_id"))
        batch_op.drop_constraint(batch_op.f("fk_outbox_step_id_journey_step"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_outbox_customer_id_customer"), type_="foreignkey")
        batch_op.drop_column("complained_at")
        batch_op.drop_column("cancelled_at")
        batch_op.drop_column("address_hash")
        batch_op.drop_column("asked")
        batch_op.drop_column("step_id")
        batch_op.drop_column("customer_id")
    op.drop_table("mail_trouble")
