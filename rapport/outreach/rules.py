"""When to try again, what was asked for, and which addresses are left alone. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from rapport.kit import tokens

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
# With the delays below a little more than two days: servers are away for a night, and may put us off.
MAX_ATTEMPTS = 60
FIRST_DELAY = timedelta(seconds=5)
LONGEST_DELAY = timedelta(hours=1)

# Whose mails came back so often, for reasons that may pass, gets nothing unasked for a while.
SOFT_BOUNCES = 5
SOFT_FOR = timedelta(days=30)


def is_asked(purpose: str) -> bool:
    """Whether somebody waits for a mail of this purpose."""
    return purpose in ASKED_FOR


def next_attempt(attempts: int, now: datetime, expires_at: datetime | None) -> datetime | None:
    """When to try a mail again after so many failed attempts; None when it is not worth it.

    A mail that expires earlier comes up again just then, to be dropped and wiped.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    # Beyond so many doublings it is the longest delay anyway, and 2 ** 59 of these are no timedelta.
    delay: timedelta = min(FIRST_DELAY * 2 ** min(attempts - 1, 20), LONGEST_DELAY)
    at = now + delay
    return at if expires_at is None else min(at, expires_at)


def soft_bounces(count: int, last: datetime | None, now: datetime) -> int:
    """How many there are with the one that came back now: those of long ago count no more."""
    return 1 if last is None or now - last > SOFT_FOR else count + 1


def is_unreachable(gone: bool, count: int, last: datetime | None, now: datetime) -> bool:
    """Whether nothing unasked goes to an address: nobody is there, or too much came back lately."""
    return gone or (count >= SOFT_BOUNCES and last is not None and now - last <= SOFT_FOR)


def address_hash(secret: str, address: str) -> str:
    """What an address is known by when it must not be kept itself."""
    return tokens.keyed_hash(secret, "mail-address", address.strip().lower())
