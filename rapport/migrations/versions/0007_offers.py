"""Offers with audiences and budgets, referrals."""

from __future__ import annotations

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Filled in by the slice that needs it."""
