"""What each customer is worth."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rapport.kit.database import UtcDateTime

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "model_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("finished_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("as_of", UtcDateTime(timezone=True), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("method", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("customers", sa.Integer(), nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("shop", sa.JSON(), nullable=False),
        sa.Column("model", sa.JSON(), nullable=False),
        sa.Column("left_out", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_run")),
    )
    op.create_table(
        "rfm_cut",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("measure", sa.String(length=10), nullable=False),
        sa.Column("score", sa.SmallInteger(), nullable=False),
        sa.Column("at_least", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["model_run.id"], name=op.f("fk_rfm_cut_run_id_model_run")),
        sa.PrimaryKeyConstraint("run_id", "measure", "score", name=op.f("pk_rfm_cut")),
    )
    op.create_table(
        "customer_value",
        sa.Column("customer_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("buying_days", sa.Integer(), nullable=False),
        sa.Column("first_order_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_order_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("revenue_minor", sa.BigInteger(), nullable=False),
        sa.Column("costed_minor", sa.BigInteger(), nullable=False),
        sa.Column("margin_minor", sa.BigInteger(), nullable=False),
        sa.Column("recency", sa.SmallInteger(), nullable=True),
        sa.Column("frequency", sa.SmallInteger(), nullable=True),
        sa.Column("monetary", sa.SmallInteger(), nullable=True),
        sa.Column("segment", sa.String(length=30), nullable=True),
        sa.Column("p_buy", sa.Double(), nullable=True),
        sa.Column("expected_next_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("clv_minor", sa.BigInteger(), nullable=True),
        sa.Column("clv_low_minor", sa.BigInteger(), nullable=True),
        sa.Column("clv_high_minor", sa.BigInteger(), nullable=True),
        sa.Column("method", sa.String(length=10), nullable=True),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("computed_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_customer_value_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["model_run.id"], name=op.f("fk_customer_value_run_id_model_run")
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_customer_value")),
    )


def downgrade() -> None:
    op.drop_table("customer_value")
    op.drop_table("rfm_cut")
    op.drop_table("model_run")
