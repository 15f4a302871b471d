"""Conversations as if people had had them, for pages to show."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from rapport.conversations.answers import NOT_UNDERSTOOD
from rapport.conversations.models import Conversation, Message
from rapport.customers.models import Customer, Identity
from rapport.kit import clock
from rapport.kit.database import session_scope

STEP = timedelta(seconds=20)
Line = tuple[str, str] | tuple[str, str, dict[str, Any]]


def talk(database: Engine, *lines: Line, at: datetime | None = None, **columns: Any) -> str:
    """A conversation with these lines: (author, text) or (author, text, more columns of `message`); its id.

    `at` is the first message's time, the others follow in steps of 20 s. A customer's lines count as
    answered. `columns` are the conversation's own.
    """
    begun = at or clock.now()
    end = begun + STEP * max(len(lines) - 1, 0)
    with session_scope(database) as session:
        conversation = Conversation(
            **{"channel": "web", "language": "en", "created_at": begun, "updated_at": end, **columns}
        )
        conversation.last_sequence = len(lines)
        _understood(conversation, [line[2] for line in lines if len(line) == 3])
        session.add(conversation)
        session.flush()
        asked: int | None = None
        for number, line in enumerate(lines, 1):
            author, text, more = line if len(line) == 3 else (*line, {})
            said = begun + STEP * (number - 1)
            message = Message(
                **{
                    "conversation_id": conversation.id,
                    "sequence": number,
                    "author": author,
                    "channel": conversation.channel,
                    "provider_id": f"{conversation.id}:{number}" if author == "customer" else None,
                    "status": "answered" if author == "customer" else "stored",
                    "text": text,
                    "reply_to": None if author == "customer" else asked,
                    "language": conversation.language,
                    "at": said,
                    "answered_at": said if author == "customer" else None,
                    **more,
                }
            )
            session.add(message)
            session.flush()
            asked = message.id if author == "customer" else asked
        return conversation.id


def _understood(conversation: Conversation, columns: list[dict[str, Any]]) -> None:
    """What stands on a conversation of its messages, as turns write it."""
    intents = dict.fromkeys(one["intent"] for one in columns if one.get("intent"))
    conversation.intents = f",{','.join(intents)}," if intents else ""
    conversation.not_understood = bool(NOT_UNDERSTOOD & set(intents))
    surely = [one["confidence"] for one in columns if one.get("confidence") is not None]
    conversation.lowest_confidence = min(surely, default=None)


def somebody(database: Engine, name: str = "Ana Pop", email: str = "ana@example.com", **columns: Any) -> int:
    """A customer with a verified address; their id."""
    with session_scope(database) as session:
        customer = Customer(**{"name": name, "language": "en", **columns})
        session.add(customer)
        session.flush()
        session.add(Identity(customer_id=customer.id, kind="email", value=email, verified_at=clock.now()))
        return customer.id
