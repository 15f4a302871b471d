"""`refill`: by their own rhythm somebody orders again in so many `days`. Once after each last order.

What is refilled is what was in three orders of theirs or more, and can be had. Of what the trigger is limited
to (`only`) two are enough: the shop knows that it is used up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from rapport.outreach.journeys.triggers.base import Found, Search, batches
from rapport.outreach.journeys.triggers.orders import bought_by, to_be_had
from rapport.value.models import CustomerValue

TIMES, TIMES_OF_WHAT_IS_USED_UP = 3, 2


def find(session: Session, search: Search) -> Iterator[list[Found]]:
    only = frozenset(search.journey.trigger.only)
    expected = CustomerValue.expected_next_at
    query = select(
        CustomerValue.customer_id.label("id"), CustomerValue.last_order_at, expected.label("at")
    ).where(
        expected > search.since + search.days,
        expected <= search.now + search.days,
        CustomerValue.buying_days >= TIMES_OF_WHAT_IS_USED_UP,
        CustomerValue.last_order_at.is_not(None),
    )
    for rows in batches(session, query, expected, CustomerValue.customer_id):
        bought = bought_by(session, [row.id for row in rows])
        again = {sku for times in bought.values() for sku in times if times[sku] > 1}
        sold = to_be_had(session, again)
        found = []
        for row in rows:
            sku = usual(bought.get(row.id, {}), sold, only)
            if sku is not None:
                key = f"after:{row.last_order_at:%Y-%m-%d}"
                found.append(Found(row.id, key, row.at - search.days, {"sku": sku}))
        yield found


def usual(times: Mapping[str, int], sold: Mapping[str, str | None], only: Collection[str]) -> str | None:
    """What somebody buys most often of what can be had (`sold`: its category by SKU); None if nothing often.

    `times`: in how many of their orders each SKU was.
    """
    enough = TIMES_OF_WHAT_IS_USED_UP if only else TIMES
    often = [
        sku
        for sku, count in times.items()
        if count >= enough and sku in sold and (not only or {sku, sold[sku]} & set(only))
    ]
    return min(often, key=lambda sku: (-times[sku], sku), default=None)
