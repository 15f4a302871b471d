"""Searching conversations, and views that staff keep.

`message_search` and `customer_search` hold the words of messages and of customers' names. On SQLite they are
full-text tables that only point to the texts, on PostgreSQL tables with a tsvector; on both, triggers keep
them, so that whoever writes or removes a text need not know of them.
"""
# ruff: noqa: S608

from __future__ import annotations

import sqlite3

import sqlalchemy as sa
from alembic import op

from rapport.kit.database import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Letters that do not come apart into a base letter and an accent. `review/words.py` writes them alike.
LETTERS = {
    "ø": "o", "Ø": "o", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "đ": "d", "Đ": "d", "ð": "d", "Ð": "d",
    "ł": "l", "Ł": "l", "ħ": "h", "Ħ": "h", "ß": "ss", "ẞ": "ss", "þ": "th", "Þ": "th", "ı": "i",
}  # fmt: skip
SEARCHED = (("message", "text"), ("customer", "name"))
OPEN_COMPLAINT = sa.text("kind = 'complaint' AND resolved_at IS NULL")
NOT_WITH_BOT = sa.text("status <> 'bot'")
LISTED = (
    "updated_at",
    "id",
    "last_sequence",
    "channel",
    "language",
    "status",
    "customer_id",
    "lowest_confidence",
    "not_understood",
    "intents",
)


def upgrade() -> None:
    _understood()
    op.drop_index("ix_conversation_updated_at", "conversation")
    op.create_index("ix_conversation_listed", "conversation", list(LISTED))
    op.create_index(
        "ix_conversation_not_with_bot",
        "conversation",
        ["status", "updated_at", "id"],
        sqlite_where=NOT_WITH_BOT,
        postgresql_where=NOT_WITH_BOT,
    )
    op.create_index(
        "ix_case_open_complaint",
        "case",
        ["conversation_id"],
        sqlite_where=OPEN_COMPLAINT,
        postgresql_where=OPEN_COMPLAINT,
    )
    op.create_index("ix_case_order_number", "case", ["order_number"])
    op.create_index("ix_customer_value_segment", "customer_value", ["segment"])
    op.create_table(
        "saved_view",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("query", sa.String(length=1000), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_saved_view_staff_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
    )
    op.create_index(op.f("ix_saved_view_staff_id"), "saved_view", ["staff_id"])
    op.create_table(
        "first_view",
        sa.Column("staff_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("view_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_first_view_staff_id_staff")),
        sa.ForeignKeyConstraint(
            ["view_id"], ["saved_view.id"], name=op.f("fk_first_view_view_id_saved_view"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_first_view")),
    )
    op.create_index(op.f("ix_first_view_view_id"), "first_view", ["view_id"])
    if op.get_bind().dialect.name == "postgresql":
        _search_on_postgresql()
    else:
        _search_on_sqlite()


def _understood() -> None:
    """What the list asks about the messages of a conversation stands on the conversation."""
    op.add_column("conversation", sa.Column("lowest_confidence", sa.Double(), nullable=True))
    op.add_column(
        "conversation",
        sa.Column("not_understood", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column(
        "conversation", sa.Column("intents", sa.String(length=2000), nullable=False, server_default="")
    )
    listed = (
        "string_agg(DISTINCT intent, ',')"
        if op.get_bind().dialect.name == "postgresql"
        else "group_concat(DISTINCT intent)"
    )
    op.execute(
        f"""
        UPDATE conversation SET
            lowest_confidence = (
                SELECT min(confidence) FROM message WHERE conversation_id = conversation.id),
            not_understood = EXISTS (
                SELECT 1 FROM message WHERE conversation_id = conversation.id
                AND intent IN ('nlu_fallback', 'out_of_scope')),
            intents = coalesce((
                SELECT ',' || {listed} || ',' FROM message
                WHERE conversation_id = conversation.id AND intent IS NOT NULL), '')
        """
    )


def _search_on_sqlite() -> None:
    for table, column in SEARCHED:
        op.execute(
            f"CREATE VIRTUAL TABLE {table}_search USING fts5({column}, content='{table}', content_rowid='id',"
            " columnsize=0, prefix='1 2 3', tokenize='unicode61 remove_diacritics 2')"
        )
        if sqlite3.sqlite_version_info >= (3, 42):
            op.execute(f"INSERT INTO {table}_search ({table}_search, rank) VALUES ('secure-delete', 1)")
        add = (
            f"INSERT INTO {table}_search (rowid, {column})"
            f" SELECT new.id, {_folded('new.' + column)} WHERE new.{column} IS NOT NULL;"
        )
        remove = (
            f"INSERT INTO {table}_search ({table}_search, rowid, {column})"
            f" SELECT 'delete', old.id, {_folded('old.' + column)} WHERE old.{column} IS NOT NULL;"
        )
        op.execute(f"CREATE TRIGGER {table}_search_add AFTER INSERT ON {table} BEGIN {add} END")
        op.execute(f"CREATE TRIGGER {table}_search_remove AFTER DELETE ON {table} BEGIN {remove} END")
        op.execute(
            f"CREATE TRIGGER {table}_search_change AFTER UPDATE OF {column} ON {table}"
            f" WHEN old.{column} IS NOT new.{column} BEGIN {remove} {add} END"
        )
        op.execute(
            f"INSERT INTO {table}_search (rowid, {column})"
            f" SELECT id, {_folded(column)} FROM {table} WHERE {column} IS NOT NULL"
        )


def _folded(column: str) -> str:
    """The accents of all other letters are left to the tokenizer."""
    for letter, plain in LETTERS.items():
        column = f"replace({column}, '{letter}', '{plain}')"
    return column


def _search_on_postgresql() -> None:
    single = {letter: plain for letter, plain in LETTERS.items() if len(plain) == 1}
    said = "regexp_replace(normalize(said, NFD), '[\\u0300-\\u036f]+', '', 'g')"
    said = f"translate({said}, '{''.join(single)}', '{''.join(single.values())}')"
    for letter, plain in LETTERS.items():
        if len(plain) > 1:
            said = f"replace({said}, '{letter}', '{plain}')"
    # The parser would take addresses, numbers with signs and words with hyphens for one word each.
    signs = (
        "[\\x01-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\xa9\\xab-\\xb1\\xb4\\xb6-\\xb8\\xbb\\xbf\\u2000-\\u206f]+"
    )
    op.execute(
        "CREATE FUNCTION search_words(said text) RETURNS tsvector LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE"
        f" AS $$ SELECT to_tsvector('simple'::regconfig, regexp_replace({said}, '{signs}', ' ', 'g')) $$"
    )
    for table, column in SEARCHED:
        name = f"{table}_search"
        op.execute(f"CREATE TABLE {name} (id integer PRIMARY KEY, words tsvector NOT NULL)")
        op.execute(
            f"INSERT INTO {name} SELECT id, search_words({column}) FROM {table} WHERE {column} IS NOT NULL"
        )
        # Without a list of what is still to be sorted in: each search would go through it.
        op.execute(f"CREATE INDEX ix_{name} ON {name} USING gin (words) WITH (fastupdate = off)")
        op.execute(
            f"""
            CREATE FUNCTION keep_{name}() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF TG_OP <> 'INSERT' THEN
                    DELETE FROM {name} WHERE id = old.id;
                END IF;
                IF TG_OP <> 'DELETE' THEN
                    INSERT INTO {name} SELECT new.id, search_words(new.{column})
                    WHERE new.{column} IS NOT NULL;
                END IF;
                RETURN NULL;
            END $$
            """
        )
        op.execute(
            f"CREATE TRIGGER {name} AFTER INSERT OR DELETE OR UPDATE OF {column} ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION keep_{name}()"
        )


def downgrade() -> None:
    for table, _ in SEARCHED:
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"DROP TRIGGER IF EXISTS {table}_search ON {table}")
            op.execute(f"DROP FUNCTION keep_{table}_search")
        else:
            for happening in ("add", "remove", "change"):
                op.execute(f"DROP TRIGGER IF EXISTS {table}_search_{happening}")
        op.execute(f"DROP TABLE {table}_search")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION search_words")
    op.drop_table("first_view")
    op.drop_table("saved_view")
    op.drop_index("ix_customer_value_segment", "customer_value")
    op.drop_index("ix_case_order_number", "case")
    op.drop_index("ix_case_open_complaint", "case")
    op.drop_index("ix_conversation_not_with_bot", "conversation")
    op.drop_index("ix_conversation_listed", "conversation")
    op.create_index("ix_conversation_updated_at", "conversation", ["updated_at"])
    for column in ("intents", "not_understood", "lowest_confidence"):
        op.drop_column("conversation", column)
