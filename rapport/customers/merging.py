"""Two records of one person become one, when that person has shown it. Written down, and can be undone.

Only who is no more than a prospect is merged into a customer: two customers are never made one by a claim.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from rapport.customers import belongings, repository
from rapport.customers.models import CustomerMerge
from rapport.kit import clock
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError


def is_prospect(session: Session, customer_id: int) -> bool:
    """Whether they are known by nothing but messaging apps: no mail address, no account, no order."""
    return not belongings.has_standing(session, customer_id)


def merge(session: Session, from_id: int, into_id: int, why: str) -> CustomerMerge:
    """Give all that a prospect has to a customer; the prospect's record stays, empty.

    Raises InvalidInputError when `from_id` is no mere prospect, or both are the same.
    """
    if from_id == into_id:
        raise InvalidInputError("These are the same customer.")
    for customer_id in sorted((from_id, into_id)):
        repository.lock_customer(session, customer_id)
    if not is_prospect(session, from_id):
        raise InvalidInputError("Only a prospect can be merged into a customer.")
    moved = belongings.give(session, from_id, into_id)
    done = CustomerMerge(from_id=from_id, into_id=into_id, why=why, moved=moved, at=clock.now())
    session.add(done)
    session.flush()
    return done


def undo(session: Session, merge_id: int) -> CustomerMerge:
    """Give back what a merge moved, as far as it is still there. Raises NotFoundError or ConflictError."""
    done = session.get(CustomerMerge, merge_id)
    if done is None:
        raise NotFoundError("There is no such merge.")
    for customer_id in sorted((done.from_id, done.into_id)):
        repository.lock_customer(session, customer_id)
    session.refresh(done)
    if done.undone_at is not None:
        raise ConflictError("This merge was undone already.")
    belongings.give_back(session, done.into_id, done.from_id, done.moved)
    done.undone_at = clock.now()
    session.flush()
    return done
