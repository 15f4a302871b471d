"""A case: its page, and what is done with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from sqlalchemy.orm import Session

from rapport.cases import repository, rules, service, words
from rapport.cases.models import Case
from rapport.console.case_customers import customer_named, note_search
from rapport.console.case_words import told, word
from rapport.console.cases import PATH, contact_shown, day_typed
from rapport.console.desk import Desk, allowed, next_path, number
from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError
from rapport.mentions import repository as mentions
from rapport.privacy.sight import Sight, telling_words
from rapport.profiles import repository as profiles
from rapport.shop import service as shop
from rapport.shop.facts import get_facts
from rapport.staff import repository as accounts
from rapport.staff.rules import May

routes = APIRouter()
Reader = Annotated[Desk, Depends(allowed(May.READ))]
Worker = Annotated[Desk, Depends(allowed(May.ANSWER))]
LONGEST = rules.LONGEST_TEXT * 2


@routes.get("/cases/{case_id}")
def show(desk: Reader, case_id: int) -> Response:
    return _show(desk, case_id)


def _show(
    desk: Desk,
    case_id: int,
    status: int = 200,
    problem: str | None = None,
    typed: Mapping[str, str] | None = None,
    seen: int | None = None,
) -> Response:
    """A case's page; `seen`: the version they decided on, which is not the newest any more. Each look is
    kept, also at one that comes with a mistake.
    """
    with desk.reading() as session:
        case = service.get(session, case_id)
        mine, customer_id = case.owner_id == desk.staff.id, case.customer_id
        customer = session.get(Customer, customer_id) if customer_id else None
        addresses = [i for i in customer.identities if i.kind == "email"] if customer else []
        name = customer.name if customer else None
        sight = Sight(desk.sees_person(mine), telling_words(name, [i.value for i in addresses]))
        person = Sight(desk.sees_person(mine and _is_known(desk, session, case)))
        names = accounts.names(session)
        language = service.language_of(session, case)
        history = repository.history(session, case_id)
        order = None
        if case.order_number and case.customer_id:
            order = shop.find_order(session, case.customer_id, case.order_number, desk.staff.language)
        due = case.due_at.astimezone(ZoneInfo(get_facts().timezone)).date()
        page = desk.page(
            "case.html",
            status,
            case=case,
            text=sight.text(case.text),
            resolution=sight.text(case.resolution or ""),
            contact=contact_shown(sight, case.contact),
            customer=customer,
            customer_name=person.name(name) if name else None,
            addresses=[(person.address("email", i.value), i.verified_at) for i in addresses],
            order=order,
            mention=mentions.of_case(session, case_id) if case.kind == "mention" else None,
            message=repository.message_of(session, case),
            names=names,
            people=[one for one in accounts.everybody(session) if one.disabled_at is None],
            history=[(event, told(desk, event, names), sight.text(event.text or "")) for event in history],
            news=[told(desk, event, names) for event in history if seen is not None and event.version > seen],
            ways=service.ways_of(session, case),
            spoken=language,
            ready={o: words.resolution(case, o, language) for o in rules.OUTCOMES[case.kind]},
            can=partial(rules.can, case.status),
            due=due,
            now=clock.now(),
            priorities=rules.PRIORITIES,
            most_stars=5,
            problem=problem,
            typed=defaultdict(str, typed or {}),
            word=partial(word, desk),
            longest=rules.LONGEST_TEXT,
        )
    with desk.writing() as session:
        desk.note(session, "see case", "case", case_id, full=person.full, customer=customer_id)
    return page


def _is_known(desk: Desk, session: Session, case: Case) -> bool:
    """Whether having the case shows them its customer: not by naming somebody do they learn who that is."""
    return case.id not in service.own_doing(session, {case.id}, desk.staff.id) or (
        case.customer_id is not None and profiles.is_in_hands(session, case.customer_id, desk.staff.id)
    )


@routes.post("/cases/{case_id}/take")
def take(desk: Worker, case_id: int) -> Response:
    return _step(desk, case_id, service.take, desk.gettext("The case is yours."))


@routes.post("/cases/{case_id}/assign")
def assign(desk: Worker, case_id: int) -> Response:
    wanted = desk.field("owner", 20)
    owner = number(wanted)
    if wanted and owner is None:
        raise InvalidInputError(desk.gettext("There is no such account."))

    def step(session: Session, number: int, version: int, staff_id: int) -> object:
        return service.assign(session, number, version, staff_id, owner)

    return _step(desk, case_id, step, desk.gettext("Saved."))


@routes.post("/cases/{case_id}/due")
def set_due(desk: Worker, case_id: int) -> Response:
    day = day_typed(desk, desk.field("due", 20))
    if day is None:
        return _show(desk, case_id, 422, desk.gettext("Choose a day."))
    due = rules.end_of(day, ZoneInfo(get_facts().timezone))

    def step(session: Session, number: int, version: int, staff_id: int) -> object:
        return service.set_due(session, number, version, staff_id, due)

    return _step(desk, case_id, step, desk.gettext("Saved."))


@routes.post("/cases/{case_id}/priority")
def set_priority(desk: Worker, case_id: int) -> Response:
    priority = desk.field("priority", 20)

    def step(session: Session, number: int, version: int, staff_id: int) -> object:
        return service.set_priority(session, number, version, staff_id, priority)

    return _step(desk, case_id, step, desk.gettext("Saved. The due date follows."))


@routes.post("/cases/{case_id}/customer")
def attach(desk: Worker, case_id: int) -> Response:
    """To the customer with an address; with an empty field to nobody."""
    typed = {"email": desk.field("email", 320)}

    def step(session: Session, number: int, version: int, staff_id: int) -> object:
        return service.attach(session, number, version, staff_id, customer_named(desk, session, typed))

    return _step(desk, case_id, step, desk.gettext("Saved."), typed)


@routes.post("/cases/{case_id}/note")
def note(desk: Worker, case_id: int) -> Response:
    typed = {"note": desk.field("note", LONGEST)}

    def step(session: Session, number: int, _version: int, staff_id: int) -> object:
        return service.note(session, number, staff_id, typed["note"])

    return _step(desk, case_id, step, desk.gettext("The note is kept."), typed)


@routes.post("/cases/{case_id}/answer")
def answer(desk: Worker, case_id: int) -> Response:
    typed = {"answer": desk.field("answer", LONGEST), "asks": desk.field("asks", 5)}

    def step(session: Session, number: int, version: int, staff_id: int) -> object:
        return service.answer(session, number, version, staff_id, typed["answer"], bool(typed["asks"]))

    return _step(desk, case_id, step, desk.gettext("Your answer is on its way."), typed)


@routes.post("/cases/{case_id}/resolve")
def resolve(desk: Worker, case_id: int) -> Response:
    typed = {name: desk.field(name, LONGEST) for name in ("outcome", "resolution", "tell")}

    def step(session: Session, number: int, version: int, staff_id: int) -> object:
        return service.resolve(
            session, number, version, staff_id, typed["outcome"], typed["resolution"], bool(typed["tell"])
        )

    return _step(desk, case_id, step, desk.gettext("The case is resolved."), {**typed, "resolving": "1"})


@routes.post("/cases/{case_id}/reopen")
def reopen(desk: Worker, case_id: int) -> Response:
    return _step(desk, case_id, service.reopen, desk.gettext("The case is open again."))


def _step(
    desk: Desk,
    case_id: int,
    step: Callable[[Session, int, int, int], object],
    said: str,
    typed: Mapping[str, str] | None = None,
) -> Response:
    """One change, decided on the version their page showed; what went wrong is shown with what they typed."""
    shown = desk.field("version", 10)
    version = int(shown) if shown.isdecimal() else 0
    try:
        with desk.writing() as session:
            step(session, case_id, version, desk.staff.id)
            action = desk.request.url.path.rpartition("/")[2]
            desk.note(session, f"{action} case", "case", case_id)
    except service.ChangedError:
        return _show(desk, case_id, 409, typed=typed, seen=version)
    except (InvalidInputError, ConflictError, NotFoundError) as error:
        note_search(desk, error)
        return _show(desk, case_id, 422, desk.gettext(str(error)), typed)
    back = desk.field("next", 200)
    return desk.go(next_path(back) if back else f"{PATH}/{case_id}", said)
