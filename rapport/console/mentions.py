"""What is said of the shop in public: the list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from sqlalchemy import RowMapping

from rapport.cases import service as cases
from rapport.console.cases import contact_shown, position
from rapport.console.desk import Desk, allowed
from rapport.console.mention_words import WORDS, word
from rapport.mentions import repository
from rapport.mentions.repository import Filters
from rapport.privacy.sight import Sight, telling_words
from rapport.review import repository as review
from rapport.staff.rules import May

routes = APIRouter()
Reader = Annotated[Desk, Depends(allowed(May.READ))]
PATH = "/console/mentions"


@routes.get("/mentions")
def show_list(desk: Reader, kind: str = "", source: str = "", state: str = "", after: str = "") -> Response:
    """Mentions, the newest first, narrowed by the filters; `after` is where the page before ended."""
    chosen = {"kind": kind, "source": source, "state": state}
    filters = Filters(**{name: value or None for name, value in chosen.items()})
    with desk.reading() as session:
        rows = repository.page(session, filters, position(desk, after))
        page = rows[: repository.PAGE]
        mails = review.addresses(session, {row["customer_id"] for row in page if row["customer_id"]})
        mine = {row["case_id"] for row in page if row["case_id"] and row["owner_id"] == desk.staff.id}
        known = mine - cases.own_doing(session, mine, desk.staff.id)
        lines = [_line(desk, row, mails.get(row["customer_id"], ()), mine, known) for row in page]
        seen = repository.seen_sources(session)
        connected = [
            (name, seen[name].last_error, seen[name].read_at) if name in seen else (name, None, None)
            for name in desk.parts.sources
        ]
        empty = not rows and not repository.any_at_all(session)
    with desk.writing() as session:
        desk.note(session, "list mentions", "mention", None)
    return desk.page(
        "mentions.html",
        rows=lines,
        chosen=chosen,
        filtered=any(chosen.values()),
        options=WORDS,
        word=partial(word, desk),
        connected=connected,
        empty=empty,
        first=bool(after),
        next=_link(chosen, after=_next(rows)) if len(rows) > repository.PAGE else None,
        start=_link(chosen),
    )


def _line(
    desk: Desk, row: RowMapping, mails: Sequence[str], mine: set[int], known: set[int]
) -> dict[str, Any]:
    """A line of the list, with what they must not see hidden; `mails` are the customer's addresses."""
    sight = Sight(desk.sees_person(row["case_id"] in mine), telling_words(row["customer"], mails))
    person = Sight(desk.sees_person(row["case_id"] in known))
    return {
        **row,
        "text": sight.text(row["text"]),
        "author": contact_shown(sight, row["author"]),
        "customer": person.name(row["customer"]) if row["customer"] else None,
    }


def _next(rows: Sequence[RowMapping]) -> str:
    last = rows[repository.PAGE - 1]
    return f"{last['at'].isoformat()}~{last['id']}"


def _link(chosen: Mapping[str, str], **changes: str) -> str:
    """The list with the same filters."""
    query = urlencode({**{name: value for name, value in chosen.items() if value}, **changes})
    return f"{PATH}?{query}" if query else PATH
