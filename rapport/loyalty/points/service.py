"""Points: what others may ask for.

Points are whole numbers in a double-entry ledger that is only ever added to (docs/adr/0009). What a customer
can spend lies in lots, each with its end; the nearest is used first. Whatever comes in repays a debt first.

Every movement has a `key` of the caller's that makes it happen once: the same key with the same wish gives
the same answer (`repeated`), with another wish a ConflictError. Times are not part of the wish: who tries
again a minute later means the same. Keys and reasons are words, never a person's data: they stay for ever.

A customer is locked from the first movement to the end of the session's transaction: two never interleave.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.loyalty.points import orders, repository, rules, tiers
from rapport.loyalty.points.booking import Movement, NotEnoughPointsError
from rapport.loyalty.points.merging import merge
from rapport.loyalty.points.movements import DEFAULT, burn, capture, earn, hold, release, reverse
from rapport.loyalty.points.orders import (
    cancel_order,
    earn_for_order,
    earn_for_orders,
    note_delivery,
    reverse_for_refund,
)
from rapport.loyalty.points.rules import Tier
from rapport.shop.facts import get_facts

__all__ = [
    "DEFAULT",
    "Liability",
    "Line",
    "Movement",
    "NotEnoughPointsError",
    "Statement",
    "Tier",
    "balance",
    "burn",
    "cancel_order",
    "capture",
    "earn",
    "earn_for_order",
    "earn_for_orders",
    "history",
    "hold",
    "liability",
    "merge",
    "note_delivery",
    "open_lots",
    "owner_of_hold",
    "owners",
    "pending",
    "release",
    "reverse",
    "reverse_for_refund",
    "statement",
    "tier",
]


@dataclass(frozen=True)
class Statement:
    """What a customer has. `debt` is how many points they owe (0 or more).

    `next_expiry` and `next_pending` are (points, when) of the next day on which some end or become spendable.
    """

    available: int
    pending: int
    held: int
    debt: int
    next_expiry: tuple[int, datetime] | None
    next_pending: tuple[int, datetime] | None
    tier: Tier


@dataclass(frozen=True)
class Liability:
    """Points customers have, and what spending all of them would cost, in minor units of the shop's currency.

    `value_minor` is of those spendable or held (`held_minor` of the latter), `pending_minor` of those that
    may still be taken back.
    """

    points: int
    held: int
    pending: int
    debt: int
    value_minor: int
    held_minor: int
    pending_minor: int


@dataclass(frozen=True)
class Line:
    """A transaction in a customer's history: what it changed in their points, pending, held and debt."""

    at: datetime
    kind: str
    key: str
    reason: str | None
    order_id: int | None
    balance: int
    changes: dict[str, int]


def balance(session: Session, customer_id: int) -> int:
    """The points the customer can spend now; never below 0."""
    return repository.spendable(session, customer_id, clock.now())


def statement(session: Session, customer_id: int, now: datetime | None = None) -> Statement:
    """All about the customer's points; nothing is changed."""
    now = now or clock.now()
    zone = ZoneInfo(get_facts().timezone)
    balances = repository.balances(session, customer_id)
    lots = [
        (points, end)
        for points, end in repository.open_lots(session, customer_id)
        if end is None or end > now
    ]
    return Statement(
        available=sum(points for points, _ in lots),
        pending=balances.get("pending", 0),
        held=balances.get("held", 0),
        debt=-balances.get("debt", 0),
        next_expiry=rules.first_day([(points, end) for points, end in lots if end], zone),
        next_pending=rules.first_day(repository.pending(session, customer_id), zone),
        tier=tier(session, customer_id, now),
    )


def tier(session: Session, customer_id: int, now: datetime | None = None) -> Tier:
    """The customer's level: what they earned in the club's window, less what was taken back of just that."""
    return tiers.of(session, customer_id, now or clock.now())


def liability(session: Session) -> Liability:
    """What the shop owes its customers in points."""
    sums = repository.totals(session)
    points, held, pending = (sums.get(kind, 0) for kind in ("points", "held", "pending"))
    value = get_facts().club.point_value_minor
    return Liability(
        points=points,
        held=held,
        pending=pending,
        debt=-sums.get("debt", 0),
        value_minor=(points + held) * value,
        held_minor=held * value,
        pending_minor=pending * value,
    )


def owners(session: Session, order_id: int) -> set[int]:
    """Whose points an order moved so far."""
    return orders.owners(session, order_id)


def owner_of_hold(session: Session, hold_key: str) -> int | None:
    """Whose points are held by that key; None when none are."""
    taken = repository.transaction_by_key(session, hold_key)
    return repository.owner_of(session, taken.id) if taken and taken.kind == "hold" else None


def history(session: Session, customer_id: int, limit: int = 20) -> list[Line]:
    """The customer's newest movements, newest first."""
    return [
        Line(one.at, one.kind, one.key, one.reason, one.order_id, one.balance, changes)
        for one, changes in repository.history(session, customer_id, limit)
    ]


def open_lots(session: Session, customer_id: int) -> list[tuple[int, datetime | None]]:
    """(points, when they end) of what the customer can spend, in the order it is used up."""
    lots = repository.open_lots(session, customer_id)
    return sorted(lots, key=lambda lot: (lot[1] is None, lot[1] or clock.now()))


def pending(session: Session, customer_id: int) -> list[tuple[int, datetime]]:
    """(points, when they can be spent) of what is pending, the next first."""
    return sorted(repository.pending(session, customer_id), key=lambda one: one[1])
