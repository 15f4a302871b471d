"""client of a conversation"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("conversation") as table:
        table.add_column(sa.Column("client_hash", sa.String(length=64), nullable=True))
        table.create_index("ix_conversation_client_hash", ["client_hash"])


def downgrade() -> None:
    with op.batch_alter_table("conversation") as table:
        table.drop_index("ix_conversation_client_hash")
        table.drop_column("client_hash")
