"""How a movement comes about: the customer locked, a known key recognised, the purse changed and stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError
from rapport.loyalty.points import repository, rules, store
from rapport.loyalty.points.purse import Entry, Purse

# Keys of our own begin with these; nobody else's may.
OWN_KEYS = ("~", "earn:order:")


class NotEnoughPointsError(ConflictError):
    """The customer has fewer points than were asked for."""


@dataclass(frozen=True)
class Movement:
    """What became of a wish: its transaction, and what the customer could spend after it.

    `repeated` when the same wish with the same key was fulfilled before; nothing was changed then.
    """

    transaction_id: int
    key: str
    points: int
    balance: int
    repeated: bool


def check(points: int, key: str, reason: str | None = None) -> None:
    """Raise InvalidInputError for a wish nobody may have."""
    wrong = rules.mistake(points, key, reason)
    if wrong is None and key.startswith(OWN_KEYS):
        wrong = f"A key must not begin with {OWN_KEYS[1]}, which the ledger itself uses."
    if wrong:
        raise InvalidInputError(wrong)


def locked(session: Session, customer_id: int) -> Purse:
    """The purse of a customer, whom nobody else touches until the session's transaction ends.

    Raises NotFoundError when there is no such customer.
    """
    if not repository.lock_customers(session, [customer_id]):
        raise NotFoundError("There is no such customer.")
    return repository.purses(session, [customer_id])[customer_id]


def locked_heir(session: Session, customer_id: int) -> Purse:
    """The same of whom the customer was merged into, if into anyone."""
    purse = locked(session, customer_id)
    heir = repository.merged_into(session, customer_id)
    return purse if heir is None else locked_heir(session, heir)


def repeated(session: Session, key: str, fingerprint: str) -> Movement | None:
    """What came of this key before. Raises ConflictError when it was another wish."""
    known = repository.transaction_by_key(session, key)
    if known is None:
        return None
    if known.fingerprint != fingerprint:
        raise ConflictError("This key was used for something else. Use a new key for a new movement.")
    return Movement(known.id, known.key, known.points, known.balance, repeated=True)


def expired(purse: Purse, at: datetime) -> list[tuple[Purse, Entry]]:
    """The transaction that ends the lots that have ended by now, if there are any.

    It comes before anything else that moves a customer's points: what has ended is never spent, however late
    the task comes by. (A lot opened in the same batch has no id yet; it is left to the next step.)
    """
    due = [lot for lot in purse.due(at) if lot.id is not None]
    if not due:
        return []
    points = sum(lot.remaining for lot in due)
    entry = Entry(f"~expire:{due[0].id}", "expire", at, points)
    purse.expire(entry, due)
    return [(purse, entry)]


def book(session: Session, purse: Purse, entry: Entry) -> Movement:
    """Write one transaction. Raises ConflictError when somebody else just took its key."""
    if not store.write(session, [(purse, entry)]):
        known = repeated(session, entry.key, entry.fingerprint)
        if known is None:
            raise RuntimeError("a transaction was refused without reason")
        return known
    assert entry.transaction_id is not None
    return Movement(entry.transaction_id, entry.key, entry.points, entry.balance, repeated=False)
