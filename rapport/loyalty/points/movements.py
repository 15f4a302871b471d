"""Points earned, spent, held and undone, one movement at a time."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError
from rapport.loyalty.points import booking, repository, rules, store, tiers
from rapport.loyalty.points.booking import Movement, NotEnoughPointsError
from rapport.loyalty.points.purse import HELD, REDEEMED, Credit, Entry, Purse
from rapport.shop.facts import get_facts


class Default(Enum):
    """Points end when the shop's rule says."""

    DEFAULT = "default"


DEFAULT = Default.DEFAULT


def earn(
    session: Session,
    customer_id: int,
    points: int,
    *,
    key: str,
    reason: str,
    order_id: int | None = None,
    matures_at: datetime | None = None,
    expires_at: datetime | Default | None = DEFAULT,
    at: datetime | None = None,
) -> Movement:
    """Credit points: spendable at once, or pending until `matures_at`.

    They end at `expires_at` (None: never; left out: by the shop's rule). For a merged customer they go to
    whom they were merged into. `order_id` only says what they were given for: a refund takes back what the
    order itself earned (`earn_for_order`). Raises NotFoundError, InvalidInputError, ConflictError.
    """
    booking.check(points, key, reason)
    fingerprint = rules.fingerprint(
        kind="earn", customer=customer_id, points=points, order=order_id, reason=reason
    )
    purse = booking.locked_heir(session, customer_id)
    if known := booking.repeated(session, key, fingerprint):
        return known
    at = at or clock.now()
    later = matures_at is not None and matures_at > at
    credit = Credit(
        points,
        at,
        order_id=order_id,
        matures_at=matures_at if later else None,
        matured_at=None if later else at,
        expires_at=None if isinstance(expires_at, Default) else expires_at,
        valid_days=get_facts().club.expires_after_days if isinstance(expires_at, Default) else None,
    )
    _end_due(session, purse, at)
    entry = Entry(key, "earn", at, points, fingerprint, reason=reason, order_id=order_id)
    purse.earn(entry, credit)
    movement = booking.book(session, purse, entry)
    tiers.review(session, [purse.customer_id], at)
    return movement


def burn(
    session: Session,
    customer_id: int,
    points: int,
    *,
    key: str,
    reason: str,
    order_id: int | None = None,
    at: datetime | None = None,
) -> Movement:
    """Spend points. With `order_id` they come back in the share of the order that is refunded.

    Raises NotEnoughPointsError, NotFoundError, InvalidInputError, ConflictError.
    """
    return _spend(session, customer_id, points, key, "burn", reason, order_id, None, at)


def hold(
    session: Session,
    customer_id: int,
    points: int,
    *,
    key: str,
    until: datetime,
    at: datetime | None = None,
) -> Movement:
    """Set points aside before `until`, to `capture` or to `release` by the key of the hold.

    Raises NotEnoughPointsError, NotFoundError, InvalidInputError, ConflictError.
    """
    return _spend(session, customer_id, points, key, "hold", None, None, until, at)


def capture(
    session: Session, hold_key: str, *, key: str, order_id: int | None = None, at: datetime | None = None
) -> Movement:
    """Spend what is held, all of it; only before the hold's end. The order may be told later, once.

    Raises NotFoundError without such a hold, ConflictError when it was captured or released or has run out.
    """
    purse, spent = _held(session, hold_key)
    booking.check(spent.points, key)
    fingerprint = rules.fingerprint(kind="capture", hold=hold_key, order=order_id)
    if known := booking.repeated(session, key, fingerprint):
        return known
    if spent.status == "spent" and order_id is not None and spent.order_id in {None, order_id}:
        return _link(session, spent, order_id)
    at = at or clock.now()
    if spent.status != "held" or (spent.until is not None and spent.until <= at):
        raise ConflictError("These points are no longer held.")
    entry = Entry(
        key, "capture", at, spent.points, fingerprint, order_id=order_id, about_id=spent.transaction_id
    )
    _end_due(session, purse, at)
    purse.capture(entry)
    movement = booking.book(session, purse, entry)
    store.change_spending(
        session, spent.id, status="spent", spent_id=movement.transaction_id, order_id=order_id
    )
    return movement


def _link(session: Session, spent: repository.Spent, order_id: int) -> Movement:
    """Say which order captured points were spent on, so that its refund gives them back."""
    assert spent.spent_id is not None
    store.change_spending(session, spent.id, order_id=order_id)
    done = repository.transaction(session, spent.spent_id)
    return Movement(done.id, done.key, done.points, done.balance, repeated=True)


def release(session: Session, hold_key: str, *, key: str, at: datetime | None = None) -> Movement:
    """Give held points back. Again, or after the hold ran out, it tells what was done then.

    Raises NotFoundError without such a hold, ConflictError when it was captured.
    """
    purse, spent = _held(session, hold_key)
    booking.check(spent.points, key)
    fingerprint = rules.fingerprint(kind="release", hold=hold_key)
    if known := booking.repeated(session, key, fingerprint):
        return known
    if spent.status == "spent":
        raise ConflictError("These points were spent.")
    if spent.status == "released":
        done = repository.release_of(session, spent.transaction_id)
        return Movement(done.id, done.key, done.points, done.balance, repeated=True)
    at = at or clock.now()
    _end_due(session, purse, at)
    entry = Entry(key, "release", at, spent.points, fingerprint, about_id=spent.transaction_id)
    purse.release(entry, repository.lots_taken(session, purse, spent.transaction_id))
    movement = booking.book(session, purse, entry)
    store.change_spending(session, spent.id, status="released")
    return movement


def reverse(session: Session, transaction_key: str, *, key: str, at: datetime | None = None) -> Movement:
    """Undo an earning or a spending, as far as nothing else has: at most once.

    Raises NotFoundError without such a transaction, ConflictError when nothing is left to undo or it is of
    another kind (a hold is released).
    """
    booking.check(1, key)
    original = repository.transaction_by_key(session, transaction_key)
    if original is None:
        raise NotFoundError("There is no such movement of points.")
    fingerprint = rules.fingerprint(kind="reverse", transaction=transaction_key)
    owner = repository.owner_of(session, original.id)
    if owner is None:
        raise ConflictError("Only points earned or spent can be reversed.")
    purse = booking.locked_heir(session, owner)
    if known := booking.repeated(session, key, fingerprint):
        return known
    at = at or clock.now()
    _end_due(session, purse, at)
    entry = Entry(key, "take_back", at, 0, fingerprint, order_id=original.order_id, about_id=original.id)
    entry.reverses_id = original.id
    if found := repository.credit_of(session, original.id):
        return _reverse_earning(session, purse, entry, found[0])
    return _reverse_spending(session, purse, entry)


def _reverse_earning(session: Session, purse: Purse, entry: Entry, credit: Credit) -> Movement:
    entry.points = credit.points - credit.taken_back
    if entry.points == 0:
        raise ConflictError("These points were taken back already.")
    purse.take_back(entry, credit, entry.points, repository.own_lots(session, purse, credit.id))
    movement = booking.book(session, purse, entry)
    store.save_credits(session, [credit])
    tiers.review(session, [purse.customer_id], entry.at)
    return movement


def _reverse_spending(session: Session, purse: Purse, entry: Entry) -> Movement:
    assert entry.about_id is not None
    spent = repository.spending_of(session, entry.about_id)
    if spent is None or spent.status != "spent":
        raise ConflictError("These points were not spent.")
    entry.kind, entry.points = "restore", spent.points - spent.restored
    entry.about_id = entry.reverses_id = spent.spent_id
    if entry.points == 0:
        raise ConflictError("These points were given back already.")
    taken = repository.lots_taken(session, purse, spent.transaction_id)
    purse.restore(entry, taken, spent.restored, timedelta(days=get_facts().club.grace_days), entry.at)
    movement = booking.book(session, purse, entry)
    store.change_spending(session, spent.id, restored=spent.points)
    return movement


def _spend(
    session: Session,
    customer_id: int,
    points: int,
    key: str,
    kind: str,
    reason: str | None,
    order_id: int | None,
    until: datetime | None,
    at: datetime | None,
) -> Movement:
    booking.check(points, key, reason)
    fingerprint = rules.fingerprint(
        kind=kind, customer=customer_id, points=points, order=order_id, reason=reason
    )
    purse = booking.locked(session, customer_id)
    if known := booking.repeated(session, key, fingerprint):
        return known
    at = at or clock.now()
    if until is not None and until <= at:
        raise InvalidInputError("A hold must end in the future.")
    if purse.points - sum(lot.remaining for lot in purse.due(at)) < points:
        raise NotEnoughPointsError("The customer has not enough points.")
    _end_due(session, purse, at)
    entry = Entry(key, kind, at, points, fingerprint, reason=reason, order_id=order_id)
    purse.spend(entry, HELD if kind == "hold" else REDEEMED)
    movement = booking.book(session, purse, entry)
    if not movement.repeated:
        status = "held" if kind == "hold" else "spent"
        store.add_spending(session, purse, entry, status, order_id, until)
    return movement


def _held(session: Session, hold_key: str) -> tuple[Purse, repository.Spent]:
    """The hold of that key and the locked purse it came from. Raises NotFoundError."""
    taken = repository.transaction_by_key(session, hold_key)
    owner = repository.owner_of(session, taken.id) if taken and taken.kind == "hold" else None
    if taken is None or owner is None:
        raise NotFoundError("No points are held by that key.")
    purse = booking.locked_heir(session, owner)
    spent = repository.spending_of(session, taken.id)
    assert spent is not None
    return purse, spent


def _end_due(session: Session, purse: Purse, at: datetime) -> None:
    for owner, entry in booking.expired(purse, at):
        booking.book(session, owner, entry)
