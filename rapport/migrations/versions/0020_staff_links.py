"""Links of staff that can be made worthless, and the audit log by action and kind of subject."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("staff", sa.Column("link_serial", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_audit_event_action", "audit_event", ["action", "id"])
    op.create_index("ix_audit_event_kind", "audit_event", ["subject", "id"])
    op.create_index("ix_audit_event_staff_action", "audit_event", ["staff_id", "action", "id"])


def downgrade() -> None:
    op.drop_index("ix_audit_event_staff_action", "audit_event")
    op.drop_index("ix_audit_event_kind", "audit_event")
    op.drop_index("ix_audit_event_action", "audit_event")
    op.drop_column("staff", "link_serial")
