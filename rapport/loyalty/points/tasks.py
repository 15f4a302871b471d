"""What time does to points: pending ones become spendable, holds run out, lots end, levels sink.

In this order: what matures, or comes back, and has ended already, ends in the same run. Each step goes
through what is due in batches and commits after each; a customer somebody else has locked waits for the
next run. Running it again, or in two processes at once, changes nothing more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.loyalty.points import booking, repository, rules, store, tiers
from rapport.loyalty.points.audit import INVARIANTS, check
from rapport.loyalty.points.purse import Entry, Purse
from rapport.shop.facts import get_facts

__all__ = ["INVARIANTS", "check", "run", "steps"]

BATCH = 500


def run(session: Session, now: datetime) -> Counter[str]:
    """Do all that is due; commits after each batch.

    Tells how many earnings matured, holds were released, lots expired and tiers changed, and how many points
    that was (matured_points, released_points, expired_points).
    """
    total: Counter[str] = Counter()
    for done in steps(session, now):
        session.commit()
        total += done
    return total


def steps(session: Session, now: datetime) -> Iterator[Counter[str]]:
    """Do all that is due, batch by batch, without a commit."""
    for due, work in (
        (repository.due_credits, _mature),
        (repository.due_holds, _release),
        (repository.due_lots, _expire),
    ):
        after = None
        while rows := due(session, now, after, BATCH):
            after = rows[-1][:2]
            free = repository.lock_customers(session, sorted({row[2] for row in rows}), skip_locked=True)
            purses = repository.purses(session, free)
            yield work(session, purses, [row[1] for row in rows if row[2] in purses], now)
    yield from _review(session, now)


def _mature(session: Session, purses: dict[int, Purse], ids: list[int], now: datetime) -> Counter[str]:
    found = repository.credits_by_id(session, ids)
    delivered = repository.delivery_times(
        session, [credit.order_id for credit, _ in found.values() if credit.order_id]
    )
    days = get_facts().refunds.days
    pairs, changed = [], []
    done: Counter[str] = Counter()
    for credit, owner in found.values():
        purse = purses.get(owner)
        # Looked at again under the lock: it may have been done, or moved, meanwhile.
        if purse is None or credit.matured_at is not None or credit.matures_at is None:
            continue
        changed.append(credit)
        known = delivered.get(credit.order_id) if credit.order_id else None
        if known and credit.rate_per_minor:
            credit.matures_at = rules.maturity(known, known, days)
        if credit.matures_at > now:
            continue
        points = credit.points - credit.taken_back
        entry = Entry(f"~mature:{credit.id}", "mature", now, points, about_id=credit.transaction_id)
        entry.order_id = credit.order_id
        pairs += _ended(purse, now, done)
        purse.mature(entry, credit)
        pairs.append((purse, entry))
        done += Counter(matured=1, matured_points=points)
    store.write(session, pairs)
    store.save_credits(session, changed)
    return done


def _release(session: Session, purses: dict[int, Purse], ids: list[int], now: datetime) -> Counter[str]:
    done: Counter[str] = Counter()
    for spent in repository.spendings(session, ids):
        purse = purses.get(spent.customer_id)
        if purse is None or spent.status != "held":
            continue
        entry = Entry(f"~overdue:{spent.id}", "release", now, spent.points, about_id=spent.transaction_id)
        pairs = _ended(purse, now, done)
        purse.release(entry, repository.lots_taken(session, purse, spent.transaction_id))
        store.write(session, [*pairs, (purse, entry)])
        store.change_spending(session, spent.id, status="released")
        done += Counter(released=1, released_points=spent.points)
    return done


def _expire(session: Session, purses: dict[int, Purse], _ids: list[int], now: datetime) -> Counter[str]:
    done: Counter[str] = Counter()
    store.write(session, [pair for purse in purses.values() for pair in _ended(purse, now, done)])
    return done


def _ended(purse: Purse, now: datetime, done: Counter[str]) -> list[tuple[Purse, Entry]]:
    """The transaction that ends what has ended in a purse, if anything has; it is counted in `done`."""
    pairs = booking.expired(purse, now)
    for _, entry in pairs:
        done.update(expired=len(entry.movements), expired_points=entry.points)
    return pairs


def _review(session: Session, now: datetime) -> Iterator[Counter[str]]:
    after = 0
    while rows := repository.due_reviews(session, now, after, BATCH):
        after = rows[-1]
        free = repository.lock_customers(session, rows, skip_locked=True)
        yield Counter(tiers=tiers.review(session, free, now))
