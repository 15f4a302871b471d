"""Handing a step's words over: to the outbox, into a conversation in a messaging app, or as a call to make.

All of it is stored with the decision, in one transaction, and leaves only after its commit.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from actions.words import intent_button
from rapport.cases import opening
from rapport.cases.models import Case
from rapport.channels import outbound, registry
from rapport.conversations import events
from rapport.conversations import repository as conversations
from rapport.conversations import rules as talk
from rapport.conversations.models import Message
from rapport.customers import repository as customers
from rapport.insight import service as insight
from rapport.outreach import letter
from rapport.outreach import service as outreach
from rapport.outreach.journeys import repository
from rapport.outreach.journeys.definition import Step
from rapport.outreach.journeys.models import JourneyStep
from rapport.outreach.journeys.words import Rendered
from rapport.outreach.policy import service as policy

EMAIL, PHONE = "email", "phone"
# A mail that nobody waits for and that could not be sent for so long is not worth it any more.
MAIL_LASTS = timedelta(days=7)
CALLBACK_TOPIC = "journey"


class NotNowError(Exception):
    """It cannot be handed over at this moment. `busy`: somebody else works on the conversation; else a person
    of ours has it.
    """

    def __init__(self, busy: bool) -> None:
        super().__init__("busy" if busy else "handled by staff")
        self.busy = busy


class NoWayError(Exception):
    """There is no address on this channel (any more), or it takes nothing of this kind now; `reason` is the
    contact policy's word for it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def key_of(row: JourneyStep) -> str:
    """What makes a step be handed over once, and once more each time it was called back."""
    return f"journey:{row.id}:{row.repeats}" if row.repeats else f"journey:{row.id}"


def hand_over(
    session: Session,
    row: JourneyStep,
    step: Step,
    words: Rendered,
    channel: str,
    purpose: str | None,
    now: datetime,
) -> str:
    """Store it where it is sent from; returns what the step's row refers to. `purpose`: the journey's.

    Raises NotNowError and NoWayError.
    """
    match channel:
        case "email":
            return _mail(session, row, words, purpose, now)
        case "phone":
            return _call(session, row, words)
        case _:
            return _message(session, row, step, words, channel, now)


def _mail(session: Session, row: JourneyStep, words: Rendered, purpose: str | None, now: datetime) -> str:
    recipient = policy.mailbox_of(session, row.customer_id)
    if recipient is None:
        raise NoWayError("no_channel")
    outreach.enqueue(
        session,
        key=key_of(row),
        purpose=purpose or letter.OTHER,
        customer_id=row.customer_id,
        step_id=row.id,
        recipient=recipient,
        subject=words.subject,
        text=words.text,
        language=words.language,
        expires_at=min(now + MAIL_LASTS, words.code_ends or now + MAIL_LASTS),
    )
    return f"{repository.OUTBOX}:{repository.outbox_id(session, key_of(row))}"


def _call(session: Session, row: JourneyStep, words: Rendered) -> str:
    """A case for who is at the phone: whom to call, and what to say."""
    number = repository.number_of(session, row.customer_id)
    if number is None:
        raise NoWayError("no_channel")
    person = customers.get_customer(session, row.customer_id)
    name = person.name if person is not None else None
    case = Case(
        kind="callback",
        text=words.short,
        language=words.language,
        customer_id=row.customer_id,
        contact=f"{name}, {number}"[:200] if name else number,
        message_key=key_of(row),
    )
    return f"{repository.CASE}:{opening.begin(session, case).id}"


def _message(
    session: Session, row: JourneyStep, step: Step, words: Rendered, channel: str, now: datetime
) -> str:
    point = repository.contact_on(session, row.customer_id, channel)
    if point is None:
        raise NoWayError("no_channel")
    window = registry.window(channel)
    closed = window is not None and now - point.last_inbound_at >= window
    if closed and step.template is None:
        raise NoWayError("window_closed")
    conversation = repository.free_conversation(session, point.conversation_id)
    if conversation is None:
        raise NotNowError(busy=True)
    if conversation.status != "bot":
        raise NotNowError(busy=False)
    content: dict[str, object] = {"journey": row.journey, "step": row.step}
    buttons = [intent_button(intent, words.language) for intent in step.next]
    if step.ask == "satisfaction":
        buttons = insight.noted_question(session, conversation, words.language, key_of(row))
    content |= talk.content_of(buttons, None, None)
    if len(step.next) == 1:
        content["next"] = step.next[0]  # a yes to it, said in words, means this
    if closed:
        # What was approved is sent; the log and the bot have the words as they were meant.
        content["template"] = {
            "name": step.template,
            "language": words.language,
            "parameters": list(words.parameters),
        }
    sequence, _, _ = conversations.advance(session, conversation.id, 1, now)
    message = Message(
        conversation_id=conversation.id,
        sequence=sequence,
        author="bot",
        channel=conversation.channel,
        provider_id=key_of(row),
        status="untold",
        text=words.short,
        content=content,
        language=words.language,
        response=insight.QUESTION if step.ask else None,  # so that a typed number is an answer to it
        at=now,
    )
    session.add(message)
    session.flush()
    outbound.queue(session, conversation, [{"sequence": sequence}], asked=False)
    events.announce(session, conversation.id)
    return f"{repository.MESSAGE}:{message.id}"
