"""Cases."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session

from rapport.console.desk import Desk
from rapport.conversations.models import Conversation

routes = APIRouter()


def beside(desk: Desk, session: Session, conversation: Conversation) -> dict[str, Any]:  # noqa: ARG001
    """What templates/conversation_cases.html shows on the page of a conversation."""
    return {}
