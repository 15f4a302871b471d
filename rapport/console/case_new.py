"""A new case, of what came in another way."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from rapport.cases import rules, service
from rapport.console.case_customers import customer_named, note_search
from rapport.console.case_words import word
from rapport.console.cases import PATH
from rapport.console.desk import Desk, allowed
from rapport.conversations import service as conversations
from rapport.conversations.models import Conversation
from rapport.kit.errors import InvalidInputError, NotFoundError
from rapport.staff.rules import May

routes = APIRouter()
Worker = Annotated[Desk, Depends(allowed(May.ANSWER))]
# Made with the form, so that pressing its button twice opens one case.
KEY = re.compile("[0-9a-f]{32}")
LONGEST = rules.LONGEST_TEXT * 2


@routes.get("/cases/new")
def show_new(desk: Worker, conversation: str = "", customer: str = "") -> Response:
    """The form for what came in another way; perhaps of a conversation, or about a customer."""
    typed = {"conversation": conversation, "kind": "complaint" if conversation else "callback"}
    return _new(desk, {**typed, "customer": customer, "key": uuid4().hex})


@routes.post("/cases")
def open_new(desk: Worker) -> Response:
    names = ("kind", "language", "priority", "contact", "order_number", "source_url", "email", "conversation")
    typed = {name: desk.field(name, 600) for name in names}
    typed["text"], typed["customer"] = desk.field("text", LONGEST), desk.field("customer", 20)
    key = desk.field("key", 40)
    typed["key"] = key if KEY.fullmatch(key) else uuid4().hex
    try:
        with desk.writing() as session:
            talk = conversations.get(session, typed["conversation"]) if typed["conversation"] else None
            customer_id = customer_named(desk, session, typed) or (talk.customer_id if talk else None)
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
                key=typed["key"],
            )
            desk.note(session, "open case", "case", case.id, kind=case.kind)
    except (InvalidInputError, NotFoundError) as error:
        note_search(desk, error)
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
