"""Pure rules of points."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

# A key names one wish, e.g. "order:17:points". Neither it nor a reason has room for a sentence or an address:
# both stay in the ledger for ever.
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/+=#|-]{0,119}")
REASON = re.compile(r"[a-z0-9][a-z0-9_:.-]{0,39}")
LARGEST = 1_000_000_000


@dataclass(frozen=True)
class Level:
    """A level of the club and the points it begins at."""

    key: str
    from_points: int


@dataclass(frozen=True)
class Earned:
    """Points earned at a time, and how many of them were taken back since, whenever that was."""

    at: datetime
    points: int
    taken_back: int


@dataclass(frozen=True)
class Tier:
    """A customer's level: the points that count for it, the next level and what is missing to it."""

    key: str
    window_points: int
    next_key: str | None
    missing: int | None


def points_for(amount_minor: int, points: int, per_minor: int) -> int:
    """`points` for every full `per_minor` of an amount; what is left over earns nothing (rounded down)."""
    return max(amount_minor, 0) // per_minor * points


def points_to_take_back(earned: int, taken_back: int, due_after_refund: int) -> int:
    """How many points a refund costs, so that what stays is what the rest of the order would have earned."""
    return max(earned - taken_back - due_after_refund, 0)


def points_to_restore(spent: int, restored: int, refunded_minor: int, total_minor: int) -> int:
    """How many of the points spent on an order come back, so that in all the refunded share has.

    The share is rounded down; when everything is paid back, or the order cost only points, all come back.
    """
    if refunded_minor >= total_minor:
        return spent - restored
    return max(spent * max(refunded_minor, 0) // total_minor - restored, 0)


def last_first(taken: Sequence[int], already: int, points: int) -> list[tuple[int, int]]:
    """(index, points) of where `points` go back to, when `already` went back before.

    `taken` is what was taken from each lot, in that order; what was taken last, the longest-lived, goes
    back first. All parts together give back exactly what was taken.
    """
    result = []
    for index in range(len(taken) - 1, -1, -1):
        skipped = min(already, taken[index])
        already -= skipped
        part = min(points, taken[index] - skipped)
        points -= part
        if part:
            result.append((index, part))
    return result


def end_of(from_time: datetime, valid_days: int | None) -> datetime | None:
    """When points end that are good for so many days; None is never."""
    return None if valid_days is None else from_time + timedelta(days=valid_days)


def maturity(placed_at: datetime, delivered_at: datetime | None, days: int) -> datetime:
    """When an order's points become spendable: at the end of its return period."""
    return (delivered_at or placed_at) + timedelta(days=days)


def window_points(earned: Iterable[Earned], now: datetime, days: int) -> int:
    """The points that count for a level: earned in the last `days`, less what was taken back of those."""
    return sum(one.points - one.taken_back for one in _within(earned, now, days))


def tier(earned: Iterable[Earned], levels: Sequence[Level], now: datetime, days: int) -> Tier:
    """The highest level reached by the points of the window. `levels` rise, the first begins at 0."""
    points = window_points(earned, now, days)
    place = max(index for index, level in enumerate(levels) if index == 0 or level.from_points <= points)
    following = levels[place + 1] if place + 1 < len(levels) else None
    return Tier(
        levels[place].key,
        points,
        following.key if following else None,
        following.from_points - points if following else None,
    )


def tier_review(
    earned: Iterable[Earned], levels: Sequence[Level], now: datetime, days: int
) -> datetime | None:
    """When the level sinks if nothing more happens; None for the lowest, which stays."""
    inside = sorted(_within(earned, now, days), key=lambda one: one.at)
    current = tier(inside, levels, now, days)
    needed = next(level.from_points for level in levels if level.key == current.key)
    if current.key == levels[0].key:
        return None
    points = current.window_points
    for one in inside:
        points -= one.points - one.taken_back
        if points < needed:
            return one.at + timedelta(days=days)
    return None


def _within(earned: Iterable[Earned], now: datetime, days: int) -> list[Earned]:
    begin = now - timedelta(days=days)
    return [one for one in earned if begin < one.at <= now]


def first_day(dated: Iterable[tuple[int, datetime]], zone: tzinfo) -> tuple[int, datetime] | None:
    """(points, first moment) of all that falls on the earliest day, as the shop's calendar has it."""
    ordered = sorted(dated, key=lambda one: one[1])
    if not ordered:
        return None
    first = ordered[0][1]
    day = first.astimezone(zone).date()
    return sum(points for points, at in ordered if at.astimezone(zone).date() == day), first


def fingerprint(**wish: int | str | None) -> str:
    """What tells two wishes of the same key apart."""
    return hashlib.sha256(json.dumps(wish, sort_keys=True).encode()).hexdigest()


def mistake(points: int, key: str, reason: str | None = None) -> str | None:
    """What is wrong with a wish, in words; None when nothing is."""
    if not 0 < points <= LARGEST:
        return f"Points must be a whole number from 1 to {LARGEST}."
    if not KEY.fullmatch(key):
        return "A key is up to 120 letters, digits and the signs _ . : / + = # | - (no address, no sentence)."
    if reason is not None and not REASON.fullmatch(reason):
        return (
            "A reason is one word of up to 40 small letters, digits and the signs _ : . - such as birthday."
        )
    return None
