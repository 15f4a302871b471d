"""One conversation: what was said and understood, the customer beside it, notes, tags, who looks after it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from rapport.console import cases, marking, stepping
from rapport.console.desk import Desk, allowed, html, number
from rapport.console.looks import look
from rapport.conversations import service as conversations
from rapport.conversations.models import Conversation
from rapport.customers import verification
from rapport.kit.errors import InvalidInputError
from rapport.notes import repository as notes_repository
from rapport.notes import rules as notes_rules
from rapport.notes import service as notes
from rapport.profiles import service as profiles
from rapport.staff import repository as staff_repository
from rapport.staff.rules import May
from rapport.transcripts import service as transcripts

routes = APIRouter()
MOST = 2**31 - 1  # the largest number a column of the database takes
Reader = Annotated[Desk, Depends(allowed(May.READ))]
Answerer = Annotated[Desk, Depends(allowed(May.ANSWER))]
Conversed = Annotated[str, Path(pattern="^[0-9a-f]{1,32}$")]
Number = Annotated[int | None, Query(ge=0, le=MOST)]
PATH = "/console/conversations"


@routes.get("/conversations/{conversation_id}")
def show(
    desk: Reader,
    conversation_id: Conversed,
    before: Number = None,
    message: Number = None,
    understood: bool = False,
) -> Response:
    """The page. `before` and `message`: older messages, or those around one; `understood`: unfolded."""
    return _page(desk, conversation_id, before=before, around=message, unfolded=understood)


@routes.get("/conversations/{conversation_id}/messages")
def messages(
    desk: Reader, conversation_id: Conversed, after: Annotated[int, Query(ge=0, le=MOST)] = 0
) -> Response:
    """What came after a message, as a piece of the page."""
    with desk.reading() as session:
        conversation = conversations.get(session, conversation_id)
        full = desk.sees_person(is_mine(desk, conversation))
        sight = profiles.person_of(session, conversation).sight(full)
        values = {
            "entries": transcripts.since(session, conversation.id, after, sight),
            "conversation": conversation,
            "names": staff_repository.names(session),
            "unfolded": False,
            "staff": desk.staff,
            "desk": desk,
            "csrf": desk.csrf,
            "May": May,
            **marking.beside(desk, session, conversation),
        }
        answer = html("conversation_messages.html", desk.staff.language, values)
        customer_id = conversation.customer_id
    look(desk, "conversation", conversation_id, full, customer=customer_id)
    return answer


@routes.post("/conversations/{conversation_id}/notes")
def add_note(desk: Answerer, conversation_id: Conversed) -> Response:
    text = desk.field("text", notes_rules.LONGEST_NOTE * 2)
    try:
        with desk.writing() as session:
            conversations.get(session, conversation_id)
            note = notes.add_note(session, conversation_id, desk.staff.id, text)
            desk.note(session, "add note", "conversation", conversation_id, note=note.id)
    except InvalidInputError:
        problem = desk.gettext("A note needs 1 to %(most)s characters.", most=notes_rules.LONGEST_NOTE)
        return _page(desk, conversation_id, 422, note_problem=problem, typed_note=text)
    return desk.go(f"{PATH}/{conversation_id}#notes", desk.gettext("The note is kept."))


@routes.post("/conversations/{conversation_id}/notes/{note_id}")
def change_note(
    desk: Answerer, conversation_id: Conversed, note_id: Annotated[int, Path(ge=1, le=MOST)]
) -> Response:
    text = desk.field("text", notes_rules.LONGEST_NOTE * 2)
    try:
        with desk.writing() as session:
            notes.change_note(session, conversation_id, desk.staff.id, note_id, text)
            desk.note(session, "change note", "conversation", conversation_id, note=note_id)
    except InvalidInputError:
        problem = desk.gettext("A note needs 1 to %(most)s characters.", most=notes_rules.LONGEST_NOTE)
        return _page(desk, conversation_id, 422, note_problem=problem)
    return desk.go(f"{PATH}/{conversation_id}#notes", desk.gettext("The note was changed."))


@routes.post("/conversations/{conversation_id}/notes/{note_id}/delete")
def delete_note(
    desk: Answerer, conversation_id: Conversed, note_id: Annotated[int, Path(ge=1, le=MOST)]
) -> Response:
    with desk.writing() as session:
        notes.delete_note(session, conversation_id, desk.staff.id, note_id)
        desk.note(session, "delete note", "conversation", conversation_id, note=note_id)
    return desk.go(f"{PATH}/{conversation_id}#notes", desk.gettext("The note was deleted."))


@routes.post("/conversations/{conversation_id}/tags")
def add_tag(desk: Answerer, conversation_id: Conversed) -> Response:
    typed = desk.field("tag", 200)
    try:
        with desk.writing() as session:
            conversations.get(session, conversation_id)
            tag = notes.add_tag(session, conversation_id, desk.staff.id, typed)
            if tag is not None:
                desk.note(session, "add tag", "conversation", conversation_id, tag=tag)
    except notes.TooManyError:
        problem = desk.gettext("A conversation has at most %(most)s tags.", most=notes_rules.MOST_TAGS)
        return _page(desk, conversation_id, 422, tag_problem=problem, typed_tag=typed)
    except InvalidInputError:
        problem = desk.gettext(
            "A tag needs 1 to %(most)s letters or digits, and must not be somebody's address or number.",
            most=notes_rules.LONGEST_TAG,
        )
        return _page(desk, conversation_id, 422, tag_problem=problem, typed_tag=typed)
    return desk.go(f"{PATH}/{conversation_id}#tags")


@routes.post("/conversations/{conversation_id}/tags/remove")
def remove_tag(desk: Answerer, conversation_id: Conversed) -> Response:
    tag = desk.field("tag", 200)
    with desk.writing() as session:
        if notes.remove_tag(session, conversation_id, tag):
            desk.note(session, "remove tag", "conversation", conversation_id, tag=tag)
    return desk.go(f"{PATH}/{conversation_id}#tags")


@routes.post("/conversations/{conversation_id}/assign")
def assign(desk: Answerer, conversation_id: Conversed) -> Response:
    """To somebody, or with an empty field to nobody."""
    wanted = desk.field("staff", 20)
    staff_id = number(wanted)
    if wanted and staff_id is None:
        raise InvalidInputError(desk.gettext("There is no such account."))
    with desk.writing() as session:
        conversation = conversations.get(session, conversation_id)
        if conversation.assigned_to != staff_id:
            notes.assign(session, conversation_id, staff_id)
            desk.note(session, "assign", "conversation", conversation_id, to=staff_id)
    return desk.go(f"{PATH}/{conversation_id}", desk.gettext("Saved."))


def is_mine(desk: Desk, conversation: Conversation) -> bool:
    """Whether it is in their own hands."""
    return conversation.assigned_to == desk.staff.id


def _page(
    desk: Desk,
    conversation_id: str,
    status: int = 200,
    *,
    before: int | None = None,
    around: int | None = None,
    unfolded: bool = False,
    **shown: Any,
) -> HTMLResponse:
    with desk.reading() as session:
        conversation = conversations.get(session, conversation_id)
        mine = is_mine(desk, conversation)
        full = desk.sees_person(mine)
        someone = profiles.person_of(session, conversation)
        sight = someone.sight(full)
        # What belongs to the parts beside comes first: nothing of it takes the place of the page's own.
        values: dict[str, Any] = (
            stepping.beside(desk, session, conversation)
            | marking.beside(desk, session, conversation)
            | cases.beside(desk, session, conversation)
            | _customer(session, desk, conversation, someone, full)
            | {"note_problem": None, "typed_note": "", "tag_problem": None, "typed_tag": ""}
            | shown
        )
        colleagues = staff_repository.everybody(session)
        answer = desk.page(
            "conversation.html",
            status,
            **values
            | {
                "conversation": conversation,
                "mine": mine,
                "full": full,
                "transcript": transcripts.page(
                    session, conversation.id, conversation.last_sequence, sight, before, around
                ),
                "unfolded": unfolded,
                "names": {one.id: one.name for one in colleagues},
                "colleagues": [one for one in colleagues if one.disabled_at is None],
                "notes": [
                    (note, sight.text(note.text)) for note in notes_repository.notes(session, conversation.id)
                ],
                "tags": notes_repository.tags(session, conversation.id),
                "known_tags": notes_repository.known_tags(session),
            },
        )
        customer_id = someone.customer.id if someone.customer else None
    look(desk, "conversation", conversation_id, full, customer=customer_id)
    return answer


def _customer(
    session: Session, desk: Desk, conversation: Conversation, someone: profiles.Person, full: bool
) -> dict[str, Any]:
    """Who it is with; while nobody is known, what the conversation holds."""
    sight, language = someone.sight(full), desk.staff.language
    if someone.customer is None:
        known = profiles.cases_of(session, None, conversation.id, sight, profiles.BESIDE.cases)
        return {
            "profile": None,
            "verified_until": None,
            "complaint": profiles.open_complaint(known),
            "held_interests": profiles.held_interests(session, conversation.id, language),
        }
    profile = profiles.profile(session, someone, sight, language, conversation.id)
    verified = verification.current_customer_id(conversation) is not None
    return {
        "profile": profile,
        "verified_until": conversation.verified_until if verified else None,
        "complaint": profile.complaint,
        "held_interests": [],
    }
