"""Whether what a step tells of is still so: it was found when the journey began, which may be days ago."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from rapport.loyalty.points import service as ledger
from rapport.outreach.journeys.definition import Journey
from rapport.outreach.journeys.words import NoWordsError
from rapport.shop import repository as shop
from rapport.site.rules import is_sold_out


def context(
    session: Session, journey: Journey, customer_id: int, found: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """What the words need to know of it, as it is now. Raises NoWordsError when it is not so any more."""
    match journey.trigger.on:
        case "points_end" if "until" in found:
            return {**found, **_points(session, customer_id, datetime.fromisoformat(found["until"]), now)}
        case "back_in_stock" if "sku" in found:
            product = shop.product_by_sku(session, found["sku"])
            if product is None or is_sold_out(product.stock):
                raise NoWordsError({"product"})
    return dict(found)


def _points(session: Session, customer_id: int, until: datetime, now: datetime) -> dict[str, Any]:
    """Those that are left of the ones that end until then."""
    lots = ledger.open_lots(session, customer_id)
    ending = [(at, points) for points, at in lots if at is not None and now < at <= until]
    if not ending:
        raise NoWordsError({"points"})
    return {"points": sum(points for _, points in ending), "expires_at": min(ending)[0].isoformat()}
