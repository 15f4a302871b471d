"""Cases: the list, a case's page, what is done with it, and those of a conversation beside its transcript."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from rapport.cases import repository, rules, service, words
from rapport.cases.models import Case
from rapport.cases.repository import Filters, Position
from rapport.console.case_words import WORDS, told, word
from rapport.console.desk import Desk, allowed, next_path
from rapport.conversations import service as conversations
from rapport.conversations.models import Conversation
from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError
from rapport.privacy.personal import HIDDEN
from rapport.privacy.sight import Sight, telling_words
from rapport.profiles import repository as profiles
from rapport.review import repository as review
from rapport.shop import service as shop
from rapport.shop.facts import get_facts
from rapport.staff import repository as accounts
from rapport.staff.rules import May

routes = APIRouter()
Reader = Annotated[Desk, Depends(allowed(May.READ))]
Worker = Annotated[Desk, Depends(allowed(May.ANSWER))]
PATH = "/console/cases"
FILTERS = ("kind", "topic", "owner", "language", "segment", "since", "until")
LONGEST = rules.LONGEST_TEXT * 2


class StrangerError(NotFoundError):
    """Nobody who may be named has this address or number."""


# --- the list ----------------------------------------------------------------------------------------------
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
            session, tab, desk.staff.id, now, _filters(desk, chosen), _position(desk, after)
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
    since, until = (_day(desk, chosen[name]) for name in ("since", "until"))
    zone = ZoneInfo(get_facts().timezone)
    return Filters(
        kind=chosen["kind"] or None,
        topic=chosen["topic"] or None,
        owner=int(chosen["owner"]) if chosen["owner"].isdecimal() and len(chosen["owner"]) < 10 else None,
        language=chosen["language"] or None,
        segment=chosen["segment"] or None,
        since=datetime(since.year, since.month, since.day, tzinfo=zone) if since else None,
        until=rules.end_of(until, zone) + timedelta(minutes=1) if until else None,
    )


def _day(desk: Desk, text: str) -> date | None:
    """A day as a browser sends it. Raises InvalidInputError."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidInputError(desk.gettext("Write the day as 2026-05-31.")) from None


def _position(desk: Desk, after: str) -> Position | None:
    at, _, number = after.partition("~")
    try:
        return (datetime.fromisoformat(at), int(number)) if after else None
    except ValueError:
        raise InvalidInputError(desk.gettext("This page of the list does not exist.")) from None


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
        "customer": person.name(row["customer"]) if row["customer"] else _contact(sight, row["contact"]),
    }


def _contact(sight: Sight, contact: str | None) -> str | None:
    return contact if sight.full or not contact else HIDDEN


# --- a case ------------------------------------------------------------------------------------------------
@routes.get("/cases/new")
def show_new(desk: Worker, conversation: str = "", customer: str = "") -> Response:
    """The form for what came in another way; perhaps of a conversation, or about a customer."""
    typed = {"conversation": conversation, "kind": "complaint" if conversation else "callback"}
    return _new(desk, {**typed, "customer": customer})


@routes.post("/cases")
def open_new(desk: Worker) -> Response:
    names = ("kind", "language", "priority", "contact", "order_number", "source_url", "email", "conversation")
    typed = {name: desk.field(name, 600) for name in names}
    typed["text"], typed["customer"] = desk.field("text", LONGEST), desk.field("customer", 20)
    try:
        with desk.writing() as session:
            talk = conversations.get(session, typed["conversation"]) if typed["conversation"] else None
            customer_id = _customer_named(desk, session, typed) or (talk.customer_id if talk else None)
            case = service.open_by_hand(
                session,
                desk.staff.id,
                kind=typed["kind"],
                text=typed["text"],
                language=typed["language"],
                priority=typed["priority"],
                contact=typed["contact"],
                order_number=typed["order_number"],
                source_url=typed["source_url"],
                customer_id=customer_id,
                conversation_id=talk.id if talk else None,
            )
            desk.note(session, "open case", "case", case.id, kind=case.kind)
    except (InvalidInputError, NotFoundError) as error:
        _note_search(desk, error)
        return _new(desk, typed, desk.gettext(str(error)))
    return desk.go(f"{PATH}/{case.id}", desk.gettext("Case %(number)s is open.", number=case.id))


def _new(desk: Desk, typed: Mapping[str, str], problem: str | None = None) -> Response:
    with desk.reading() as session:
        talk = session.get(Conversation, typed.get("conversation") or "")
    return desk.page(
        "case_new.html",
        422 if problem else 200,
        typed=defaultdict(str, typed),
        problem=problem,
        talk=talk,
        kinds=rules.BY_HAND,
        priorities=rules.PRIORITIES,
        word=partial(word, desk),
        longest=rules.LONGEST_TEXT,
    )


def _customer_named(desk: Desk, session: Session, typed: Mapping[str, str]) -> int | None:
    """The customer with this number or address. Raises StrangerError when there is none.

    Numbers are no secret: by one only who sees all customers finds somebody, or who has a conversation of
    theirs.
    """
    found: int | None = None
    if typed.get("email"):
        found = repository.customer_by_address(session, typed["email"].strip().lower())
    elif typed.get("customer", "").isdecimal() and len(typed["customer"]) < 10:
        customer = session.get(Customer, int(typed["customer"]))
        found = customer.id if customer else None
        if found and not desk.sees_person() and not profiles.is_in_hands(session, found, desk.staff.id):
            found = None
    elif not typed.get("customer"):
        return None
    if found is None:
        raise StrangerError("There is no such customer.")
    return found


def _note_search(desk: Desk, error: Exception) -> None:
    """Who tries addresses until one is a customer's is found out; the address itself is not kept."""
    if isinstance(error, StrangerError):
        with desk.writing() as session:
            desk.note(session, "find nobody", "customer", None)


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
            contact=_contact(sight, case.contact),
            customer=customer,
            customer_name=person.name(name) if name else None,
            addresses=[(person.address("email", i.value), i.verified_at) for i in addresses],
            order=order,
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


# --- what is done with it ----------------------------------------------------------------------------------
@routes.post("/cases/{case_id}/take")
def take(desk: Worker, case_id: int) -> Response:
    return _step(desk, case_id, service.take, desk.gettext("The case is yours."))


@routes.post("/cases/{case_id}/assign")
def assign(desk: Worker, case_id: int) -> Response:
    wanted = desk.field("owner", 20)
    owner = int(wanted) if wanted.isdecimal() else None

    def step(session: Session, number: int, version: int, staff_id: int) -> object:
        return service.assign(session, number, version, staff_id, owner)

    return _step(desk, case_id, step, desk.gettext("Saved."))


@routes.post("/cases/{case_id}/due")
def set_due(desk: Worker, case_id: int) -> Response:
    day = _day(desk, desk.field("due", 20))
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
        return service.attach(session, number, version, staff_id, _customer_named(desk, session, typed))

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
        _note_search(desk, error)
        return _show(desk, case_id, 422, desk.gettext(str(error)), typed)
    back = desk.field("next", 200)
    return desk.go(next_path(back) if back else f"{PATH}/{case_id}", said)


# --- beside a conversation ---------------------------------------------------------------------------------
def beside(desk: Desk, session: Session, conversation: Conversation) -> dict[str, Any]:
    """What templates/conversation_cases.html shows on the page of a conversation."""
    found = repository.of_conversation(session, conversation.id, conversation.customer_id)
    return {"cases_beside": {"cases": found, "word": partial(word, desk), "now": clock.now()}}
