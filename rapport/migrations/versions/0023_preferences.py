"""Subscriptions that wait for a yes, and how somebody showed that they agreed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rapport.kit.database import UtcDateTime

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subscription",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=True),
        sa.Column("mailbox_hash", sa.String(length=64), nullable=False),
        sa.Column("client_hash", sa.String(length=64), nullable=False),
        sa.Column("purposes", sa.JSON(), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("wording_version", sa.String(length=60), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("requested_at", UtcDateTime(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("confirmed_at", UtcDateTime(), nullable=True),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_subscription_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
    )
    op.create_index("ix_subscription_client", "subscription", ["client_hash", "requested_at"])
    op.create_index(op.f("ix_subscription_customer_id"), "subscription", ["customer_id"])
    op.create_index("ix_subscription_mailbox", "subscription", ["mailbox_hash", "id"])
    op.create_index("ix_subscription_requested_at", "subscription", ["requested_at"])
    op.add_column("consent_event", sa.Column("proof", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("consent_event", "proof")
    op.drop_index("ix_subscription_requested_at", "subscription")
    op.drop_index("ix_subscription_mailbox", "subscription")
    op.drop_index(op.f("ix_subscription_customer_id"), "subscription")
    op.drop_index("ix_subscription_client", "subscription")
    op.drop_table("subscription")
