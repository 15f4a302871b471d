"""Who waits for a person, in the order in which they are to be taken, and by which rule."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from rapport.console import intents
from rapport.console.desk import Desk, allowed
from rapport.handoff import queue, rules
from rapport.handoff.queue import Row
from rapport.kit import clock
from rapport.profiles import service as profiles
from rapport.profiles.service import Person
from rapport.shop.facts import get_facts
from rapport.shop.hours import is_open, opens_next
from rapport.staff import repository as staff
from rapport.staff.rules import May

routes = APIRouter()
LONGEST_WORDS = 160


@routes.get("/waiting")
def show(desk: Annotated[Desk, Depends(allowed(May.ANSWER))]) -> Response:
    facts, now = get_facts(), clock.now()
    with desk.reading() as session:
        lists = queue.lists(session)
        rows: list[Row] = [*lists.waiting, *lists.held, *lists.missed]
        people = profiles.people_of(session, [row.conversation for row in rows])
        answer = desk.page(
            "waiting.html",
            lists=lists,
            mine=[row for row in lists.held if is_mine(desk, row)],
            others=[row for row in lists.held if not is_mine(desk, row)],
            shown={row.conversation.id: _shown(desk, people[row.conversation.id], row) for row in rows},
            staff_names=staff.names(session),
            meaning=intents.meaning,
            rules=rules,
            minutes=desk.parts.settings.handoff_minutes,
            is_open=is_open(facts, now),
            opens=opens_next(facts, now),
        )
        full = sum(desk.sees_person(is_mine(desk, row)) for row in rows)
    if rows:
        with desk.writing() as session:
            desk.note(session, "look", "waiting", None, rows=len(rows), full=full)
    return answer


def is_mine(desk: Desk, row: Row) -> bool:
    """Whether it is in their own hands."""
    return row.handoff.closed_at is None and row.handoff.staff_id == desk.staff.id


def _shown(desk: Desk, person: Person, row: Row) -> tuple[str | None, str]:
    """(the customer's name, their last words), as far as somebody sees them."""
    sight = person.sight(desk.sees_person(is_mine(desk, row)))
    name = person.customer.name if person.customer else None
    words = " ".join(sight.text((row.words.text if row.words else None) or "").split())
    short = words if len(words) <= LONGEST_WORDS else f"{words[:LONGEST_WORDS]}…"
    return sight.name(name) if name else None, short
