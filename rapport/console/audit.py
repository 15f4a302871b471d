"""The audit log: who looked at or changed what."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from io import StringIO
from typing import Annotated, Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy.orm import Session

from rapport.console.audit_words import SUBJECTS
from rapport.console.desk import POLICY, YEARS, Desk, allowed, number
from rapport.console.looks import LIST
from rapport.kit import clock
from rapport.shop.facts import get_facts
from rapport.staff import audit, repository
from rapport.staff.models import AuditEvent
from rapport.staff.rules import May

LONGEST_ID = 80
BATCH = 2000
COLUMNS = ("id", "at", "staff_id", "staff", "action", "subject", "subject_id", "details")
# What a spreadsheet takes for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

# Where a subject is looked at; others have no page of their own.
PAGES = {
    "conversation": "/console/conversations/{}",
    "customer": "/console/customers/{}",
    "case": "/console/cases/{}",
    "mention": "/console/mentions/{}",
    "staff": "/console/staff#staff-{}",
}
routes = APIRouter()
AuditDesk = Annotated[Desk, Depends(allowed(May.AUDIT))]


@dataclass(frozen=True)
class Asked:
    """The filters as they stand in the address, and what they mean."""

    fields: dict[str, str]
    wanted: audit.Filter
    problem: str | None

    def address(self, path: str, **more: object) -> str:
        """A page with these filters."""
        query = {name: value for name, value in {**self.fields, **more}.items() if value}
        return f"{path}?{urlencode(query)}" if query else path


@routes.get("/audit")
def show(request: Request, desk: AuditDesk) -> Response:
    asked = _asked(request, desk)
    before, after = (number(request.query_params.get(name)) for name in ("before", "after"))
    with desk.reading() as session:
        events, is_newer, is_older = _page(session, asked, before, after)
        return desk.page(
            "audit.html",
            422 if asked.problem else 200,
            events=events,
            names=repository.names(session),
            actions=audit.actions(session),
            subjects=audit.subjects(session),
            subject_names=SUBJECTS,
            link=_link,
            asked=asked,
            older=asked.address("/console/audit", before=events[-1].id) if is_older else None,
            newer=asked.address("/console/audit", after=events[0].id) if is_newer else None,
            csv=asked.address("/console/audit.csv"),
            zone=get_facts().timezone,
        )


def _page(
    session: Session, asked: Asked, before: int | None, after: int | None
) -> tuple[Sequence[AuditEvent], bool, bool]:
    """(events, whether there are newer ones, whether there are older ones)."""
    if asked.problem:
        return [], False, False
    # One more than is shown tells whether there is another page.
    if after is not None:
        found = audit.newer(session, asked.wanted, after, audit.PAGE + 1)
        if len(found) > audit.PAGE:
            return found[1:], True, True
        before = None
    found = audit.page(session, asked.wanted, before, audit.PAGE + 1)
    return found[: audit.PAGE], bool(found) and before is not None, len(found) > audit.PAGE


@routes.get("/audit.csv")
def download(request: Request, desk: AuditDesk) -> Response:
    """All that the filters find, as it is read: the log may be larger than the memory."""
    asked = _asked(request, desk)
    if asked.problem:
        return show(request, desk)
    with desk.writing() as session:
        filters = {name: value for name, value in asked.fields.items() if value}
        desk.note(session, "export", "audit log", None, filters=filters)
    today = clock.now().astimezone(ZoneInfo(get_facts().timezone))
    headers = {
        "Content-Disposition": f'attachment; filename="audit-{today:%Y-%m-%d}.csv"',
        "Content-Security-Policy": POLICY,
    }
    return StreamingResponse(_rows(desk, asked.wanted), media_type="text/csv; charset=utf-8", headers=headers)


def _rows(desk: Desk, wanted: audit.Filter) -> Iterator[str]:
    # Without the mark spreadsheets take it for another encoding.
    yield "\ufeff" + _line(COLUMNS)
    before = None
    while True:
        # Each batch reads for itself: no connection is held while a slow browser takes its time.
        with desk.reading() as session:
            names = repository.names(session)
            events = audit.page(session, wanted, before, BATCH)
            lines = [_line(_cells(event, names)) for event in events]
            before = events[-1].id if events else None
        yield "".join(lines)
        if len(lines) < BATCH:
            return


def _cells(event: AuditEvent, names: dict[int, str]) -> tuple[object, ...]:
    who = names.get(event.staff_id, "") if event.staff_id is not None else ""
    details = "; ".join(f"{name}: {value}" for name, value in event.details.items())
    at = event.at.isoformat(timespec="seconds")
    return (event.id, at, event.staff_id, who, event.action, event.subject, event.subject_id, details)


def _line(cells: tuple[object, ...]) -> str:
    """A line of the file. No cell is one that a spreadsheet would work out."""
    texts = ["" if cell is None else str(cell) for cell in cells]
    line = StringIO()
    csv.writer(line).writerow([f"'{text}" if text.startswith(FORMULA) else text for text in texts])
    return line.getvalue()


def _link(event: AuditEvent) -> str | None:
    """Where the subject of an event is looked at."""
    page, which = PAGES.get(event.subject or ""), event.subject_id
    return page.format(quote(which, safe="")) if page and which and which != LIST else None


def _asked(request: Request, desk: Desk) -> Asked:
    names = ("staff", "action", "subject", "subject_id", "since", "until")
    query: Any = request.query_params
    fields = {name: query.get(name, "").strip()[:LONGEST_ID] for name in names}
    problem = None
    if fields["subject_id"] and not fields["subject"]:
        problem = desk.gettext("To look for a number, choose what it is the number of.")
    try:
        since, until = _day(fields["since"]), _day(fields["until"])
        if until is not None:
            until += timedelta(days=1)
    except ValueError:
        since = until = None
        problem = desk.gettext("That is not a date.")
    wanted = audit.Filter(
        staff_id=number(fields["staff"]),
        action=fields["action"],
        subject=fields["subject"],
        subject_id=fields["subject_id"],
        since=since,
        until=until,
    )
    return Asked(fields, wanted, problem)


def _day(text: str) -> datetime | None:
    """When a day begins at the shop. Raises ValueError."""
    if not text:
        return None
    day = date.fromisoformat(text)
    if day.year not in YEARS:
        raise ValueError("others cannot be counted from it")
    return datetime.combine(day, time.min, ZoneInfo(get_facts().timezone))
