"""`refill`: by their own rhythm somebody orders again in so many `days`. Once after each last order.

Only who bought the same thing in two orders or more has something to refill, and only while it can be had.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from rapport.outreach.journeys.triggers.base import Found, Search, batches
from rapport.outreach.journeys.triggers.orders import bought_by, to_be_had
from rapport.value.models import CustomerValue

TIMES = 2


def find(session: Session, search: Search) -> Iterator[list[Found]]:
    expected = CustomerValue.expected_next_at
    query = select(
        CustomerValue.customer_id.label("id"), CustomerValue.last_order_at, expected.label("at")
    ).where(
        expected > search.since + search.days,
        expected <= search.now + search.days,
        CustomerValue.buying_days >= TIMES,
        CustomerValue.last_order_at.is_not(None),
    )
    for rows in batches(session, query, expected, CustomerValue.customer_id):
        bought = bought_by(session, [row.id for row in rows])
        usual = {person: favourites(times) for person, times in bought.items()}
        sold = to_be_had(session, {sku for skus in usual.values() for sku in skus})
        found = []
        for row in rows:
            sku = next((sku for sku in usual.get(row.id, []) if sku in sold), None)
            if sku is not None:
                key = f"after:{row.last_order_at:%Y-%m-%d}"
                found.append(Found(row.id, key, row.at - search.days, {"sku": sku}))
        yield found


def favourites(times: dict[str, int]) -> list[str]:
    """What is in two orders or more, what is in most of them first."""
    return sorted((sku for sku in times if times[sku] >= TIMES), key=lambda sku: (-times[sku], sku))
