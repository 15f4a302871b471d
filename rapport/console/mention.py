"""A mention: its page, and what is done with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.background import BackgroundTask

from rapport.cases import service as cases
from rapport.cases.models import Case
from rapport.console.case_customers import customer_named, note_search
from rapport.console.cases import contact_shown
from rapport.console.desk import Desk, allowed
from rapport.console.mention_words import word
from rapport.console.mentions import PATH
from rapport.customers.models import Customer
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError
from rapport.mentions import answers, repository, rules, service, tasks
from rapport.mentions.answers import GivesAwayError
from rapport.mentions.models import Mention
from rapport.privacy.sight import Sight, telling_words
from rapport.profiles import repository as profiles
from rapport.staff import repository as accounts
from rapport.staff.rules import May

routes = APIRouter()
Reader = Annotated[Desk, Depends(allowed(May.READ))]
Worker = Annotated[Desk, Depends(allowed(May.ANSWER))]
LONGEST = 8000


@routes.get("/mentions/{mention_id}")
def show(desk: Reader, mention_id: int) -> Response:
    return _show(desk, mention_id)


def _show(
    desk: Desk,
    mention_id: int,
    status: int = 200,
    problem: str | None = None,
    typed: Mapping[str, str] | None = None,
    told: tuple[str, ...] = (),
) -> Response:
    """A mention's page; `told`: what an answer would have said. Each look is kept."""
    with desk.reading() as session:
        mention = service.get(session, mention_id)
        case = repository.case_of(session, mention)
        customer = session.get(Customer, mention.customer_id) if mention.customer_id else None
        addresses = [one.value for one in customer.identities if one.kind == "email"] if customer else []
        mine = case is not None and case.owner_id == desk.staff.id
        sight = Sight(desk.sees_person(mine), telling_words(customer.name if customer else None, addresses))
        person = Sight(desk.sees_person(_is_known(desk, session, mention, case if mine else None)))
        source = desk.parts.sources.get(mention.source)
        page = desk.page(
            "mention.html",
            status,
            mention=mention,
            text=sight.text(mention.text),
            note=sight.text(mention.note),
            author=contact_shown(sight, mention.author),
            case=case,
            customer=customer,
            customer_name=person.name(customer.name) if customer and customer.name else None,
            answers=[(one, sight.text(one.text)) for one in repository.answers_of(session, mention_id)],
            source=source,
            names=accounts.names(session),
            kinds=rules.KINDS,
            longest_note=rules.LONGEST_NOTE,
            problem=problem,
            told=[word(desk, "told", what) for what in told],
            typed=defaultdict(str, typed or {}),
            word=partial(word, desk),
        )
        full, customer_id = person.full, mention.customer_id
    with desk.writing() as session:
        desk.note(session, "see mention", "mention", mention_id, full=full, customer=customer_id)
    return page


def _is_known(desk: Desk, session: Session, mention: Mention, mine: Case | None) -> bool:
    """Whether they may know whose account it is: not by saying so themselves do they learn who that is."""
    if mention.customer_id is None:
        return False
    if profiles.is_in_hands(session, mention.customer_id, desk.staff.id):
        return True
    return mine is not None and mine.id not in cases.own_doing(session, {mine.id}, desk.staff.id)


@routes.post("/mentions/{mention_id}/answer")
def answer(desk: Worker, mention_id: int) -> Response:
    """Sends what they wrote, in public or (`private`) to the author only."""
    typed = {"answer": desk.field("answer", LONGEST), "private": desk.field("private", 5)}

    def step(session: Session, version: int) -> object:
        mention = service.get(session, mention_id)
        source = desk.parts.sources.get(mention.source)
        if source is None:
            raise ConflictError("This cannot be answered there.")
        return answers.send(
            session,
            source,
            mention_id,
            version,
            desk.staff.id,
            typed["answer"],
            private=bool(typed["private"]),
        )

    done = _step(desk, mention_id, "answer mention", step, desk.gettext("Your answer is on its way."), typed)
    if done.status_code == 303:
        done.background = BackgroundTask(tasks.send_due, desk.parts.database, desk.parts.sources)
    return done


@routes.post("/mentions/{mention_id}/kind")
def correct(desk: Worker, mention_id: int) -> Response:
    kind = desk.field("kind", 20)

    def step(session: Session, version: int) -> object:
        return service.correct(session, mention_id, version, desk.staff.id, kind)

    return _step(desk, mention_id, "correct mention", step, desk.gettext("Saved."))


@routes.post("/mentions/{mention_id}/case")
def open_case(desk: Worker, mention_id: int) -> Response:
    def step(session: Session, version: int) -> object:
        return service.open_case(session, mention_id, version, desk.staff.id)

    return _step(desk, mention_id, "open case of mention", step, desk.gettext("A case is open."))


@routes.post("/mentions/{mention_id}/customer")
def link(desk: Worker, mention_id: int) -> Response:
    """To the customer with an address; with an empty field to nobody."""
    typed = {"email": desk.field("email", 320)}

    def step(session: Session, version: int) -> object:
        customer_id = customer_named(desk, session, typed)
        return service.link(session, mention_id, version, desk.staff.id, customer_id)

    return _step(desk, mention_id, "link mention", step, desk.gettext("Saved."), typed)


@routes.post("/mentions/{mention_id}/note")
def note(desk: Worker, mention_id: int) -> Response:
    """A note; with `state` answered, it was answered where it stands, else it needs no answer."""
    typed = {"note": desk.field("note", LONGEST), "state": desk.field("state", 20) or "noted"}

    def step(session: Session, version: int) -> object:
        return service.note(session, mention_id, version, typed["note"], typed["state"])

    return _step(desk, mention_id, "note mention", step, desk.gettext("Saved."), typed)


def _step(
    desk: Desk,
    mention_id: int,
    action: str,
    step: Callable[[Session, int], object],
    said: str,
    typed: Mapping[str, str] | None = None,
) -> Response:
    """One change, decided on the version their page showed; what went wrong is shown with what they typed."""
    shown = desk.field("version", 10)
    version = int(shown) if shown.isdecimal() else 0
    try:
        with desk.writing() as session:
            step(session, version)
            desk.note(session, action, "mention", mention_id)
    except GivesAwayError as error:
        return _show(desk, mention_id, 422, desk.gettext(str(error)), typed, error.what)
    except (InvalidInputError, ConflictError, NotFoundError) as error:
        note_search(desk, error)
        status = 409 if isinstance(error, ConflictError) else 422
        return _show(desk, mention_id, status, desk.gettext(str(error)), typed)
    return desk.go(f"{PATH}/{mention_id}", said)
