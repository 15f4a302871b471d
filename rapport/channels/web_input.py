"""From a request's body to an `InboundMessage`."""

from __future__ import annotations

import hashlib

from sqlalchemy.orm import Session

from rapport.channels import notices
from rapport.channels import rules as channel_rules
from rapport.channels.base import MAX_TEXT, InboundMessage
from rapport.channels.web_schemas import ButtonRequest, TextRequest
from rapport.conversations import repository, rules, service
from rapport.conversations.models import Conversation
from rapport.customers import contact, verification
from rapport.kit.errors import InvalidInputError
from rapport.kit.problems import MessageTooLongError

CHANNEL = "web"


def read_text(text: str) -> str:
    """The text without blanks around it.

    Raises InvalidInputError when nothing is left, and MessageTooLongError.
    """
    text = text.strip()
    if not text:
        raise InvalidInputError("text: is empty.")
    if len(text) > MAX_TEXT:
        raise MessageTooLongError(f"text: has {len(text)} characters; at most {MAX_TEXT} are taken.")
    return text


def to_inbound(
    session: Session, conversation: Conversation, request: TextRequest | ButtonRequest
) -> InboundMessage:
    """Raises InvalidInputError, or NotFoundError for a button nobody offered.

    A verified customer's STOP ends all that is sent unasked, as in a messaging app.
    """
    provider_id = rules.provider_id(conversation.id, request.client_id)
    if isinstance(request, TextRequest):
        text = read_text(request.text)
        stopped = channel_rules.is_stop(text) and _stop(session, conversation, provider_id)
        return InboundMessage(CHANNEL, provider_id, text, notice=notices.STOPPED if stopped else None)
    title, payload = service.button(session, conversation, request.button)
    return InboundMessage(CHANNEL, provider_id, title, payload)


def _stop(session: Session, conversation: Conversation, provider_id: str) -> bool:
    """False for who has not shown who they are: the bot answers them. The same message again ends nothing:
    they may have subscribed since.
    """
    # Before the customer, as everywhere; it may just have become another's by a merge.
    repository.lock(session, conversation.id)
    session.refresh(conversation)
    customer_id = verification.current_customer_id(conversation)
    if customer_id is None:
        return False
    if repository.by_provider_id(session, CHANNEL, provider_id) is None:
        key = hashlib.sha256(provider_id.encode()).hexdigest()[:40]
        contact.unsubscribe(session, customer_id, f"{conversation.id}:{key}")
    return True
