"""Staff, customers with conversations, and cases of theirs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine, select

from rapport.cases.models import Case, CaseEvent
from rapport.conversations import service as conversations
from rapport.conversations.models import Conversation, Message
from rapport.kit.database import read_scope, session_scope
from rapport.outreach.models import OutboxMessage
from rapport.staff.models import Staff
from tests.console.talks import somebody, talk

_numbers = count(1)


@dataclass
class Desk:
    """A shop with two of its people, and what to look at."""

    engine: Engine
    ada: int
    mia: int

    def case(
        self, kind: str = "complaint", text: str = "The zip broke.", verified: bool = True, **more: Any
    ) -> int:
        """The id of a case that the bot opened in a conversation; `verified`: it knows who that is."""
        columns = {name: more.pop(name) for name in ("channel", "language", "at") if name in more}
        number = next(_numbers)
        customer_id = somebody(self.engine, "Ann Lee", f"ann{number}@example.com") if verified else None
        talk_id = talk(self.engine, ("customer", text), ("bot", "I pass it on."), **columns)
        with session_scope(self.engine) as session:
            conversation = session.get_one(Conversation, talk_id)
            key = session.scalars(select(Message.id).where(Message.conversation_id == talk_id)).first()
            message_key = f"{talk_id}:{key}"
            case = conversations.open_case(session, conversation, kind, text, message_key, **more)
            case.customer_id = conversation.customer_id = customer_id
            return case.id

    def read(self, case_id: int) -> Case:
        with read_scope(self.engine) as session:
            case = session.get_one(Case, case_id)
            session.expunge_all()
        return case

    def history(self, case_id: int) -> list[CaseEvent]:
        with read_scope(self.engine) as session:
            query = select(CaseEvent).where(CaseEvent.case_id == case_id).order_by(CaseEvent.id)
            found = list(session.scalars(query))
            session.expunge_all()
        return found

    def said(self, case_id: int) -> list[str | None]:
        """What people wrote in the case's conversation."""
        case = self.read(case_id)
        with read_scope(self.engine) as session:
            query = select(Message.text).where(
                Message.conversation_id == case.conversation_id, Message.author == "staff"
            )
            return list(session.scalars(query.order_by(Message.sequence)))

    def mails(self) -> list[OutboxMessage]:
        with read_scope(self.engine) as session:
            found = list(session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))
            session.expunge_all()
        return found


@pytest.fixture
def desk(engine: Engine) -> Desk:
    with session_scope(engine) as session:
        staff = [
            Staff(email=f"{name}@fjordly.example", name=name, role="agent", language="en")
            for name in ("Ada", "Mia")
        ]
        session.add_all(staff)
        session.flush()
        ids = [one.id for one in staff]
    return Desk(engine, *ids)
