"""What is done with mentions, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.customers.models import Customer
from rapport.mentions import service
from rapport.mentions.models import Mention

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def mention(session: Session, customer: Customer, **values: object) -> Mention:
    """A complaint of this customer's."""
    what: dict[str, object] = {"kind": "complaint", "at": NOW, "source_id": f"{len(values)}", **values}
    row = Mention(
        source="mastodon",
        author="ann@social.example",
        text="!",
        language="en",
        customer_id=customer.id,
        **what,
    )
    session.add(row)
    session.flush()
    return row


@pytest.mark.parametrize(
    ("values", "resolved", "bad"),
    [
        ({}, None, True),
        ({"kind": "doubt"}, None, False),
        ({"state": "noted"}, None, False),
        ({"removed_at": NOW}, None, False),
        ({"at": NOW + timedelta(hours=1)}, None, False),
        ({"state": "case"}, False, True),
        ({"state": "answered"}, False, True),
        ({"state": "case", "removed_at": NOW}, False, True),
        ({"state": "case"}, True, False),
    ],
)
def test_a_complaint_in_public_counts_until_it_is_settled(
    session: Session, values: dict[str, object], resolved: bool | None, bad: bool
) -> None:
    customer, other = Customer(name="Ann"), Customer(name="Bo")
    session.add_all([customer, other])
    session.flush()
    row = mention(session, customer, **values)
    if resolved is not None:
        case = Case(kind="mention", message_key="k", text="!", language="en")
        case.resolved_at = NOW if resolved else None
        session.add(case)
        session.flush()
        row.case_id = case.id
        session.flush()
    assert service.has_bad(session, customer.id, NOW) is bad
    assert not service.has_bad(session, other.id, NOW)
