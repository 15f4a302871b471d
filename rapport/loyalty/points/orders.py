"""Points for orders: earned, taken back with refunds; and points paid with, given back with refunds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.loyalty.points import booking, repository, rules, store, tiers
from rapport.loyalty.points.purse import Credit, Entry, Purse
from rapport.shop import repository as shop_repository
from rapport.shop.facts import get_facts
from rapport.shop.models import Order, Refund


def earn_for_order(session: Session, order: Order, at: datetime | None = None) -> int:
    """Credit the points of an order, once; returns how many were credited now.

    They are pending during the return period: so many days from delivery, or from the order while that is
    not known. Calling it again once delivery is known sets the day anew. Orders without a customer, cancelled
    ones and those in another currency than the shop's earn nothing; nor does what was paid back before.
    """
    session.flush()
    if order.customer_id is None:
        return 0
    purse = booking.locked_heir(session, order.customer_id)
    if repository.transaction_by_key(session, _key(order.id)) is not None:
        _note_delivery(session, order)
        return 0
    made = _earning(order, shop_repository.refunded_minor(session, order.id), at or clock.now())
    if made is None:
        return 0
    for owner, entry in booking.expired(purse, made.at):
        booking.book(session, owner, entry)
    assert made.credit is not None
    purse.earn(made, made.credit)
    booking.book(session, purse, made)
    tiers.review(session, [purse.customer_id], made.at)
    return made.points


def earn_for_orders(session: Session, orders: Sequence[Order]) -> int:
    """The same for some thousand orders of which none earned points yet, each at the time it was placed.

    Returns how many points were credited. Takes a few statements, however many orders there are; the levels
    are looked at by the task.
    """
    session.flush()
    if not orders:
        return 0
    wanted = sorted({order.customer_id for order in orders if order.customer_id is not None})
    purses = repository.purses(session, repository.lock_customers(session, wanted))
    refunded = repository.refunded(session, [order.id for order in orders])
    pairs = []
    for order in orders:
        if order.customer_id is None:
            continue
        purse = purses[order.customer_id]
        made = _earning(order, refunded.get(order.id, 0), order.placed_at)
        if made is not None and made.credit is not None:
            purse.earn(made, made.credit)
            pairs.append((purse, made))
    store.write(session, pairs)
    store.mark_for_review(session, wanted, max(order.placed_at for order in orders))
    return sum(made.points for _, made in pairs)


def note_delivery(session: Session, order: Order) -> None:
    """Let the order's pending points mature at the end of the return period, now that delivery is known."""
    session.flush()
    if order.customer_id is not None:
        booking.locked_heir(session, order.customer_id)
        _note_delivery(session, order)


def reverse_for_refund(session: Session, refund: Refund) -> int:
    """Take back the points of what was refunded, and give back the refunded share of points paid with.

    Once per refund; returns how many points were taken back now. What stays is exactly what the rest of the
    order would have earned at the rate its points were earned at.
    """
    session.flush()
    order = session.get(Order, refund.order_id) if refund.order_id is not None else None
    if order is None:
        return 0

    def due() -> tuple[int, int]:
        refunded = shop_repository.refunded_minor(session, order.id)
        return order.total_minor - refunded, refunded

    return _undo(session, order, due, f"refund:{refund.id}", refund.at)


def cancel_order(session: Session, order: Order) -> int:
    """Take back all points of a cancelled order and give back all that were paid with; once.

    Returns how many points were taken back now.
    """
    session.flush()
    return _undo(session, order, lambda: (0, max(order.total_minor, 1)), f"cancel:{order.id}", clock.now())


def owners(session: Session, order_id: int) -> set[int]:
    """Whose points the order moved so far: who earned with it and who paid with some."""
    return repository.owners_of_order(session, order_id, _key(order_id))


def _key(order_id: int) -> str:
    return f"earn:order:{order_id}"


def _earning(order: Order, refunded_minor: int, at: datetime) -> Entry | None:
    """The transaction that credits the points of what is kept of an order; None when that earns none."""
    facts = get_facts()
    if order.status == "cancelled" or order.currency != facts.currency:
        return None
    kept_minor = order.total_minor - refunded_minor
    points = rules.points_for(kept_minor, facts.club.points, facts.club.per_minor)
    if points == 0:
        return None
    fingerprint = rules.fingerprint(kind="order", order=order.id)
    entry = Entry(_key(order.id), "earn", at, points, fingerprint, reason="order", order_id=order.id)
    entry.credit = Credit(
        points,
        at,
        order_id=order.id,
        rate_points=facts.club.points,
        rate_per_minor=facts.club.per_minor,
        matures_at=rules.maturity(order.placed_at, order.delivered_at, facts.refunds.days),
        valid_days=facts.club.expires_after_days,
    )
    return entry


def _note_delivery(session: Session, order: Order) -> None:
    found = _credit(session, order.id)
    if found is None or found[0].matured_at is not None or order.delivered_at is None:
        return
    credit = found[0]
    credit.matures_at = rules.maturity(order.placed_at, order.delivered_at, get_facts().refunds.days)
    store.save_credits(session, [credit])


def _credit(session: Session, order_id: int) -> tuple[Credit, int] | None:
    """What the order earned, and whose it is."""
    earned = repository.transaction_by_key(session, _key(order_id))
    return repository.credit_of(session, earned.id) if earned else None


def _undo(session: Session, order: Order, due: Callable[[], tuple[int, int]], what: str, at: datetime) -> int:
    """`due` tells, once the customer is locked, what of the order is (kept, paid back) in minor units."""
    # The lock makes two refunds of one order wait for each other.
    purses = _locked_purses(session, order)
    for purse in purses.values():
        for owner, entry in booking.expired(purse, clock.now()):
            booking.book(session, owner, entry)
    kept_minor, refunded_minor = due()
    taken_back = _take_back(session, purses, order, kept_minor, what, at)
    _give_back(session, purses, order, refunded_minor, what, at)
    return taken_back


def _locked_purses(session: Session, order: Order) -> dict[int, Purse]:
    """The purses of all who earned points with the order or paid with some: mostly of one customer."""
    while True:
        owners = sorted(repository.owners_of_order(session, order.id, _key(order.id)))
        # The buyer as well: what the order earns may be booked at this very moment.
        buyer = [] if order.customer_id is None else [order.customer_id]
        repository.lock_customers(session, [*owners, *buyer])
        # Somebody may have been merged while we waited.
        if repository.owners_of_order(session, order.id, _key(order.id)) == set(owners):
            return repository.purses(session, owners)


def _take_back(
    session: Session, purses: dict[int, Purse], order: Order, kept_minor: int, what: str, at: datetime
) -> int:
    found = _credit(session, order.id)
    if found is None:
        return 0
    credit, purse = found[0], purses[found[1]]
    club = get_facts().club
    rate = (
        club.points if credit.rate_points is None else credit.rate_points,
        credit.rate_per_minor or club.per_minor,
    )
    points = rules.points_to_take_back(credit.points, credit.taken_back, rules.points_for(kept_minor, *rate))
    if points == 0:
        return 0
    entry = Entry(f"~{what}", "take_back", at, points, order_id=order.id, about_id=credit.transaction_id)
    # Only the taking back of a whole transaction in one go is its reversal.
    entry.reverses_id = credit.transaction_id if points == credit.points else None
    purse.take_back(entry, credit, points, repository.own_lots(session, purse, credit.id))
    if booking.book(session, purse, entry).repeated:
        return 0
    store.save_credits(session, [credit])
    tiers.review(session, [purse.customer_id], at)
    return points


def _give_back(
    session: Session, purses: dict[int, Purse], order: Order, refunded_minor: int, what: str, at: datetime
) -> None:
    # Somebody else may be paying on this order at this very moment: then they pay after the refund.
    spendings = [one for one in repository.spendings_on(session, order.id) if one.customer_id in purses]
    left = rules.points_to_restore(
        sum(spent.points for spent in spendings),
        sum(spent.restored for spent in spendings),
        refunded_minor,
        order.total_minor,
    )
    grace = timedelta(days=get_facts().club.grace_days)
    for spent in reversed(spendings):
        points = min(left, spent.points - spent.restored)
        if points == 0:
            continue
        left -= points
        purse = purses[spent.customer_id]
        entry = Entry(f"~{what}:{spent.id}", "restore", at, points, order_id=order.id)
        entry.about_id = spent.spent_id
        taken = repository.lots_taken(session, purse, spent.transaction_id)
        purse.restore(entry, taken, spent.restored, grace, clock.now())
        if not booking.book(session, purse, entry).repeated:
            store.change_spending(session, spent.id, restored=spent.restored + points)
