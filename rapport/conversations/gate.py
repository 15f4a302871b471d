"""Every reply of the bot is looked at before it is stored: nothing is promised that the ledger does not hold.

Whoever asks, and however: what the bot says is compared with what this customer was given. Where nothing is
promised, as nearly always, no database is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.conversations import repository
from rapport.conversations.rasa import Answer, Reply
from rapport.kit import clock
from rapport.kit.database import read_scope
from rapport.loyalty.offers import gate
from rapport.shop.facts import get_facts

log = logging.getLogger(__name__)

# A verification that ended while the bot was thinking counted when the question was asked.
JUST_ENDED = timedelta(minutes=2)


def checked(database: Engine, conversation_id: str, message_id: int, answer: Answer, sorry: Reply) -> Answer:
    """The answer, with `sorry` in the place of replies that promise what nobody promised."""
    prefix = get_facts().coupon_prefix
    texts = [list(_shown(reply)) for reply in answer.replies]
    found = [promise for parts in texts for text in parts for promise in gate.promises(text, prefix)]
    if not found:
        return answer
    with read_scope(database) as session:
        licence = gate.licence(session, _whose(session, conversation_id), found)
    replies: list[Reply] = []
    for reply, parts in zip(answer.replies, texts, strict=True):
        if not any(gate.unlicensed(text, licence) for text in parts):
            replies.append(reply)
            continue
        log.error(
            "Message %s: the reply %s promised what the ledger does not hold; it gets an apology.",
            message_id,
            reply.response,
        )
        if sorry not in replies:
            replies.append(sorry)
    return replace(answer, replies=replies)


def _whose(session: Session, conversation_id: str) -> int | None:
    """Whom the conversation is verified for, as it stands after the turn: it may have been verified by it."""
    customer_id, until = repository.verified(session, conversation_id)
    return customer_id if until is not None and until > clock.now() - JUST_ENDED else None


def _shown(reply: Reply) -> Iterator[str]:
    """All of a reply that a customer reads."""
    if reply.text:
        yield reply.text
    for title, _ in reply.buttons:
        yield title
    yield from _in_card(reply.card)


def _in_card(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for name, part in value.items():
                yield from [f"{part} %"] if name == "percent" and part else _in_card(part)
        case list():
            for part in value:
                yield from _in_card(part)
