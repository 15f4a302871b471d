"""staying in touch: stars of a review, the message that changed a contact policy, mails by their recipient"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("case", sa.Column("rating", sa.SmallInteger(), nullable=True))
    op.add_column("contact_policy", sa.Column("message_key", sa.String(length=80), nullable=True))
    op.create_index("ix_outbox_recipient", "outbox", ["recipient"])


def downgrade() -> None:
    op.drop_index("ix_outbox_recipient", "outbox")
    op.drop_column("contact_policy", "message_key")
    op.drop_column("case", "rating")
