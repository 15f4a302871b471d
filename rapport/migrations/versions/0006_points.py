"""points by lots, pending, holds, debt and levels; the ledger's rows can only be added"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rapport.kit.database import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OLD_TABLES = ("account", "transaction", "posting")
REFUSAL = "the points ledger is append-only"
SUMS = {
    "posting": "UPDATE account SET balance = balance + NEW.points WHERE id = NEW.account_id AND kind <> 'shop'",
    "lot_movement": "UPDATE lot SET remaining = remaining + NEW.points WHERE id = NEW.lot_id",
}


def upgrade() -> None:
    # SQLite cannot change a table others refer to: the old three are put aside and made anew.
    _put_aside()
    _create_ledger()
    _create_states()
    _create_triggers()
    _carry_over()
    for table in OLD_TABLES:
        op.execute(f"DROP TABLE old_{table}")


def _put_aside() -> None:
    for table in OLD_TABLES:
        op.execute(f'CREATE TEMPORARY TABLE old_{table} AS SELECT * FROM "{table}"')  # noqa: S608
    for table in reversed(OLD_TABLES):
        op.drop_table(table)


def _create_ledger() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=20), nullable=True),
        sa.Column("balance", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "kind = 'shop' OR (kind = 'debt' AND balance <= 0) OR (kind <> 'debt' AND balance >= 0)",
            name=op.f("ck_account_balance_in_range"),
        ),
        sa.CheckConstraint(
            "(kind = 'shop') = (name IS NOT NULL) AND (kind = 'shop') = (balance IS NULL)",
            name=op.f("ck_account_named_or_balanced"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_account_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("customer_id", "kind", name=op.f("uq_account_customer_id_kind")),
        sa.UniqueConstraint("name", name=op.f("uq_account_name")),
    )
    op.create_table(
        "transaction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("reverses_id", sa.Integer(), nullable=True),
        sa.Column("about_id", sa.Integer(), nullable=True),
        sa.Column("order_id", sa.Integer(), nullable=True),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["reverses_id"], ["transaction.id"], name=op.f("fk_transaction_reverses_id_transaction")
        ),
        sa.ForeignKeyConstraint(
            ["about_id"], ["transaction.id"], name=op.f("fk_transaction_about_id_transaction")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_transaction_order_id_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transaction")),
        sa.UniqueConstraint("key", name=op.f("uq_transaction_key")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_transaction_reverses_id")),
    )
    op.create_index(op.f("ix_transaction_order_id"), "transaction", ["order_id"])
    op.create_index(op.f("ix_transaction_about_id"), "transaction", ["about_id"])
    op.create_table(
        "posting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["transaction.id"], name=op.f("fk_posting_transaction_id_transaction")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_posting_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posting")),
    )
    op.create_index("ix_posting_account", "posting", ["account_id", "transaction_id"])
    op.create_index(op.f("ix_posting_transaction_id"), "posting", ["transaction_id"])


def _create_states() -> None:
    op.create_table(
        "earning",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=True),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("taken_back", sa.BigInteger(), nullable=False),
        sa.Column("rate_points", sa.BigInteger(), nullable=True),
        sa.Column("rate_per_minor", sa.Integer(), nullable=True),
        sa.Column("matures_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("matured_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("valid_days", sa.Integer(), nullable=True),
        sa.CheckConstraint("taken_back BETWEEN 0 AND points", name=op.f("ck_earning_taken_back_in_range")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_earning_account_id_account")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["transaction.id"], name=op.f("fk_earning_transaction_id_transaction")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_earning_order_id_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_earning")),
        sa.UniqueConstraint("transaction_id", name=op.f("uq_earning_transaction_id")),
    )
    op.create_index("ix_earning_account", "earning", ["account_id", "at"])
    op.create_index(op.f("ix_earning_order_id"), "earning", ["order_id"])
    _partial_index("ix_earning_due", "earning", ["matures_at", "id"], "matured_at IS NULL")
    op.create_table(
        "lot",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("earning_id", sa.Integer(), nullable=True),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("expired_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("lapsed", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("remaining BETWEEN 0 AND points", name=op.f("ck_lot_remaining_in_range")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_lot_account_id_account")),
        sa.ForeignKeyConstraint(["earning_id"], ["earning.id"], name=op.f("fk_lot_earning_id_earning")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lot")),
    )
    op.create_index(op.f("ix_lot_account_id"), "lot", ["account_id"])
    op.create_index(op.f("ix_lot_earning_id"), "lot", ["earning_id"])
    _partial_index("ix_lot_open", "lot", ["account_id", "expires_at", "id"], "remaining > 0")
    _partial_index("ix_lot_due", "lot", ["expires_at", "id"], "remaining > 0 AND expires_at IS NOT NULL")
    op.create_table(
        "lot_movement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.Integer(), nullable=False),
        sa.Column("lot_id", sa.Integer(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["transaction.id"], name=op.f("fk_lot_movement_transaction_id_transaction")
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_lot_movement_lot_id_lot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lot_movement")),
    )
    op.create_index(op.f("ix_lot_movement_transaction_id"), "lot_movement", ["transaction_id"])
    op.create_index(op.f("ix_lot_movement_lot_id"), "lot_movement", ["lot_id"])
    op.create_table(
        "spending",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.Integer(), nullable=False),
        sa.Column("spent_id", sa.Integer(), nullable=True),
        sa.Column("order_id", sa.Integer(), nullable=True),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("restored", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("until", UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint("restored BETWEEN 0 AND points", name=op.f("ck_spending_restored_in_range")),
        sa.CheckConstraint("status IN ('held', 'spent', 'released')", name=op.f("ck_spending_known_status")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_spending_account_id_account")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["transaction.id"], name=op.f("fk_spending_transaction_id_transaction")
        ),
        sa.ForeignKeyConstraint(
            ["spent_id"], ["transaction.id"], name=op.f("fk_spending_spent_id_transaction")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_spending_order_id_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spending")),
        sa.UniqueConstraint("transaction_id", name=op.f("uq_spending_transaction_id")),
        sa.UniqueConstraint("spent_id", name=op.f("uq_spending_spent_id")),
    )
    op.create_index(op.f("ix_spending_account_id"), "spending", ["account_id"])
    op.create_index(op.f("ix_spending_order_id"), "spending", ["order_id"])
    _partial_index("ix_spending_due", "spending", ["until", "id"], "status = 'held'")
    op.create_table(
        "membership",
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("merged_into_id", sa.Integer(), nullable=True),
        sa.Column("tier", sa.String(length=30), nullable=True),
        sa.Column("tier_review_at", UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_membership_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["merged_into_id"], ["customer.id"], name=op.f("fk_membership_merged_into_id_customer")
        ),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_membership")),
    )
    op.create_index(op.f("ix_membership_merged_into_id"), "membership", ["merged_into_id"])
    op.create_index(op.f("ix_membership_tier_review_at"), "membership", ["tier_review_at"])
    op.create_table(
        "tier_history",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("tier", sa.String(length=30), nullable=False),
        sa.Column("window_points", sa.BigInteger(), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_tier_history_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tier_history")),
    )
    op.create_index(op.f("ix_tier_history_customer_id"), "tier_history", ["customer_id"])


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _create_triggers() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table in ("transaction", "posting", "lot_movement"):
        for statement in _sqlite_triggers(table) if sqlite else _postgresql_triggers(table):
            op.get_bind().exec_driver_sql(statement)


def _sqlite_triggers(table: str) -> list[str]:
    result = [
        f'CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON "{table}" '
        f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        for verb in ("UPDATE", "DELETE")
    ]
    if table in SUMS:
        result.append(f'CREATE TRIGGER {table}_sum AFTER INSERT ON "{table}" BEGIN {SUMS[table]}; END')
    return result


def _postgresql_triggers(table: str) -> list[str]:
    result = [
        "CREATE OR REPLACE FUNCTION points_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$",
        f'CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON "{table}" '
        "FOR EACH ROW EXECUTE FUNCTION points_append_only()",
        f'CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON "{table}" '
        "FOR EACH STATEMENT EXECUTE FUNCTION points_append_only()",
    ]
    if table in SUMS:
        result += [
            f"CREATE FUNCTION points_{table}_sum() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {SUMS[table]}; RETURN NULL; END $$",
            f'CREATE TRIGGER {table}_sum AFTER INSERT ON "{table}" '
            f"FOR EACH ROW EXECUTE FUNCTION points_{table}_sum()",
        ]
    return result


def _carry_over() -> None:
    """What was there: every order's points become a lot that never expires, less what was taken back of it.

    (Until now points came from orders only and were spendable at once; none were spent.)
    """
    for statement in (
        """INSERT INTO account (id, customer_id, kind, name, balance)
           SELECT id, customer_id, CASE WHEN name IS NULL THEN 'points' ELSE 'shop' END, name,
                  CASE WHEN name IS NULL THEN 0 END
           FROM old_account""",
        # The next free ids are above those taken over.
        *_after_ids("account"),
        *(
            f"""INSERT INTO account (customer_id, kind, balance)
                SELECT customer_id, '{kind}', 0 FROM old_account WHERE name IS NULL ORDER BY id"""  # noqa: S608
            for kind in ("pending", "held", "debt")
        ),
        "INSERT INTO membership (customer_id) SELECT customer_id FROM old_account WHERE name IS NULL",
        """INSERT INTO "transaction" (id, key, kind, fingerprint, points, balance, reverses_id, about_id, order_id, at)
           SELECT t.id, t.key, CASE t.kind WHEN 'refund' THEN 'take_back' ELSE t.kind END, '', abs(p.points),
                  sum(p.points) OVER (PARTITION BY p.account_id ORDER BY t.id), t.reverses_id,
                  CASE t.kind WHEN 'refund' THEN
                      (SELECT e.id FROM old_transaction e WHERE e.order_id = t.order_id AND e.kind = 'earn')
                  END,
                  t.order_id, t.at
           FROM old_transaction t
           JOIN old_posting p ON p.transaction_id = t.id
           JOIN old_account a ON a.id = p.account_id AND a.name IS NULL
           ORDER BY t.id""",
        *_after_ids("transaction"),
        """INSERT INTO posting (id, transaction_id, account_id, points)
           SELECT id, transaction_id, account_id, points FROM old_posting ORDER BY id""",
        *_after_ids("posting"),
        """INSERT INTO earning (account_id, transaction_id, order_id, at, points, taken_back, matured_at)
           SELECT p.account_id, t.id, t.order_id, t.at, p.points,
                  (SELECT coalesce(sum(r.points), 0) FROM "transaction" r WHERE r.about_id = t.id), t.at
           FROM "transaction" t
           JOIN posting p ON p.transaction_id = t.id
           JOIN account a ON a.id = p.account_id AND a.kind = 'points'
           WHERE t.kind = 'earn'
           ORDER BY t.id""",
        """INSERT INTO lot (account_id, earning_id, points, remaining, lapsed)
           SELECT account_id, id, points, 0, 0 FROM earning ORDER BY id""",
        """INSERT INTO lot_movement (transaction_id, lot_id, points)
           SELECT t.id, l.id, CASE t.kind WHEN 'earn' THEN t.points ELSE -t.points END
           FROM "transaction" t
           JOIN earning e ON e.transaction_id = coalesce(t.about_id, t.id)
           JOIN lot l ON l.earning_id = e.id
           ORDER BY t.id""",
    ):
        op.execute(statement)


def _after_ids(table: str) -> list[str]:
    if op.get_bind().dialect.name == "sqlite":
        return []
    return [
        f"SELECT setval(pg_get_serial_sequence('\"{table}\"', 'id'), "  # noqa: S608
        f'greatest(max(id), 1), max(id) IS NOT NULL) FROM "{table}"'
    ]


def downgrade() -> None:
    """Back to one account a customer: what is pending, held and owed counts in its sum."""
    for table in OLD_TABLES:
        op.execute(f'CREATE TEMPORARY TABLE old_{table} AS SELECT * FROM "{table}"')  # noqa: S608
    for table in (
        "tier_history",
        "membership",
        "spending",
        "lot_movement",
        "lot",
        "earning",
        "posting",
        "transaction",
        "account",
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        for function in ("points_append_only", "points_posting_sum", "points_lot_movement_sum"):
            op.execute(f"DROP FUNCTION {function}()")
    _create_old()
    for statement in (
        """INSERT INTO account (id, customer_id, name)
           SELECT min(id), customer_id, name FROM old_account GROUP BY customer_id, name""",
        *_after_ids("account"),
        """INSERT INTO "transaction" (id, key, kind, reverses_id, order_id, at)
           SELECT id, key, CASE kind WHEN 'take_back' THEN 'refund' ELSE kind END, reverses_id, order_id, at
           FROM old_transaction ORDER BY id""",
        *_after_ids("transaction"),
        """INSERT INTO posting (id, transaction_id, account_id, points)
           SELECT p.id, p.transaction_id,
                  (SELECT min(b.id) FROM old_account b
                   WHERE b.id = a.id OR (a.name IS NULL AND b.customer_id = a.customer_id)),
                  p.points
           FROM old_posting p JOIN old_account a ON a.id = p.account_id ORDER BY p.id""",
        *_after_ids("posting"),
    ):
        op.execute(statement)
    for table in OLD_TABLES:
        op.execute(f"DROP TABLE old_{table}")


def _create_old() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=20), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_account_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("customer_id", name=op.f("uq_account_customer_id")),
        sa.UniqueConstraint("name", name=op.f("uq_account_name")),
    )
    op.create_table(
        "transaction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("reverses_id", sa.Integer(), nullable=True),
        sa.Column("order_id", sa.Integer(), nullable=True),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], name=op.f("fk_transaction_order_id_order")),
        sa.ForeignKeyConstraint(
            ["reverses_id"], ["transaction.id"], name=op.f("fk_transaction_reverses_id_transaction")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transaction")),
        sa.UniqueConstraint("key", name=op.f("uq_transaction_key")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_transaction_reverses_id")),
    )
    op.create_index(op.f("ix_transaction_order_id"), "transaction", ["order_id"])
    op.create_table(
        "posting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_posting_account_id_account")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["transaction.id"], name=op.f("fk_posting_transaction_id_transaction")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posting")),
    )
    op.create_index("ix_posting_account", "posting", ["account_id", "points"])
    op.create_index(op.f("ix_posting_transaction_id"), "posting", ["transaction_id"])
