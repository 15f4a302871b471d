"""When to try again, and what was asked for. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

# What somebody waits for. Any other purpose is unasked, and stopped by a refusal, until it stands here.
ASKED_FOR = frozenset(
    {
        "verification_code",
        "staff_invitation",
        "staff_password",
        "case_answer",
        "subscription",
        "preference_link",
    }
)

# Longer than the slowest send, so that a lease only runs out when its worker is gone.
LEASE = timedelta(minutes=3)
MAX_ATTEMPTS = 12
FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(hours=1)


def next_attempt(attempts: int, now: datetime, expires_at: datetime | None) -> datetime | None:
    """When to try a mail again after so many failed attempts; None when it is not worth it.

    A mail that expires earlier comes up again just then, to be dropped and wiped.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    delay: timedelta = min(FIRST_DELAY * 2 ** (attempts - 1), LONGEST_DELAY)
    at = now + delay
    return at if expires_at is None else min(at, expires_at)
