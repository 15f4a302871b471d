"""The customer staff name for a case."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from rapport.cases import repository
from rapport.console.desk import Desk, number
from rapport.customers.models import Customer
from rapport.kit.errors import NotFoundError
from rapport.profiles import repository as profiles


class StrangerError(NotFoundError):
    """Nobody who may be named has this address or number."""


def customer_named(desk: Desk, session: Session, typed: Mapping[str, str]) -> int | None:
    """The customer with this number or address. Raises StrangerError when there is none.

    Numbers are no secret: by one only who sees all customers finds somebody, or who has a conversation of
    theirs.
    """
    found: int | None = None
    if typed.get("email"):
        found = repository.customer_by_address(session, typed["email"].strip().lower())
    elif (wanted := number(typed.get("customer"))) is not None:
        customer = session.get(Customer, wanted)
        found = customer.id if customer else None
        if found and not desk.sees_person() and not profiles.is_in_hands(session, found, desk.staff.id):
            found = None
    elif not typed.get("customer"):
        return None
    if found is None:
        raise StrangerError("There is no such customer.")
    return found


def note_search(desk: Desk, error: Exception) -> None:
    """Who tries addresses until one is a customer's is found out; the address itself is not kept."""
    if isinstance(error, StrangerError):
        with desk.writing() as session:
            desk.note(session, "find nobody", "customer", None)
