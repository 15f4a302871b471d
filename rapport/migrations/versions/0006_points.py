"""Points by lots, holds, tiers."""

from __future__ import annotations

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Filled in by the slice that needs it."""
