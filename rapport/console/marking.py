"""Marking what the bot understood and said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from sqlalchemy.orm import Session

from rapport.console import intents
from rapport.console.desk import Desk, allowed
from rapport.conversations.models import Conversation, Message
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError, RapportError
from rapport.staff.rules import May
from rapport.teaching import project as projects
from rapport.teaching import repository, service
from rapport.teaching.models import Annotation

routes = APIRouter()
Marking = Annotated[Desk, Depends(allowed(May.ANSWER))]


@dataclass
class Marks:
    """What was said about one message, the newest of each kind."""

    intent: Annotation | None = None
    entity: Annotation | None = None
    answer: Annotation | None = None
    ignore: Annotation | None = None


def beside(desk: Desk, session: Session, conversation: Conversation) -> dict[str, Any]:
    """What conversation_marking.html and message_marking.html show on the page of a conversation."""
    marks: dict[int, Marks] = {}
    for annotation in repository.of_conversation(session, conversation.id):
        setattr(marks.setdefault(annotation.message_id, Marks()), annotation.kind, annotation)
    return {"marks": marks, "may_mark": desk.may(May.ANSWER), "meaning": intents.meaning, **choices(desk)}


def choices(desk: Desk) -> dict[str, Any]:
    """The intents and named things to choose from."""
    project = projects.read(desk.parts.settings.project_dir)
    return {
        "intent_choices": sorted(
            ((name, desk.gettext(intents.meaning(name))) for name in project.intents), key=lambda one: one[1]
        ),
        "entity_choices": [(name, values) for name, values in sorted(project.values.items())],
    }


@routes.post("/conversations/{conversation_id}/mark/{message_id}/intent")
def correct_intent(conversation_id: str, message_id: int, desk: Marking) -> Response:
    """The customer meant something else."""
    intent = desk.field("intent", 120)
    project = projects.read(desk.parts.settings.project_dir)
    # Who writes what an intent means instead of its name is understood as well.
    intent = {said: name for name, said in choices(desk)["intent_choices"]}.get(intent, intent)
    return _mark(
        desk,
        conversation_id,
        message_id,
        lambda session: service.correct_intent(session, project, desk.staff.id, message_id, intent),
        desk.gettext("Kept. It is looked at under Teaching before the bot learns from it."),
    )


@routes.post("/conversations/{conversation_id}/mark/{message_id}/entity")
def correct_entity(conversation_id: str, message_id: int, desk: Marking) -> Response:
    """Some words of a message name something."""
    value, words = desk.field("value", 120), desk.field("words", 120)
    project = projects.read(desk.parts.settings.project_dir)
    return _mark(
        desk,
        conversation_id,
        message_id,
        lambda session: service.correct_entity(session, project, desk.staff.id, message_id, value, words),
        desk.gettext("Kept. It is looked at under Teaching before the bot learns from it."),
    )


@routes.post("/conversations/{conversation_id}/mark/{message_id}/answer")
def mark_answer(conversation_id: str, message_id: int, desk: Marking) -> Response:
    """An answer of the bot was good or bad."""
    value, reason = desk.field("value", 10), desk.field("reason", service.LONGEST_REASON)
    return _mark(
        desk,
        conversation_id,
        message_id,
        lambda session: service.mark_answer(session, desk.staff.id, message_id, value, reason),
        desk.gettext("Kept."),
    )


@routes.post("/conversations/{conversation_id}/mark/{message_id}/undo/{annotation_id}")
def undo(conversation_id: str, message_id: int, annotation_id: int, desk: Marking) -> Response:
    """Takes a mark back that nobody has decided yet."""
    return _mark(
        desk,
        conversation_id,
        message_id,
        lambda session: service.undo(session, message_id, annotation_id),
        desk.gettext("Taken back."),
        "take a mark back",
    )


def _mark(
    desk: Desk, conversation_id: str, message_id: int, make: Any, said: str, action: str = "mark a message"
) -> Response:
    """Makes or takes back a mark, and back to the message; what is wrong is said there."""
    with desk.writing() as session:
        message = session.get(Message, message_id)
        if message is None or message.conversation_id != conversation_id:
            raise NotFoundError(desk.gettext("There is no such message."))
        place = f"/console/conversations/{conversation_id}?message={message.sequence}#m{message.sequence}"
        try:
            annotation: Annotation = make(session)
        except (InvalidInputError, ConflictError) as error:
            return desk.go(place, _problem(desk, error), refused=True)
        about = {"message": message.sequence, "kind": annotation.kind, "value": annotation.value}
        desk.note(session, action, "conversation", conversation_id, **about)
    return desk.go(place, said)


def _problem(desk: Desk, error: RapportError) -> str:
    told = {
        "There is no such intent.": desk.gettext("Nothing was kept: there is no such intent."),
        "These words do not stand in the message.": desk.gettext(
            "Nothing was kept: these words do not stand in the message."
        ),
        "The bot has learned from this message already.": desk.gettext(
            "Nothing was kept: the bot has learned from this message already."
        ),
        "That was decided already.": desk.gettext("Nothing was taken back: that was decided already."),
    }
    return told.get(str(error), str(error))
