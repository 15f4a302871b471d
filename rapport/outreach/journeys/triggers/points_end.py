"""`points_end`: points of the club end in so many `days`. Once for each month in which some do.

Told are all that end until then or later in that month; only who has enough points to use them is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from rapport.loyalty.offers.rulebook import get_rulebook
from rapport.loyalty.points.models import Account, Lot
from rapport.outreach.journeys.triggers.base import Found, Search, batches
from rapport.shop.facts import get_facts


def find(session: Session, search: Search) -> Iterator[list[Found]]:
    zone = ZoneInfo(get_facts().timezone)
    rule = get_rulebook().points
    enough = rule.minimum if rule else 1
    query = (
        select(Lot.id, Account.customer_id, Account.id.label("account_id"), Lot.expires_at.label("at"))
        .join(Account, Account.id == Lot.account_id)
        .where(
            Lot.remaining > 0,
            Lot.expires_at.is_not(None),
            Lot.expires_at > search.since + search.days,
            Lot.expires_at <= search.now + search.days,
            Account.customer_id.is_not(None),
            Account.balance >= enough,
        )
    )
    for rows in batches(session, query, Lot.expires_at, Lot.id):
        lots = _lots(session, {row.account_id for row in rows}, search.now)
        found = []
        for row in rows:
            until = max(search.now + search.days, month_end(row.at, zone))
            ending = [(at, points) for at, points in lots.get(row.account_id, ()) if at <= until]
            if not ending:
                continue
            context = {
                "points": sum(points for _, points in ending),
                "expires_at": min(at for at, _ in ending).isoformat(),
                "until": until.isoformat(),
            }
            key = f"points:{row.at.astimezone(zone):%Y-%m}"
            found.append(Found(row.customer_id, key, row.at - search.days, context))
        yield found


def month_end(at: datetime, zone: tzinfo) -> datetime:
    """The last moment of the month that `at` lies in, on the shop's calendar."""
    local = at.astimezone(zone)
    next_month = (local.replace(day=1) + timedelta(days=32)).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    return next_month.astimezone(UTC) - timedelta(microseconds=1)


def _lots(
    session: Session, account_ids: Collection[int], now: datetime
) -> dict[int, list[tuple[datetime, int]]]:
    """(end, points) of what is in these accounts and ends some day."""
    rows: Any = session.execute(
        select(Lot.account_id, Lot.expires_at, Lot.remaining).where(
            Lot.account_id.in_(account_ids), Lot.remaining > 0, Lot.expires_at > now
        )
    )
    found: dict[int, list[tuple[datetime, int]]] = {}
    for account_id, at, points in rows:
        found.setdefault(account_id, []).append((at, points))
    return found
