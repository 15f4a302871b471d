"""offers with audiences and budgets; coupons with the terms they were issued with; referrals

A coupon's use stands in the coupon itself now, and all that was ever done with it in coupon_event.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import rapport.kit.database

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TIME = rapport.kit.database.UtcDateTime(timezone=True)
BUDGET_KEPT = "budget_minor IS NULL OR spent_minor <= budget_minor"
SPENT_FROM_ZERO = "spent_minor >= 0"


def upgrade() -> None:
    _offer()
    _coupon()
    _mailbox()
    op.create_table(
        "coupon_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("coupon_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("action", sa.String(length=12), nullable=True),
        sa.Column("reason", sa.String(length=60), nullable=True),
        sa.Column("key", sa.String(length=160), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("order_id", sa.Integer(), nullable=True),
        sa.Column("order_minor", sa.BigInteger(), nullable=True),
        sa.Column("discount_minor", sa.BigInteger(), nullable=True),
        sa.Column("until", TIME, nullable=True),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["coupon_id"], ["coupon.id"], name=op.f("fk_coupon_event_coupon_id_coupon")),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_coupon_event_order_id_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupon_event")),
        sa.UniqueConstraint("kind", "key", name=op.f("uq_coupon_event_kind_key")),
    )
    op.create_index("ix_coupon_event_coupon_id", "coupon_event", ["coupon_id"])
    op.create_index("ix_coupon_event_order_id", "coupon_event", ["order_id"])
    op.create_table(
        "referral_code",
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_referral_code_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_referral_code")),
        sa.UniqueConstraint("code", name=op.f("uq_referral_code_code")),
    )
    op.create_table(
        "referral",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("referrer_id", sa.Integer(), nullable=False),
        sa.Column("referee_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=True),
        sa.Column("coupon_id", sa.Integer(), nullable=True),
        sa.Column("points", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("claimed_at", TIME, nullable=False),
        sa.Column("due_at", TIME, nullable=True),
        sa.Column("settled_at", TIME, nullable=True),
        sa.CheckConstraint("referrer_id <> referee_id", name=op.f("ck_referral_two_people")),
        sa.ForeignKeyConstraint(
            ["referrer_id"], ["customer.id"], name=op.f("fk_referral_referrer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["referee_id"], ["customer.id"], name=op.f("fk_referral_referee_id_customer")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_referral_order_id_order")),
        sa.ForeignKeyConstraint(["coupon_id"], ["coupon.id"], name=op.f("fk_referral_coupon_id_coupon")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral")),
        sa.UniqueConstraint("referee_id", name=op.f("uq_referral_referee_id")),
        sa.UniqueConstraint("key", name=op.f("uq_referral_key")),
    )
    op.create_index("ix_referral_referrer_id_settled_at", "referral", ["referrer_id", "settled_at"])
    op.create_index("ix_referral_state_due_at", "referral", ["state", "due_at"])
    op.create_index("ix_referral_order_id", "referral", ["order_id"])


def _offer() -> None:
    for column in (
        sa.Column("name", sa.String(length=120), nullable=False, server_default=""),
        sa.Column("occasion", sa.String(length=12), nullable=False, server_default="standing"),
        sa.Column("kind", sa.String(length=10), nullable=False, server_default="percent"),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("gift_sku", sa.String(length=60), nullable=True),
        sa.Column("max_discount_minor", sa.BigInteger(), nullable=True),
        sa.Column("max_orders", sa.Integer(), nullable=True),
        sa.Column("audience", sa.JSON(), nullable=False, server_default="{}"),
        # Before, an offer once used was never made again to the same customer.
        sa.Column("per_customer", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("budget_minor", sa.BigInteger(), nullable=True),
        sa.Column("chance", sa.Double(), nullable=True),
        sa.Column("after_days", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("stacking", sa.String(length=40), nullable=False, server_default="exclusive"),
        sa.Column("keep_margin", sa.Boolean(), nullable=False, server_default=sa.false()),
    ):
        op.add_column("offer", column)
    if op.get_bind().dialect.name == "sqlite":
        # A table others refer to cannot be rebuilt, but a new column may bring its checks along.
        op.execute(
            "ALTER TABLE offer ADD COLUMN spent_minor BIGINT NOT NULL DEFAULT 0"
            f" CONSTRAINT ck_offer_budget_kept CHECK ({BUDGET_KEPT})"
            f" CONSTRAINT ck_offer_spent_from_zero CHECK ({SPENT_FROM_ZERO})"
        )
    else:
        op.add_column("offer", sa.Column("spent_minor", sa.BigInteger(), nullable=False, server_default="0"))
        op.create_check_constraint(op.f("ck_offer_budget_kept"), "offer", BUDGET_KEPT)
        op.create_check_constraint(op.f("ck_offer_spent_from_zero"), "offer", SPENT_FROM_ZERO)


def _coupon() -> None:
    for column in (
        sa.Column("grant_key", sa.String(length=160), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False, server_default="issued"),
        sa.Column("occasion", sa.String(length=12), nullable=False, server_default="standing"),
        sa.Column("kind", sa.String(length=10), nullable=False, server_default="percent"),
        sa.Column("percent", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("gift_sku", sa.String(length=60), nullable=True),
        sa.Column("minimum_minor", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("max_discount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("stacking", sa.String(length=40), nullable=False, server_default="exclusive"),
        sa.Column("keep_margin", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("starts_at", TIME, nullable=True),
        sa.Column("reserved_minor", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("cost_minor", sa.BigInteger(), nullable=True),
        sa.Column("discount_minor", sa.BigInteger(), nullable=True),
        sa.Column("holder", sa.String(length=160), nullable=True),
        sa.Column("held_until", TIME, nullable=True),
        sa.Column("redeemed_at", TIME, nullable=True),
        sa.Column("order_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.JSON(), nullable=False, server_default="{}"),
        sa.Column("excused", sa.Boolean(), nullable=False, server_default=sa.false()),
    ):
        op.add_column("coupon", column)
    op.execute(
        "UPDATE coupon SET"
        " percent = (SELECT percent FROM offer WHERE offer.id = coupon.offer_id),"
        " minimum_minor = (SELECT minimum_minor FROM offer WHERE offer.id = coupon.offer_id)"
    )
    op.execute(
        "UPDATE coupon SET state = 'redeemed',"
        " redeemed_at = (SELECT at FROM redemption WHERE redemption.coupon_id = coupon.id),"
        " order_id = (SELECT order_id FROM redemption WHERE redemption.coupon_id = coupon.id)"
        " WHERE id IN (SELECT coupon_id FROM redemption)"
    )
    op.drop_table("redemption")
    with op.batch_alter_table("coupon") as batch:
        batch.create_foreign_key(op.f("fk_coupon_order_id_order"), "order", ["order_id"], ["id"])
        batch.create_unique_constraint(op.f("uq_coupon_grant_key"), ["grant_key"])
        batch.create_check_constraint(
            op.f("ck_coupon_redeemed_at_some_time"), "(state = 'redeemed') = (redeemed_at IS NOT NULL)"
        )
        batch.create_check_constraint(
            op.f("ck_coupon_held_by_someone"), "(state = 'held') = (holder IS NOT NULL)"
        )
    op.create_index("ix_coupon_state_expires_at", "coupon", ["state", "expires_at"])
    op.create_index("ix_coupon_order_id", "coupon", ["order_id"])


def _mailbox() -> None:
    """An address without its dots and what stands behind a plus, as `customers.mailboxes` has it."""
    op.add_column("identity", sa.Column("mailbox", sa.String(length=320), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        at = "instr(value, '@')"
        local, domain = f"substr(value, 1, {at} - 1)", f"substr(value, {at} + 1)"
        plain = f"replace(substr({local}, 1, instr({local} || '+', '+') - 1), '.', '')"
    else:
        local, domain = "split_part(value, '@', 1)", "split_part(value, '@', 2)"
        plain = f"replace(split_part({local}, '+', 1), '.', '')"
    op.execute(
        f"UPDATE identity SET mailbox = lower(coalesce(nullif({plain}, ''), {local}) || '@' ||"  # noqa: S608 - no input
        f" CASE {domain} WHEN 'googlemail.com' THEN 'gmail.com' ELSE {domain} END) WHERE kind = 'email'"
    )
    op.create_index("ix_identity_mailbox", "identity", ["mailbox"])


def downgrade() -> None:
    op.drop_index("ix_identity_mailbox", "identity")
    op.drop_column("identity", "mailbox")
    for table in ("referral", "referral_code", "coupon_event"):
        op.drop_table(table)
    op.create_table(
        "redemption",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("coupon_id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=True),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_redemption_order_id_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemption")),
        sa.UniqueConstraint("coupon_id", name=op.f("uq_redemption_coupon_id")),
    )
    op.execute(
        "INSERT INTO redemption (id, coupon_id, order_id, at)"
        " SELECT id, id, order_id, redeemed_at FROM coupon WHERE state = 'redeemed'"
    )
    op.drop_index("ix_coupon_state_expires_at", "coupon")
    op.drop_index("ix_coupon_order_id", "coupon")
    with op.batch_alter_table("coupon") as batch:
        batch.drop_constraint(op.f("ck_coupon_redeemed_at_some_time"), type_="check")
        batch.drop_constraint(op.f("ck_coupon_held_by_someone"), type_="check")
        batch.drop_constraint(op.f("fk_coupon_order_id_order"), type_="foreignkey")
        batch.drop_constraint(op.f("uq_coupon_grant_key"), type_="unique")
        for name in (
            *("grant_key", "state", "occasion", "kind", "percent", "amount_minor", "gift_sku"),
            *("minimum_minor", "max_discount_minor", "currency", "stacking", "keep_margin", "starts_at"),
            *("reserved_minor", "cost_minor", "discount_minor", "holder", "held_until", "redeemed_at"),
            *("order_id", "reason", "excused"),
        ):
            batch.drop_column(name)
    with op.batch_alter_table("redemption") as batch:
        batch.create_foreign_key(op.f("fk_redemption_coupon_id_coupon"), "coupon", ["coupon_id"], ["id"])
    op.create_index("ix_redemption_order_id", "redemption", ["order_id"])
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f("ck_offer_budget_kept"), "offer", type_="check")
        op.drop_constraint(op.f("ck_offer_spent_from_zero"), "offer", type_="check")
    for name in (
        *("spent_minor", "name", "occasion", "kind", "amount_minor", "gift_sku", "max_discount_minor"),
        *("max_orders", "audience", "per_customer", "budget_minor", "chance", "after_days", "stacking"),
        "keep_margin",
    ):
        op.drop_column("offer", name)
