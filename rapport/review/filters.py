"""What a list of conversations may be narrowed to, as it stands in a page's address. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rapport.kit.languages import LANGUAGES
from rapport.review.words import LONGEST_QUERY

STATUSES = ("bot", "waiting", "human")
# A customer's tap, 1 to 5.
RATINGS = {"low": (1, 2), "middle": (3, 3), "high": (4, 5)}
SURE = 0.6  # a message understood less surely than this is worth a look
MINE = "me"
NOBODY = "none"
KEY = re.compile(r"[a-z][a-z0-9_-]{0,59}")
LAST_DAY = date(9999, 12, 30)


@dataclass(frozen=True)
class Filters:
    """Each narrows the list further; a field that is None or False does not.

    `below`: with a message understood less surely than this (0 to 1). `complaint`: with an open one.
    `days`: with something said in the last days, `since` and `until`: from and up to a day at the shop.
    `assignee`: an id of staff, `me` or `none`. `q`: what to look for in the messages.
    """

    q: str | None = None
    channel: str | None = None
    language: str | None = None
    status: str | None = None
    intent: str | None = None
    below: float | None = None
    missed: bool = False
    complaint: bool = False
    rating: str | None = None
    segment: str | None = None
    tag: str | None = None
    assignee: str | None = None
    customer: int | None = None
    days: int | None = None
    since: date | None = None
    until: date | None = None

    def used(self) -> dict[str, str]:
        """The fields that narrow the list, as an address writes them, in a fixed order."""
        return {
            field.name: _written(value)
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None and value is not False
        }

    def without(self, name: str) -> Filters:
        """The same, but not narrowed by this field."""
        unused: dict[str, Any] = {name: False if name in {"missed", "complaint"} else None}
        return replace(self, **unused)


@dataclass(frozen=True)
class Place:
    """Where a page begins: after this conversation, the newest first; with `newer`, before it."""

    at: datetime
    id: str
    newer: bool = False


def parse(query: Mapping[str, str]) -> Filters:
    """The filters of an address. What makes no sense there is left out: an old link still opens."""
    tag = _word(query.get("tag"), 40)
    return Filters(
        q=_word(query.get("q"), LONGEST_QUERY),
        channel=_key(query.get("channel")),
        language=_one_of(query.get("language"), LANGUAGES),
        status=_one_of(query.get("status"), STATUSES),
        intent=_key(query.get("intent")),
        below=_share(query.get("below")),
        missed=bool(query.get("missed")),
        complaint=bool(query.get("complaint")),
        rating=_one_of(query.get("rating"), RATINGS),
        segment=_key(query.get("segment")),
        tag=tag,
        assignee=_assignee(query.get("assignee")),
        customer=_number(query.get("customer")),
        days=_number(query.get("days"), 3650),
        since=_day(query.get("since")),
        until=_day(query.get("until")),
    )


def place(query: Mapping[str, str]) -> Place | None:
    """Where the page of an address begins; None at the newest."""
    for name in ("older", "newer"):
        at, _, key = query.get(name, "").partition("_")
        if re.fullmatch(r"\d{1,18}", at) and re.fullmatch(r"[0-9a-f]{32}", key):
            try:
                moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(at))
            except OverflowError:
                continue
            return Place(moment, key, newer=name == "newer")
    return None


def mark(at: datetime, key: str) -> str:
    """A conversation as `place` reads it from an address."""
    return f"{(at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)}_{key}"


def span(filters: Filters, now: datetime, timezone: str) -> tuple[datetime | None, datetime | None]:
    """(from, up to but without) the moments that the filters ask for."""
    zone = ZoneInfo(timezone)
    start = datetime.combine(filters.since, time(), zone) if filters.since else None
    if filters.days:
        lately = now - timedelta(days=filters.days)
        start = max(start, lately) if start else lately
    end = datetime.combine(filters.until + timedelta(days=1), time(), zone) if filters.until else None
    return start, end


def _written(value: object) -> str:
    if value is True:
        return "1"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _word(value: str | None, longest: int) -> str | None:
    # What is no sign, and half of one, no database takes.
    signs = [sign for sign in value or "" if sign >= " " and not "\ud800" <= sign <= "\udfff"]
    return " ".join("".join(signs).split())[:longest] or None


def _key(value: str | None) -> str | None:
    return value if value and KEY.fullmatch(value) else None


def _one_of(value: str | None, choices: Mapping[str, object] | tuple[str, ...]) -> str | None:
    return value if value in choices else None


def _number(value: str | None, largest: int = 2**31 - 1) -> int | None:
    if not value or not re.fullmatch(r"[0-9]{1,10}", value):
        return None
    return int(value) if 0 < int(value) <= largest else None


def _share(value: str | None) -> float | None:
    if not value or not re.fullmatch(r"[01](\.[0-9]{1,3})?", value):
        return None
    return float(value) if 0 < float(value) <= 1 else None


def _assignee(value: str | None) -> str | None:
    if value in {MINE, NOBODY}:
        return value
    number = _number(value)
    return str(number) if number else None


def _day(value: str | None) -> date | None:
    try:
        found = date.fromisoformat(value) if value and len(value) == 10 else None
    except ValueError:
        return None
    return found if found and date(1970, 1, 2) <= found <= LAST_DAY else None
