"""Stepping in: taking a conversation over, saying something in it, giving it back.

Each step takes the conversation's lock first, so that of two people at once one is told who was faster.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy.orm import Session

from rapport.channels import outbound, registry
from rapport.channels import repository as channels
from rapport.conversations import events
from rapport.conversations import repository as conversations
from rapport.conversations.models import Conversation, Handoff, Message
from rapport.handoff import repository, rules
from rapport.handoff.rules import Step
from rapport.insight import service as satisfaction
from rapport.kit import clock
from rapport.kit.errors import ConflictError, InvalidInputError
from rapport.staff.models import Staff
from rapport.staff.rules import May, may


@dataclass(frozen=True)
class Reach:
    """Whether what a person writes reaches the customer now. `why` not: gone, stopped (their last word is
    STOP), or window (they have not written for so long that their app takes no free text). `until` is when
    the window closes, if it does.
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


class TakenError(ConflictError):
    """Somebody else has the conversation: `staff_id`, or nobody."""

    def __init__(self, staff_id: int | None) -> None:
        super().__init__("Somebody else has this conversation." if staff_id else "Nobody has it now.")
        self.staff_id = staff_id


def reach(session: Session, conversation: Conversation) -> Reach:
    """Whether a free text can be sent to the customer at this moment."""
    if conversation.channel == outbound.WEB:
        return Reach()
    point = channels.contact_of(session, conversation.id)
    if point is None or point.unreachable_since is not None:
        return Reach("gone")
    if repository.said_stop_last(session, conversation.id):
        return Reach("stopped")
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


def holder(session: Session, conversation: Conversation) -> int | None:
    """Who has the conversation now; None while the bot answers."""
    handoff = repository.open_handoff(session, conversation.id) if conversation.status == "human" else None
    return handoff.staff_id if handoff is not None else None


def take_over(
    session: Session, conversation: Conversation, staff_id: int, instead_of: int | None = None
) -> Handoff:
    """The conversation is theirs from now on, and the bot is silent. Again by the same person: no change.

    Raises TakenError when a colleague has it, unless it is the one it is knowingly taken from.
    """
    status = repository.locked_status(session, conversation)
    handoff = repository.open_handoff(session, conversation.id)
    if status == "human" and handoff is not None and handoff.staff_id not in {staff_id, instead_of}:
        raise TakenError(handoff.staff_id)
    now = clock.now()
    if handoff is None:
        handoff = Handoff(
            conversation_id=conversation.id,
            message_key=f"staff:{uuid4().hex}",
            reason="taken by staff",
            requested_at=now,
        )
        session.add(handoff)
    if handoff.taken_at is None or (handoff.waiting_since is not None and handoff.first_answer_at is None):
        handoff.taken_at = now
    handoff.staff_id, handoff.waiting_since = staff_id, None
    _move(session, conversation, Step.TAKE, staff_id)
    return handoff


def answer(
    session: Session, conversation: Conversation, staff_id: int, text: str, client_id: str | None = None
) -> Message:
    """As `say`, by who has the conversation. Raises TakenError as well."""
    _check_holder(session, conversation, staff_id)
    return say(session, conversation, staff_id, text, client_id)


def unanswered(session: Session, conversation: Conversation) -> Message | None:
    """The customer's last message, if no person answered it and the bot would have to."""
    said = repository.last_said_by_staff(session, conversation.id)
    kept = repository.kept_since(session, conversation.id, said)
    told = [message.sequence for message in kept if message.told_at is not None]
    sequence = rules.to_answer([message.sequence for message in kept], told, said)
    return next((message for message in kept if message.sequence == sequence), None)


def hand_back(session: Session, conversation: Conversation, staff_id: int, settled: bool = False) -> bool:
    """The bot goes on; whether it has something to answer at once: the customer's last message, when no
    person answered it. `settled`: nothing is left to be answered. Raises TakenError.
    """
    handoff = _check_holder(session, conversation, staff_id)
    left = None if settled else unanswered(session, conversation)
    if settled:
        repository.keep_unanswered(session, conversation.id)
    elif left is not None:
        repository.give_to_bot(session, left.id)
    handoff.closed_at = clock.now()
    _move(session, conversation, Step.HAND_BACK, None)
    if left is None and handoff.first_answer_at is not None:
        satisfaction.ask(session, conversation)
    return left is not None


def release(session: Session, conversation: Conversation, staff_id: int) -> None:
    """Back to the queue: nobody has it. The bot answers meanwhile. Raises TakenError."""
    handoff = _check_holder(session, conversation, staff_id)
    handoff.waiting_since = rules.waiting_again(handoff.requested_at, handoff.first_answer_at, clock.now())
    handoff.staff_id = None
    _move(session, conversation, Step.RELEASE, None)


def take_back(session: Session, conversation: Conversation, patience: timedelta, is_open: bool) -> int | None:
    """From who took it and leaves the customer alone, to the queue: whose it was, None if it stays theirs.

    The bot goes on with what nobody answered, and colleagues have their time to come.
    """
    status = repository.locked_status(session, conversation)
    handoff = repository.open_handoff(session, conversation.id)
    if status != "human" or handoff is None or handoff.first_answer_at or not handoff.taken_at:
        return None
    now, taken_at = clock.now(), handoff.taken_at
    kept = repository.kept_since(session, conversation.id, 0)
    written_at = next((message.at for message in kept if message.at >= taken_at), None)
    if not rules.is_left_alone(handoff.requested_at, taken_at, written_at, now, patience, is_open):
        return None
    left = unanswered(session, conversation)
    if left is not None:
        repository.give_to_bot(session, left.id)
    whose, handoff.staff_id, handoff.waiting_since = handoff.staff_id, None, now
    _move(session, conversation, Step.RELEASE, None)
    return whose


def release_all(session: Session, staff_id: int) -> list[str]:
    """All that somebody has, who is gone, back to the queue: else nobody answers there. Which these are."""
    released = []
    for conversation_id, _, _ in repository.mine(session, staff_id):
        with suppress(TakenError):  # somebody took it from them just now
            release(session, session.get_one(Conversation, conversation_id), staff_id)
            released.append(conversation_id)
    return released


def pass_on(session: Session, conversation: Conversation, staff_id: int, to: int) -> None:
    """A colleague has it from now on. Raises TakenError, and InvalidInputError for who may not answer."""
    handoff = _check_holder(session, conversation, staff_id)
    colleague = session.get(Staff, to)
    if colleague is None or colleague.disabled_at is not None or not may(colleague.role, May.ANSWER):
        raise InvalidInputError("That is nobody who answers customers.")
    handoff.staff_id = to
    _move(session, conversation, Step.PASS_ON, to)


def dismiss(session: Session, conversation: Conversation) -> None:
    """Nobody is needed any more by a conversation that waits. Raises ConflictError when it does not."""
    if repository.locked_status(session, conversation) != "waiting":
        raise ConflictError("The conversation does not wait any more.")
    handoff = repository.open_handoff(session, conversation.id)
    if handoff is not None:
        handoff.waiting_since, handoff.closed_at = None, clock.now()
    _move(session, conversation, Step.HAND_BACK, conversation.assigned_to)


def _check_holder(session: Session, conversation: Conversation, staff_id: int) -> Handoff:
    """Takes the lock. Raises TakenError when the conversation is not in their hands."""
    status = repository.locked_status(session, conversation)
    handoff = repository.open_handoff(session, conversation.id)
    if status != "human" or handoff is None or handoff.staff_id != staff_id:
        raise TakenError(handoff.staff_id if handoff is not None else None)
    return handoff


def _move(session: Session, conversation: Conversation, step: Step, staff_id: int | None) -> None:
    conversation.status = rules.after(conversation.status, step)
    conversation.assigned_to = staff_id
    session.flush()
    events.announce(session, conversation.id)
