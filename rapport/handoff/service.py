"""Stepping in: taking a conversation over, saying something in it, giving it back.

Each step takes the conversation's lock first, so that of two people at once one is told who was faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy.orm import Session

from rapport.channels import outbound, registry
from rapport.channels import repository as channels
from rapport.conversations import events
from rapport.conversations import repository as conversations
from rapport.conversations.models import Conversation, Message
from rapport.handoff import repository, rules
from rapport.kit import clock
from rapport.kit.errors import ConflictError


@dataclass(frozen=True)
class Reach:
    """Whether what a person writes reaches the customer now. `why` not: gone, or window (they have not
    written for so long that their app takes no free text). `until` is when the window closes, if it does.
    """

    why: str | None = None
    until: datetime | None = None

    @property
    def ok(self) -> bool:
        return self.why is None


class UnreachableError(ConflictError):
    """What would be written now does not reach the customer."""

    def __init__(self, reach: Reach) -> None:
        super().__init__("The customer cannot be reached on their channel now.")
        self.reach = reach


def reach(session: Session, conversation: Conversation) -> Reach:
    """Whether a free text can be sent to the customer at this moment."""
    if conversation.channel == outbound.WEB:
        return Reach()
    point = channels.contact_of(session, conversation.id)
    if point is None or point.unreachable_since is not None:
        return Reach("gone")
    window = registry.window(conversation.channel)
    if window is None:
        return Reach()
    until = point.last_inbound_at + window
    return Reach(None if clock.now() < until else "window", until)


def say(
    session: Session, conversation: Conversation, staff_id: int, text: str, client_id: str | None = None
) -> Message:
    """Stores a person's words and hands them to the customer's channel; the bot is told before its next turn.

    The same `client_id` again is the same message. Raises InvalidInputError for a text
    that is empty or too long, and UnreachableError.
    """
    text = rules.checked_text(text)
    key = rules.key_of(conversation.id, client_id or uuid4().hex)
    status = repository.locked_status(session, conversation)
    known = conversations.by_provider_id(session, conversation.channel, key)
    if known is not None:
        return known
    found = reach(session, conversation)
    if not found.ok:
        raise UnreachableError(found)
    now = clock.now()
    sequence, _, language = conversations.advance(session, conversation.id, 1, now)
    message = Message(
        conversation_id=conversation.id,
        sequence=sequence,
        author="staff",
        staff_id=staff_id,
        channel=conversation.channel,
        provider_id=key,
        status="untold",
        text=text,
        content={"stepped_in": True} if status == "human" else {},
        language=language,
        at=now,
    )
    session.add(message)
    session.flush()
    outbound.queue(session, conversation, [{"sequence": sequence}])
    events.announce(session, conversation.id)
    handoff = repository.open_handoff(session, conversation.id)
    if handoff is not None and handoff.first_answer_at is None:
        handoff.first_answer_at = now
        session.flush()
    return message
