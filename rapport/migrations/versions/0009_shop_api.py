"""The shop's own keys and what it sent."""

from __future__ import annotations

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Filled in by the slice that needs it."""
