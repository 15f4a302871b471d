"""What people do on the site, and who waits for a product."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rapport.kit.database import UtcDateTime

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "site_visitor",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("forgotten_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_site_visitor_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_visitor")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_site_visitor_key_hash")),
    )
    op.create_index(op.f("ix_site_visitor_customer_id"), "site_visitor", ["customer_id"])
    op.create_index(op.f("ix_site_visitor_seen_at"), "site_visitor", ["seen_at"])
    op.create_table(
        "site_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("visitor_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("cart", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["visitor_id"], ["site_visitor.id"], name=op.f("fk_site_event_visitor_id_site_visitor")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_site_event_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_site_event_product_id_product")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_event")),
        sa.UniqueConstraint(
            "visitor_id",
            "kind",
            "product_id",
            "day",
            name=op.f("uq_site_event_visitor_id_kind_product_id_day"),
        ),
    )
    op.create_index("ix_site_event_at", "site_event", ["at"])
    op.create_index("ix_site_event_customer", "site_event", ["customer_id", "kind", "at"])
    op.create_index("ix_site_event_kind", "site_event", ["kind", "at", "id"])
    op.create_index(op.f("ix_site_event_product_id"), "site_event", ["product_id"])
    op.create_table(
        "stock_wish",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("seen_out", sa.Boolean(), nullable=False),
        sa.Column("fulfilled_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_stock_wish_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_stock_wish_product_id_product")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_wish")),
        sa.UniqueConstraint("product_id", "customer_id", name=op.f("uq_stock_wish_product_id_customer_id")),
        sa.UniqueConstraint("product_id", "email", name=op.f("uq_stock_wish_product_id_email")),
    )
    op.create_index(op.f("ix_stock_wish_customer_id"), "stock_wish", ["customer_id"])
    op.create_index("ix_stock_wish_fulfilled_at", "stock_wish", ["fulfilled_at", "id"])
    waiting = sa.text("fulfilled_at IS NULL")
    op.create_index(
        "ix_stock_wish_waiting",
        "stock_wish",
        ["product_id"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )


def downgrade() -> None:
    op.drop_table("stock_wish")
    op.drop_table("site_event")
    op.drop_table("site_visitor")
