"""From a request's body to an `InboundMessage`."""

from __future__ import annotations

from sqlalchemy.orm import Session

from rapport.channels.base import MAX_TEXT, InboundMessage
from rapport.channels.web_schemas import ButtonRequest, TextRequest
from rapport.conversations import rules, service
from rapport.conversations.models import Conversation
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
    """Raises InvalidInputError, or NotFoundError for a button nobody offered."""
    provider_id = rules.provider_id(conversation.id, request.client_id)
    if isinstance(request, TextRequest):
        return InboundMessage(CHANNEL, provider_id, read_text(request.text))
    title, payload = service.button(session, conversation, request.button)
    return InboundMessage(CHANNEL, provider_id, title, payload)
