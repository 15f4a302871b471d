"""The demo's conversations: a few in each language, with what a shop's people look for in them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.conversations.answers import NOT_UNDERSTOOD
from rapport.conversations.models import Conversation, Handoff, Message
from rapport.customers.models import Customer
from rapport.kit import clock

FILE = Path(__file__).parent / "conversations.yml"
STEP = timedelta(seconds=35)
ANSWERED_IN = timedelta(seconds=1)


@cache
def entries() -> tuple[dict[str, Any], ...]:
    """The file's conversations."""
    return tuple(yaml.safe_load(FILE.read_text("utf-8")))


def load(session: Session, known: dict[str, Customer], others: Iterable[Customer], midnight: datetime) -> int:
    """Adds them, for `known` customers by their addresses and for `others`; how many."""
    left = list(others)
    for number, entry in enumerate(entries()):
        who = entry.get("who", "")
        customer = known.get(who)
        if who == "other":
            customer = next((one for one in left if one.language == entry["language"]), None)
            if customer is not None:
                left.remove(customer)
        _add(session, entry, customer, _begun(entry["days"], midnight), f"demo-{number}")
    return len(entries())


def _begun(days: float, midnight: datetime) -> datetime:
    """Today's are from just now, if today is today: who waits has not waited for long."""
    now = clock.now()
    if now - timedelta(days=1) < midnight <= now:
        return now - timedelta(days=days, minutes=3)
    return midnight - timedelta(days=days)


def _add(session: Session, entry: dict[str, Any], customer: Customer | None, at: datetime, key: str) -> None:
    lines = entry["lines"]
    sure = [line["sure"] for line in lines if "sure" in line]
    intents = dict.fromkeys(line["intent"] for line in lines if "intent" in line)
    conversation = Conversation(
        channel=entry["channel"],
        language=entry["language"],
        status=entry.get("status", "bot"),
        customer_id=customer.id if customer else None,
        created_at=at,
        lowest_confidence=min(sure, default=None),
        not_understood=bool(NOT_UNDERSTOOD & set(intents)),
        intents=f",{','.join(intents)}," if intents else "",
    )
    session.add(conversation)
    session.flush()
    numbers = count(1)
    for line in lines:
        asked = None
        for author in ("staff", "customer", "bot"):
            if author not in line:
                continue
            message = _message(conversation, author, line, next(numbers), at, key)
            message.reply_to = asked.id if asked else None
            session.add(message)
            session.flush()
            asked = message
        at += STEP
    conversation.last_sequence = next(numbers) - 1
    conversation.updated_at = at - STEP + ANSWERED_IN
    if entry.get("status") == "waiting":
        session.add(
            Handoff(
                conversation_id=conversation.id,
                message_key=key,
                reason="asked for a person",
                requested_at=conversation.updated_at,
                waiting_since=conversation.updated_at,
            )
        )
    if "complaint" in entry:
        session.add(
            Case(
                kind="complaint",
                conversation_id=conversation.id,
                customer_id=conversation.customer_id,
                message_key=key,
                text=entry["complaint"],
                language=entry["language"],
                opened_at=conversation.updated_at,
                due_at=conversation.updated_at + timedelta(days=2),
            )
        )
    session.flush()


def _message(
    conversation: Conversation, author: str, line: dict[str, Any], sequence: int, at: datetime, key: str
) -> Message:
    message = Message(
        conversation_id=conversation.id,
        sequence=sequence,
        author=author,
        channel=conversation.channel,
        status="stored",
        text=line[author],
        language=conversation.language,
        at=at,
    )
    if author == "customer":
        message.status, message.provider_id = "answered", f"{key}:{sequence}"
        message.intent, message.confidence = line["intent"], line["sure"]
        message.entities, message.actions = [], []
        message.took_ms, message.answered_at = 90.0, at + ANSWERED_IN
    elif author == "bot":
        message.at = at + ANSWERED_IN
    return message
