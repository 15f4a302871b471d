"""Finding or making the customers that order rows speak of, many at once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from rapport.connectors.lines import Who
from rapport.customers.models import Customer, ExternalRef, Identity
from rapport.kit.upsert import insert

Known = dict[str, int]


def resolve(
    session: Session, source: str, people: dict[Who, tuple[str | None, datetime]]
) -> tuple[dict[Who, int], int]:
    """The customer id of each of these (with country and time of their first row), and how many are new.

    The reference counts first, the address second. An address that is someone else's stays theirs.
    """
    references = _known_references(session, source, {who.reference for who in people if who.reference})
    emails = _known_emails(session, {who.email for who in people if who.email})
    new_references, new_emails = dict[str, int](), dict[str, int]()
    new: list[dict[str, object]] = []
    found: dict[Who, int] = {}
    for who, (country, at) in people.items():
        customer = _look_up(who, references | new_references, emails | new_emails)
        if customer is None:
            # Until they have ids the new ones are counted down from -1.
            new.append({"country": country, "stage": "trust", "created_at": at})
            customer = -len(new)
        found[who] = customer
        if who.reference and who.reference not in references:
            new_references.setdefault(who.reference, customer)
        if who.email and who.email not in emails:
            new_emails.setdefault(who.email, customer)
    ids = _add(session, new)

    def real(customer: int) -> int:
        return ids[-customer - 1] if customer < 0 else customer

    _add_references(session, source, {value: real(customer) for value, customer in new_references.items()})
    _add_emails(session, {value: real(customer) for value, customer in new_emails.items()})
    result = {who: real(customer) for who, customer in found.items()}
    _have_bought(session, result.values())
    return result, len(new)


def _look_up(who: Who, references: Known, emails: Known) -> int | None:
    if who.reference and who.reference in references:
        return references[who.reference]
    return emails.get(who.email) if who.email else None


def _known_references(session: Session, source: str, values: set[str]) -> Known:
    rows = session.execute(
        select(ExternalRef.value, ExternalRef.customer_id).where(
            ExternalRef.system == source, ExternalRef.value.in_(values)
        )
    )
    return {row.value: row.customer_id for row in rows}


def _known_emails(session: Session, values: set[str]) -> Known:
    if not values:
        return {}
    rows = session.execute(
        select(Identity.value, Identity.customer_id).where(
            Identity.kind == "email", Identity.value.in_(values)
        )
    )
    return {row.value: row.customer_id for row in rows}


def _add(session: Session, customers: list[dict[str, object]]) -> list[int]:
    if not customers:
        return []
    return list(
        session.scalars(
            insert(session, Customer).returning(Customer.id, sort_by_parameter_order=True), customers
        )
    )


def _add_references(session: Session, source: str, references: Known) -> None:
    if references:
        session.execute(
            insert(session, ExternalRef).on_conflict_do_nothing(index_elements=["system", "value"]),
            [
                {"customer_id": customer, "system": source, "value": value}
                for value, customer in references.items()
            ],
        )


def _add_emails(session: Session, emails: Known) -> None:
    if emails:
        session.execute(
            insert(session, Identity).on_conflict_do_nothing(index_elements=["kind", "value"]),
            [
                {"customer_id": customer, "kind": "email", "value": value}
                for value, customer in emails.items()
            ],
        )


def _have_bought(session: Session, customers: Iterable[int]) -> None:
    session.execute(
        update(Customer)
        .where(Customer.id.in_(set(customers)), Customer.stage != "trust")
        .values(stage="trust")
        .execution_options(synchronize_session=False)
    )
