"""Pure rules of referrals: who may be brought by whom, and when that is rewarded."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from rapport.customers.mailboxes import mailbox
from rapport.kit.errors import ConflictError
from rapport.loyalty.offers.rules import ALPHABET

CODE_LENGTH = 6
# Who gives a friend's code right after ordering is as new as who does so right before.
JUST_NOW = timedelta(days=1)


class Refusal(StrEnum):
    """Why somebody cannot be brought by this code."""

    UNKNOWN = "unknown"
    SELF = "self"
    ALREADY_REFERRED = "already_referred"
    NOT_NEW = "not_new"
    MUTUAL = "mutual"
    CLOSED = "closed"
    CONFLICT = "conflict"


class ReferralError(ConflictError):
    """A friend's code that cannot be taken; `reason` says why."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(f"The referral cannot be taken: {reason.value.replace('_', ' ')}.")
        self.reason = reason


def new_code(prefix: str) -> str:
    """A code for friends, such as `FJ-7KQMX2`; never only digits, as an order's number is."""
    while True:
        characters = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
        if not characters.isdigit():
            return f"{prefix}-{characters}"


def reachable_at(identities: Iterable[tuple[str, str]]) -> set[str]:
    """What somebody is reached at, comparable: mailboxes, and numbers whatever channel they are used on."""
    return {mailbox(value) if "@" in value else value for _, value in identities}


def due_at(placed_at: datetime, delivered_at: datetime | None, return_days: int) -> datetime:
    """When an order can't be sent back any more."""
    return (delivered_at or placed_at) + timedelta(days=return_days)


def counts(total_minor: int, refunded_minor: int, minimum_minor: int) -> bool:
    """Whether enough of an order is kept; else a friend would be worth a reward for buying nothing."""
    return total_minor - refunded_minor >= minimum_minor


def refused(
    *,
    referrer_id: int | None,
    referee_id: int,
    same_person: bool,
    referred_before: bool,
    orders_before: int,
    brought_referrer: bool,
) -> Refusal | None:
    """Why the referee cannot be brought by this customer; None when they can."""
    if referrer_id is None:
        return Refusal.UNKNOWN
    if referrer_id == referee_id or same_person:
        return Refusal.SELF
    if referred_before:
        return Refusal.ALREADY_REFERRED
    if orders_before > 0:
        return Refusal.NOT_NEW
    if brought_referrer:
        return Refusal.MUTUAL
    return None
