"""Pure rules of what is shown of a customer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol, TypeVar

from rapport.privacy.sight import Sight
from rapport.shop.rules import plain_number
from rapport.shop.service import OrderView


class Agreement(Protocol):
    """What the rule needs to know of a consent event."""

    @property
    def purpose(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def granted(self) -> bool: ...


Event = TypeVar("Event", bound=Agreement)


def in_force(newest_first: Sequence[Event]) -> list[Event]:
    """The newest event of each purpose and channel, of those that were agreed to."""
    latest: dict[tuple[str, str], Event] = {}
    for event in newest_first:
        latest.setdefault((event.purpose, event.channel), event)
    return [event for event in latest.values() if event.granted]


def order_spellings(typed: str) -> set[str]:
    """How the number of an order that somebody typed may stand in the database."""
    bare = typed.strip().lstrip("#").strip()
    plain = plain_number(typed)
    letters = plain.rstrip("0123456789")
    hyphened = {f"{letters}-{plain[len(letters) :]}"} if letters else set[str]()
    return {typed.strip(), bare, bare.upper(), plain, f"#{plain}", *hyphened} - {""}


def order(view: OrderView, sight: Sight) -> OrderView:
    """An order as it is shown: who must not know where it goes does not get its tracking number."""
    return view if sight.full else replace(view, tracking_number=None)


@dataclass(frozen=True)
class Line:
    """A customer in a list."""

    id: int
    name: str | None
    email: str | None
    stage: str
    segment: str | None
    orders: int
    revenue_minor: int
    last_order_at: datetime | None


def as_line(row: Any, email: str | None, full: bool) -> Line:
    """A customer in a list, as it is shown to somebody."""
    sight = Sight(full)
    return Line(
        id=row.id,
        name=sight.name(row.name) if row.name else None,
        email=sight.address("email", email) if email else None,
        stage=row.stage,
        segment=row.segment,
        orders=row.orders or 0,
        revenue_minor=row.revenue_minor or 0,
        last_order_at=row.last_order_at,
    )
