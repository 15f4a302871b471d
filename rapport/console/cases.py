"""The list of cases, and those of a conversation beside its transcript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from rapport.cases import repository, rules, service
from rapport.cases.repository import Filters, Position
from rapport.console.case_words import WORDS, word
from rapport.console.desk import YEARS, Desk, allowed, number
from rapport.conversations.models import Conversation
from rapport.kit import clock
from rapport.kit.errors import InvalidInputError
from rapport.privacy.personal import HIDDEN
from rapport.privacy.sight import Sight, telling_words
from rapport.review import repository as review
from rapport.shop.facts import get_facts
from rapport.staff import repository as accounts
from rapport.staff.rules import May

routes = APIRouter()
Reader = Annotated[Desk, Depends(allowed(May.READ))]
PATH = "/console/cases"
FILTERS = ("kind", "topic", "owner", "language", "segment", "since", "until")


@routes.get("/cases")
def show_list(
    desk: Reader,
    tab: str = "open",
    kind: str = "",
    topic: str = "",
    owner: str = "",
    language: str = "",
    segment: str = "",
    since: str = "",
    until: str = "",
    after: str = "",
) -> Response:
    """The cases of a tab, narrowed by the filters; `after` is where the page before ended."""
    tab = tab if tab in repository.TABS else "open"
    chosen = dict(zip(FILTERS, (kind, topic, owner, language, segment, since, until), strict=True))
    now = clock.now()
    with desk.reading() as session:
        rows = repository.page(
            session, tab, desk.staff.id, now, _filters(desk, chosen), position(desk, after)
        )
        values: dict[str, Any] = {
            "counts": repository.counts(session, desk.staff.id, now),
            "names": accounts.names(session),
            "segments": repository.segments(session),
        }
        page = rows[: repository.PAGE]
        mails = review.addresses(session, {row["customer_id"] for row in page if row["customer_id"]})
        mine = {row["id"] for row in page if row["owner_id"] == desk.staff.id}
        known = mine - service.own_doing(session, mine, desk.staff.id)
        shown = [
            _line(desk, row, mails.get(row["customer_id"], ()), row["id"] in mine, row["id"] in known)
            for row in page
        ]
    with desk.writing() as session:
        desk.note(session, "list cases", "case", None, tab=tab)
    return desk.page(
        "cases.html",
        tab=tab,
        tabs=repository.TABS,
        rows=shown,
        chosen=chosen,
        filtered=any(chosen.values()),
        link=partial(_link, tab, chosen),
        next=_next(tab, rows) if len(rows) > repository.PAGE else None,
        first=bool(after),
        now=now,
        most=repository.MOST_COUNTED,
        word=partial(word, desk),
        options=WORDS,
        **values,
    )


def _filters(desk: Desk, chosen: Mapping[str, str]) -> Filters:
    since, until = (day_typed(desk, chosen[name]) for name in ("since", "until"))
    zone = ZoneInfo(get_facts().timezone)
    return Filters(
        kind=chosen["kind"] or None,
        topic=chosen["topic"] or None,
        owner=number(chosen["owner"]),
        language=chosen["language"] or None,
        segment=chosen["segment"] or None,
        since=datetime(since.year, since.month, since.day, tzinfo=zone) if since else None,
        until=rules.end_of(until, zone) + timedelta(minutes=1) if until else None,
    )


def day_typed(desk: Desk, text: str) -> date | None:
    """A day as a browser sends it. Raises InvalidInputError."""
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidInputError(desk.gettext("Write the day as 2026-05-31.")) from None
    if day is not None and day.year not in YEARS:
        raise InvalidInputError(desk.gettext("Choose a day of this century or the next."))
    return day


def position(desk: Desk, after: str) -> Position | None:
    """Where the page before ended, as the address of a list tells it. Raises InvalidInputError."""
    if not after:
        return None
    at, _, last = after.partition("~")
    try:
        moment, case_id = datetime.fromisoformat(at), number(last)
        if moment.tzinfo and moment.year in YEARS and case_id is not None:
            return moment, case_id
    except ValueError:
        pass
    raise InvalidInputError(desk.gettext("This page of the list does not exist."))


def _next(tab: str, rows: Any) -> str:
    last = rows[repository.PAGE - 1]
    at: datetime = last["resolved_at" if tab == "resolved" else "due_at"]
    return f"{at.isoformat()}~{last['id']}"


def _link(here: str, chosen: Mapping[str, str], /, **changes: str) -> str:
    """The list with the same filters, but for `changes`."""
    query = {"tab": here, **{name: value for name, value in chosen.items() if value}, **changes}
    return f"{PATH}?{urlencode(query)}"


def _line(desk: Desk, row: RowMapping, mails: Sequence[str], mine: bool, known: bool) -> dict[str, Any]:
    """A line of the list, with what they must not see hidden; `mails` are the customer's addresses, `known`:
    it is theirs, and not they themselves said whose case it is.
    """
    sight = Sight(desk.sees_person(mine), telling_words(row["customer"], mails))
    person = Sight(desk.sees_person(known))
    return {
        **row,
        "text": sight.text(row["text"]),
        "customer": person.name(row["customer"]) if row["customer"] else contact_shown(sight, row["contact"]),
    }


def contact_shown(sight: Sight, contact: str | None) -> str | None:
    return contact if sight.full or not contact else HIDDEN


def beside(desk: Desk, session: Session, conversation: Conversation) -> dict[str, Any]:
    """What templates/conversation_cases.html shows on the page of a conversation."""
    found = repository.of_conversation(session, conversation.id, conversation.customer_id)
    return {"cases_beside": {"cases": found, "word": partial(word, desk), "now": clock.now()}}
