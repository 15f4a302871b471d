"""Conversations as channels, actions and the console use them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from rapport.cases import opening
from rapport.cases.models import Case
from rapport.channels.base import InboundMessage
from rapport.conversations import events, repository, requests, rules
from rapport.conversations.models import Conversation, Handoff, Message
from rapport.conversations.rules import PublicMessage
from rapport.customers import verification
from rapport.kit import clock, languages
from rapport.kit.errors import InvalidInputError, NotFoundError, UnauthorizedError

PAGE = 500


def start(
    session: Session,
    channel: str,
    language: str | None,
    token_hash: str | None = None,
    client_hash: str | None = None,
) -> Conversation:
    """A new conversation, in `language` if that is one of ours."""
    conversation = Conversation(
        channel=channel,
        language=languages.normalise(language) or languages.DEFAULT_LANGUAGE,
        token_hash=token_hash,
        client_hash=client_hash,
    )
    session.add(conversation)
    session.flush()
    return conversation


def get(session: Session, conversation_id: str) -> Conversation:
    """Raises NotFoundError."""
    conversation = session.get(Conversation, conversation_id)
    if conversation is None:
        raise NotFoundError("There is no such conversation.")
    return conversation


def by_token_hash(session: Session, token_hash: str) -> Conversation:
    """The conversation a token belongs to; raises UnauthorizedError."""
    conversation = repository.by_token_hash(session, token_hash)
    if conversation is None:
        raise UnauthorizedError("The token is not known here. Start a new session.")
    return conversation


def receive(session: Session, conversation: Conversation, inbound: InboundMessage) -> tuple[Message, bool]:
    """Stores what a customer sent: (message, whether it is new).

    The same provider id again changes nothing; with other content it raises ConflictError. While a person has
    the conversation the message is kept for them.
    """
    known = repository.by_provider_id(session, inbound.channel, inbound.provider_id)
    if known is None:
        now = clock.now()
        sequence, status, _ = repository.advance(session, conversation.id, 1, now)
        message = Message(
            conversation_id=conversation.id,
            sequence=sequence,
            author="customer",
            channel=inbound.channel,
            provider_id=inbound.provider_id,
            status=rules.status_of(status, inbound.notice),
            text=inbound.text,
            payload=inbound.payload,
            content={
                name: value
                for name, value in (
                    ("notice", inbound.notice),
                    ("subject", inbound.subject),
                    ("unproven", inbound.unproven or None),
                )
                if value is not None
            },
            attempts=0,
            at=now,
        )
        if repository.add_unless_known(session, message):
            if message.status == "kept":  # the bot's turn tells of all others
                events.announce(session, conversation.id)
            return message, True
        # The same message came twice at the same time, and the other one was faster.
        repository.advance(session, conversation.id, -1, now)
        known = repository.by_provider_id(session, inbound.channel, inbound.provider_id)
        assert known is not None
    rules.check_same(known.text, known.payload, inbound.text, inbound.payload)
    return known, False


def button(session: Session, conversation: Conversation, pressed: str) -> tuple[str, str]:
    """(title, payload) of a button that a reply of this conversation offered; `pressed` is `7:b1`.

    Raises InvalidInputError or NotFoundError.
    """
    sequence, name = rules.split_button(pressed)
    reply = repository.by_sequence(session, conversation.id, sequence)
    if reply is not None and reply.author != "customer":
        for offered in reply.content.get("buttons", ()):
            if offered["id"] == name:
                return offered["title"], offered["payload"]
    raise NotFoundError("No reply of this conversation offers that button.")


def history(session: Session, conversation_id: str, after: int = 0, limit: int = PAGE) -> list[PublicMessage]:
    """Messages after a sequence number, oldest first, as clients see them."""
    return [rules.public_message(row) for row in repository.after(session, conversation_id, after, limit)]


def answer_to(session: Session, message_id: int) -> list[PublicMessage] | None:
    """The replies to a customer's message; None while there are none (or when a person answers it)."""
    if repository.message_status(session, message_id) != "answered":
        return None
    return [rules.public_message(row) for row in repository.replies_to(session, message_id)]


def set_language(session: Session, conversation: Conversation, language: str) -> None:
    """The customer asked for this language. Raises InvalidInputError when it is none of ours."""
    ours = languages.normalise(language)
    if ours is None:
        raise InvalidInputError("That is none of the languages spoken here.")
    conversation.language = ours
    conversation.language_chosen = True
    session.flush()


def hand_over(session: Session, conversation: Conversation, reason: str, message_key: str) -> bool:
    """Marks that a person is wanted; False when one was already. The same `message_key`: the same result."""
    if repository.handoff_by_key(session, message_key) is not None:
        return True
    if not repository.start_waiting(session, conversation.id):
        return False
    session.refresh(conversation, ["status"])
    now = clock.now()
    session.add(
        Handoff(
            conversation_id=conversation.id,
            message_key=message_key,
            reason=reason,
            requested_at=now,
            waiting_since=now,
        )
    )
    session.flush()
    events.announce(session, conversation.id)
    return True


def open_case(
    session: Session,
    conversation: Conversation,
    kind: str,
    text: str,
    message_key: str,
    *,
    topic: str | None = None,
    order_number: str | None = None,
) -> Case:
    """Opens a case for the shop's people; the same `message_key` gives the same case."""
    repository.lock(session, conversation.id)
    known = repository.case_by_key(session, message_key)
    if known is not None:
        return known
    case = Case(
        kind=kind,
        conversation_id=conversation.id,
        customer_id=verification.current_customer_id(conversation),
        message_key=message_key,
        topic=topic,
        order_number=order_number,
        text=text,
        language=conversation.language,
    )
    return opening.begin(session, case)


def open_complaint(session: Session, conversation: Conversation) -> Case | None:
    """The complaint of this conversation, or of its verified customer, that is not settled yet.

    While there is one, nobody is thanked, given presents or advised to buy.
    """
    customer_id = verification.current_customer_id(conversation)
    return repository.open_complaint(session, conversation.id, customer_id)


def complained_of(session: Session, customer_id: int) -> tuple[set[str], set[str]]:
    """(SKUs, order numbers) of what the customer was unhappy with in the last year."""
    return repository.complained_of(session, customer_id, clock.now() - timedelta(days=365))


def open_requests(
    session: Session, customer_id: int, topic: str, order_number: str | None = None
) -> Sequence[Case]:
    """The customer's requests of a kind that are not settled yet, newest first; of one order or of all."""
    return repository.open_requests(session, customer_id, topic, order_number)


def same_request(
    session: Session,
    customer_id: int,
    topic: str,
    order_number: str | None,
    text: str | None,
    message_key: str,
) -> Case | None:
    """The open request that a new one would only repeat, unless this very message opened it.

    `text` is what a new one would say, None while that is not known. Where it can say something new
    (`Kind.repeatable`), only one in the same words is the same.
    """
    key = requests.key(message_key, topic)
    for case in repository.open_requests(session, customer_id, topic, order_number):
        if case.message_key != key and (not requests.KINDS[topic].repeatable or case.text == text):
            return case
    return None


def open_request(
    session: Session,
    conversation: Conversation,
    topic: str,
    text: str,
    message_key: str,
    order_number: str | None = None,
) -> Case:
    """Opens a request (a key of `requests.KINDS`); one message opens one of each kind at most."""
    key = requests.key(message_key, topic)
    return open_case(session, conversation, "request", text, key, topic=topic, order_number=order_number)
