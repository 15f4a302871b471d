"""Satisfaction, figures counted day by day, and segments over time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rapport.kit.database import UtcDateTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "satisfaction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("message_key", sa.String(length=120), nullable=False),
        sa.Column("handled_by", sa.String(length=6), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("score", sa.SmallInteger(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name=op.f("fk_satisfaction_conversation_id_conversation"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_satisfaction")),
        sa.UniqueConstraint("message_key", name=op.f("uq_satisfaction_message_key")),
    )
    op.create_index(op.f("ix_satisfaction_conversation_id"), "satisfaction", ["conversation_id"])
    op.create_index(
        "ix_satisfaction_asked_at", "satisfaction", ["asked_at", "handled_by", "score", "conversation_id"]
    )
    op.create_index("ix_conversation_kind", "conversation", ["id", "channel", "language"])
    op.create_table(
        "counted_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("counted_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_counted_day")),
    )
    op.create_table(
        "talk_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("talks", sa.Integer(), nullable=False),
        sa.Column("settled", sa.Integer(), nullable=False),
        sa.Column("contained", sa.Integer(), nullable=False),
        sa.Column("from_customers", sa.Integer(), nullable=False),
        sa.Column("from_bot", sa.Integer(), nullable=False),
        sa.Column("from_staff", sa.Integer(), nullable=False),
        sa.Column("understood", sa.Integer(), nullable=False),
        sa.Column("not_understood", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "channel", "language", name=op.f("pk_talk_day")),
    )
    op.create_table(
        "intent_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("intent", sa.String(length=60), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "channel", "language", "intent", name=op.f("pk_intent_day")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "segment_size",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("segment", sa.String(length=30), nullable=False),
        sa.Column("customers", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "segment", name=op.f("pk_segment_size")),
    )
    op.create_table(
        "segment_move",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("from_segment", sa.String(length=30), nullable=False),
        sa.Column("to_segment", sa.String(length=30), nullable=False),
        sa.Column("customers", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "from_segment", "to_segment", name=op.f("pk_segment_move")),
    )
    op.add_column("customer_value", sa.Column("segment_counted", sa.String(length=30), nullable=True))
    op.create_index(op.f("ix_message_at"), "message", ["at"])
    op.create_index(op.f("ix_handoff_requested_at"), "handoff", ["requested_at"])
    op.create_index(op.f("ix_case_opened_at"), "case", ["opened_at"])
    op.create_index(op.f("ix_coupon_issued_at"), "coupon", ["issued_at"])
    op.create_index(op.f("ix_coupon_redeemed_at"), "coupon", ["redeemed_at"])


def downgrade() -> None:
    op.drop_index("ix_conversation_kind", "conversation")
    op.drop_index(op.f("ix_coupon_redeemed_at"), "coupon")
    op.drop_index(op.f("ix_coupon_issued_at"), "coupon")
    op.drop_index(op.f("ix_case_opened_at"), "case")
    op.drop_index(op.f("ix_handoff_requested_at"), "handoff")
    op.drop_index(op.f("ix_message_at"), "message")
    op.drop_column("customer_value", "segment_counted")
    for table in ("segment_move", "segment_size", "intent_day", "talk_day", "counted_day", "satisfaction"):
        op.drop_table(table)
