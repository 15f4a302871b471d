"""Levels of the club: what they are, and a note whenever somebody's changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from rapport.loyalty.points import repository, rules, store
from rapport.shop.facts import get_facts


def levels() -> list[rules.Level]:
    """The shop's levels, lowest first."""
    return [rules.Level(tier.key, tier.from_points) for tier in get_facts().club.tiers]


def of(session: Session, customer_id: int, now: datetime) -> rules.Tier:
    """The customer's level now, worked out from what they earned in the club's window."""
    days = get_facts().club.tier_days
    earned = repository.earned(session, [customer_id], now - timedelta(days=days))
    return rules.tier(earned[customer_id], levels(), now, days)


def review(session: Session, customer_ids: Sequence[int], at: datetime) -> int:
    """Note the levels of these (locked) customers as of `at`; returns how many changed.

    Of whom something newer is known, as of that: what arrives late says nothing about today.
    """
    days, ladder = get_facts().club.tier_days, levels()
    earned = repository.earned(session, customer_ids, at - timedelta(days=days))
    before = repository.tiers(session, customer_ids)
    states, changes = [], []
    for customer_id, (known, review_at) in sorted(before.items()):
        rows = earned[customer_id]
        now = max([at, *(one.at for one in rows)])
        tier = rules.tier(rows, ladder, now, days)
        next_review = rules.tier_review(rows, ladder, now, days)
        if (tier.key, next_review) != (known, review_at):
            states.append((customer_id, tier.key, next_review))
        if tier.key != known:
            changes.append((customer_id, tier.key, tier.window_points, now))
    if states:
        store.save_tiers(session, states)
    if changes:
        store.add_tier_changes(session, changes)
    return len(changes)
