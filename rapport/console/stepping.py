"""Taking a conversation over, answering, handing it back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session

from rapport.channels.base import MAX_TEXT
from rapport.console.desk import Desk, allowed, number
from rapport.conversations import service as conversations
from rapport.conversations.models import Conversation, Handoff
from rapport.customers import service as customers
from rapport.handoff import repository, service
from rapport.handoff.service import Reach, TakenError, UnreachableError
from rapport.kit import clock
from rapport.kit.errors import ConflictError, InvalidInputError
from rapport.replies import rules as reply_rules
from rapport.replies import service as replies
from rapport.shop.facts import get_facts
from rapport.staff import repository as staff
from rapport.staff.models import Staff
from rapport.staff.rules import May, may

routes = APIRouter()
Answerer = Annotated[Desk, Depends(allowed(May.ANSWER))]
Conversed = Annotated[str, Path(pattern="^[0-9a-f]{1,32}$")]
PATH = "/console/conversations"


@dataclass(frozen=True)
class Canned:
    """A canned reply in the customer's language, filled in; `left`: what is still to be filled by hand."""

    id: int
    title: str
    shortcut: str
    text: str
    left: tuple[str, ...]


@dataclass(frozen=True)
class Stepping:
    """What the answer box shows. `holder` is who has the conversation, `since` how long or how long it waits;
    `unanswered`: the customer's last message waits for a person's answer.
    """

    holder: int | None
    holder_name: str
    mine: bool
    since: datetime | None
    reach: Reach
    replies: list[Canned]
    colleagues: list[Staff]
    unanswered: bool
    client_id: str
    longest: int = MAX_TEXT


def beside(desk: Desk, session: Session, conversation: Conversation) -> dict[str, Any]:
    """What templates/conversation_stepping.html shows on the page of a conversation."""
    handoff = repository.open_handoff(session, conversation.id)
    holder = service.holder(session, conversation)
    mine = holder is not None and holder == desk.staff.id
    everybody = staff.everybody(session)
    return {
        "stepping": Stepping(
            holder=holder,
            holder_name=next((one.name for one in everybody if one.id == holder), "–"),
            mine=mine,
            since=_since(handoff),
            reach=service.reach(session, conversation),
            replies=_replies(desk, session, conversation) if mine else [],
            colleagues=[
                one
                for one in everybody
                if one.id != desk.staff.id and one.disabled_at is None and may(one.role, May.ANSWER)
            ],
            unanswered=mine and service.unanswered(session, conversation) is not None,
            client_id=uuid4().hex,
        )
    }


def _since(handoff: Handoff | None) -> datetime | None:
    return None if handoff is None else handoff.waiting_since or handoff.taken_at


def _replies(desk: Desk, session: Session, conversation: Conversation) -> list[Canned]:
    facts, language = get_facts(), conversation.language
    customer_id = conversation.customer_id
    values = {
        "name": customers.first_name(session, customer_id) if customer_id is not None else None,
        "agent": desk.staff.name.split()[0],
        "shop": facts.name,
        "email": facts.contact.email,
        "phone": facts.contact.phone,
        "hours": facts.opening_hours(language, clock.now()),
        "url": facts.url,
    }
    found = []
    for reply in replies.offered(session):
        if said := reply.texts.get(language):
            text = reply_rules.fill(said, values)
            found.append(Canned(reply.id, reply.title, reply.shortcut, text, reply_rules.unfilled(text)))
    return found


@routes.post("/conversations/{conversation_id}/take")
def take(desk: Answerer, conversation_id: Conversed) -> Response:
    """`instead_of`: the colleague it is knowingly taken from."""
    from_whom = number(desk.field("instead_of", 20))
    try:
        with desk.writing() as session:
            conversation = conversations.get(session, conversation_id)
            service.take_over(session, conversation, desk.staff.id, from_whom)
            details = {"from": from_whom} if from_whom is not None else {}
            desk.note(session, "take over", "conversation", conversation_id, **details)
    except TakenError as error:
        with desk.reading() as session:
            name = staff.names(session).get(error.staff_id or 0, "–")
        return _back(desk, conversation_id, desk.gettext("%(name)s was faster and has it now.", name=name))
    return _back(desk, conversation_id, desk.gettext("It is yours now. The bot is silent."))


@routes.post("/conversations/{conversation_id}/answer")
def answer(desk: Answerer, conversation_id: Conversed) -> Response:
    """Says something. Scripts get JSON; others the page, or their words again with what is wrong."""
    text = desk.form.get("text", "")
    words = text if isinstance(text, str) else ""
    try:
        with desk.writing() as session:
            conversation = conversations.get(session, conversation_id)
            message = service.answer(
                session, conversation, desk.staff.id, words, desk.field("client_id", 100) or None
            )
            sequence = message.sequence
            if reply_id := number(desk.field("reply", 20)):
                replies.used(session, reply_id)
            desk.note(session, "answer", "conversation", conversation_id, message=message.id)
    except (InvalidInputError, UnreachableError, TakenError) as error:
        status, problem = _problem(desk, error)
        if _is_script(desk):
            return JSONResponse({"problem": problem}, status)
        return desk.page(
            "answer_again.html", status, problem=problem, words=words, conversation_id=conversation_id
        )
    if _is_script(desk):
        return JSONResponse({"sequence": sequence, "client_id": uuid4().hex})
    return _back(desk, conversation_id, desk.gettext("Sent."))


@routes.post("/conversations/{conversation_id}/hand-back")
def hand_back(desk: Answerer, conversation_id: Conversed) -> Response:
    """`left`: whether the bot answers what nobody answered (`bot`), or it is `settled`."""
    settled = desk.field("left", 20) == "settled"
    with desk.writing() as session:
        conversation = conversations.get(session, conversation_id)
        try:
            answers = service.hand_back(session, conversation, desk.staff.id, settled)
        except TakenError as error:
            return _not_yours(desk, session, conversation_id, error)
        desk.note(session, "hand back", "conversation", conversation_id, settled=settled)
    desk.parts.engine.wake(conversation_id)
    said = desk.gettext("The bot answers the last message.") if answers else desk.gettext("The bot goes on.")
    return _back(desk, conversation_id, said)


@routes.post("/conversations/{conversation_id}/release")
def release(desk: Answerer, conversation_id: Conversed) -> Response:
    """Back to the queue."""
    with desk.writing() as session:
        conversation = conversations.get(session, conversation_id)
        try:
            service.release(session, conversation, desk.staff.id)
        except TakenError as error:
            return _not_yours(desk, session, conversation_id, error)
        desk.note(session, "release", "conversation", conversation_id)
    return desk.go("/console/waiting", desk.gettext("It waits for a colleague now."))


@routes.post("/conversations/{conversation_id}/pass-on")
def pass_on(desk: Answerer, conversation_id: Conversed) -> Response:
    """To a colleague."""
    to = number(desk.field("to", 20)) or 0
    with desk.writing() as session:
        conversation = conversations.get(session, conversation_id)
        try:
            service.pass_on(session, conversation, desk.staff.id, to)
        except TakenError as error:
            return _not_yours(desk, session, conversation_id, error)
        name = staff.names(session)[to]
        desk.note(session, "pass on", "conversation", conversation_id, to=to)
    return _back(desk, conversation_id, desk.gettext("%(name)s has it now.", name=name))


@routes.post("/conversations/{conversation_id}/dismiss")
def dismiss(desk: Answerer, conversation_id: Conversed) -> Response:
    """Nobody is needed any more."""
    with desk.writing() as session:
        service.dismiss(session, conversations.get(session, conversation_id))
        desk.note(session, "dismiss", "conversation", conversation_id)
    return _back(desk, conversation_id, desk.gettext("It does not wait any more. The bot goes on."))


def _back(desk: Desk, conversation_id: str, said: str) -> Response:
    return desk.go(f"{PATH}/{conversation_id}#answer", said)


def _not_yours(desk: Desk, session: Session, conversation_id: str, error: TakenError) -> Response:
    """Nothing was changed yet."""
    return _back(desk, conversation_id, _whose(desk, session, error))


def _whose(desk: Desk, session: Session, error: TakenError) -> str:
    if error.staff_id is None:
        return desk.gettext("You do not have this conversation any more.")
    name = staff.names(session).get(error.staff_id, "–")
    return desk.gettext("%(name)s has this conversation now.", name=name)


def _problem(desk: Desk, error: InvalidInputError | ConflictError) -> tuple[int, str]:
    """(status, sentence) of why something was not said."""
    if isinstance(error, TakenError):
        with desk.reading() as session:
            return 409, _whose(desk, session, error)
    if isinstance(error, UnreachableError):
        return 409, desk.gettext("It was not sent: the customer cannot be reached on this channel now.")
    return 422, desk.gettext("A message has 1 to %(most)s characters.", most=MAX_TEXT)


def _is_script(desk: Desk) -> bool:
    return "application/json" in desk.request.headers.get("accept", "")
