"""Two customers turn out to be one."""

from __future__ import annotations

from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError
from rapport.loyalty.points import booking, repository, rules, store, tiers
from rapport.loyalty.points.purse import Entry


def merge(session: Session, from_id: int, into_id: int, *, key: str) -> None:
    """Move all points of one customer to another: spendable, pending, held, owed, each lot with its end.

    What one of them owes is repaid by what the other has. Only points: orders, conversations and the rest of
    a customer are merged elsewhere. The merged account stays empty; what still arrives for it (points earned,
    an order sent back) goes to the other. Again changes nothing. Raises NotFoundError, InvalidInputError, and
    ConflictError when `from_id` was merged into somebody else.
    """
    booking.check(1, key)
    into_id = repository.merged_into(session, into_id) or into_id
    if from_id == into_id:
        raise InvalidInputError("A customer cannot be merged into themselves.")
    if len(repository.lock_customers(session, [from_id, into_id])) < 2:
        raise NotFoundError("There is no such customer.")
    heir = repository.merged_into(session, from_id)
    if heir == into_id:
        return
    if heir is not None or repository.merged_into(session, into_id) is not None:
        raise ConflictError("One of the two was merged into somebody else.")
    purses = repository.purses(session, [from_id, into_id])
    source, target = purses[from_id], purses[into_id]
    at = clock.now()
    fingerprint = rules.fingerprint(kind="merge", source=from_id, target=into_id)
    if booking.repeated(session, key, fingerprint):
        return
    for purse in (source, target):
        for owner, ended in booking.expired(purse, at):
            booking.book(session, owner, ended)
    entry = Entry(key, "merge", at, sum(abs(points) for points in source.balances.values()), fingerprint)
    source.pour_into(target, entry)
    if entry.postings:
        booking.book(session, target, entry)
    store.move_states(session, source, target)
    store.set_merged(session, from_id, into_id)
    tiers.review(session, [into_id], at)
