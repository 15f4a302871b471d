"""Customers: finding them, and all that is known of one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response

from rapport.console.desk import Desk, allowed
from rapport.console.looks import LIST, look
from rapport.customers import choices
from rapport.customers.choices import Said
from rapport.loyalty.points import service as points
from rapport.notes import repository as notes_repository
from rapport.profiles import repository
from rapport.profiles import service as profiles
from rapport.profiles.rules import as_line
from rapport.staff import repository as staff_repository
from rapport.staff.rules import May
from rapport.value.segments import get_segments

routes = APIRouter()
Reader = Annotated[Desk, Depends(allowed(May.READ))]
Answerer = Annotated[Desk, Depends(allowed(May.ANSWER))]
PAGE = 50
# Of what staff take down: the customer's words are their own.
WORDING = "told-to-staff"
MOST = 2**31 - 1  # the largest number a column of the database takes
LONGEST_SEARCH = 320
STAGES = ("know", "interest", "trust")
MOVEMENTS = 50
LOOKS = 50


@routes.get("/customers")
def find(
    desk: Reader,
    q: str = "",
    segment: str = "",
    stage: str = "",
    before: Annotated[int | None, Query(ge=0, le=MOST)] = None,
) -> Response:
    """Search and lists. Who must not see everybody's data finds only whose address or order they know."""
    wanted = q.strip()[:LONGEST_SEARCH]
    everybody = desk.may(May.PEOPLE)
    segment = segment if everybody and segment in get_segments().keys else ""
    stage = stage if everybody and stage in STAGES else ""
    with desk.reading() as session:
        found = profiles.find(session, wanted, everybody) if wanted else None
        if found is not None:
            rows = repository.by_ids(session, found)
        elif everybody:
            rows = repository.listed(
                session, wanted or None, segment or None, stage or None, before, PAGE + 1
            )
        else:
            rows = []
        addresses = repository.addresses(session, [row.id for row in rows])
        lines = [as_line(row, addresses.get(row.id), everybody) for row in rows[:PAGE]]
    if wanted:
        with desk.writing() as session:
            ids = [one.id for one in lines[:10]]
            desk.note(session, "search", "customer", None, found=len(lines), ids=ids)
    elif lines:
        look(desk, "customer", LIST, everybody)
    return desk.page(
        "customers.html",
        q=wanted,
        segment=segment,
        stage=stage,
        stages=STAGES,
        segments=[(key, get_segments().name(key, desk.staff.language)) for key in get_segments().keys],
        lines=lines,
        next=lines[-1].id if len(rows) > PAGE else None,
        everybody=everybody,
    )


@routes.get("/customers/{customer_id}")
def show(desk: Reader, customer_id: Annotated[int, Path(ge=1, le=MOST)]) -> Response:
    with desk.reading() as session:
        someone = profiles.person(session, customer_id)
        mine = repository.is_in_hands(session, customer_id, desk.staff.id)
        full = desk.sees_person(mine)
        profile = profiles.profile(
            session, someone, someone.sight(full), desk.staff.language, size=profiles.WHOLE
        )
        names = staff_repository.names(session)
        looks = []
        if desk.may(May.PEOPLE):
            talks = [conversation.id for conversation in profile.conversations]
            looks = list(notes_repository.events_of(session, customer_id, talks, LOOKS))
        answer = desk.page(
            "customer.html",
            profile=profile,
            mine=mine,
            full=full,
            complaint=profile.complaint,
            movements=points.history(session, customer_id, MOVEMENTS),
            lots=points.open_lots(session, customer_id),
            looks=looks,
            names=names,
        )
    look(desk, "customer", customer_id, full)
    return answer


@routes.post("/customers/{customer_id}/silence")
def silence(desk: Answerer, customer_id: Annotated[int, Path(ge=1, le=MOST)]) -> Response:
    """The customer told one of us that they want nothing unasked any more: it takes effect at once."""
    with desk.writing() as session:
        profiles.person(session, customer_id)
        choices.leave(session, customer_id, Said(source=f"staff:{desk.staff.id}", wording=WORDING))
        desk.note(session, "end messages", "customer", customer_id)
    return desk.go(f"/console/customers/{customer_id}", desk.gettext("Nothing unasked is sent any more."))
