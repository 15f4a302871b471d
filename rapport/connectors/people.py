"""Finding or making the customers that order rows speak of, many at once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from rapport.connectors.lines import Who
from rapport.customers import rules
from rapport.customers.models import Customer, ExternalRef, Identity
from rapport.kit.settings import get_settings
from rapport.kit.upsert import insert

Known = dict[str, int]


def resolve(
    session: Session, source: str, people: dict[Who, tuple[str | None, datetime]]
) -> tuple[dict[Who, int], int]:
    """The customer id of each of these (with country and time of their first row), and how many are new.

    By the rules of `customers.service.ensure_customer`: an address alone is whoever has it, but who comes by
    a reference is not taken for the owner of an address. Of two references with one address, the first has
    it.
    """
    references = _known_references(session, source, {who.reference for who in people if who.reference})
    emails = _known_emails(session, {who.email for who in people if who.email})
    have_email = _with_email(session, {*references.values()})
    unjoined = _without_reference(session, source, {*emails.values()}) if _vouches(source) else set[int]()
    known_references, known_emails = dict(references), dict(emails)
    new: list[dict[str, object]] = []
    found: dict[Who, int] = {}
    # Whoever has a name of their own comes first: orders by their address alone are theirs.
    for who, (country, at) in sorted(people.items(), key=lambda one: one[0].reference is None):
        owner = emails.get(who.email) if who.email else None
        customer = rules.whose(
            who.reference is not None,
            references.get(who.reference) if who.reference else None,
            owner,
            owner in unjoined,
        )
        if customer is None:
            # Until they have ids the new ones are counted down from -1.
            new.append({"country": country, "stage": "trust", "created_at": at})
            customer = -len(new)
        found[who] = customer
        if who.reference:
            references.setdefault(who.reference, customer)
            unjoined.discard(customer)
        if who.email and customer not in have_email:
            have_email.add(customer)
            emails.setdefault(who.email, customer)
    ids = _add(session, new)

    def added(now: Known, before: Known) -> Known:
        return {value: real(customer) for value, customer in now.items() if value not in before}

    def real(customer: int) -> int:
        return ids[-customer - 1] if customer < 0 else customer

    _add_references(session, source, added(references, known_references))
    _add_emails(session, added(emails, known_emails))
    result = {who: real(customer) for who, customer in found.items()}
    _have_bought(session, result.values())
    return result, len(new)


def _vouches(source: str) -> bool:
    return get_settings().has_verified_emails(source)


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


def _with_email(session: Session, customers: set[int]) -> set[int]:
    """Those of these customers who have an address."""
    if not customers:
        return set()
    query = select(Identity.customer_id).where(Identity.kind == "email", Identity.customer_id.in_(customers))
    return set(session.scalars(query))


def _without_reference(session: Session, source: str, customers: set[int]) -> set[int]:
    """Those of these customers whom the source never called anything."""
    query = select(ExternalRef.customer_id).where(
        ExternalRef.system == source, ExternalRef.customer_id.in_(customers)
    )
    return customers - set(session.scalars(query))


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
