"""Who waits for a person, who has whom, and what a member of staff is to hear of at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from rapport.conversations.models import Conversation, Handoff, Message
from rapport.handoff import repository, rules
from rapport.handoff.rules import Place
from rapport.kit import clock

LONGEST = 200
# Those told that nobody came are shown this long.
MISSED_FOR = timedelta(days=2)
# Asking for a person is no topic.
NO_TOPICS = (
    "contact_human_agent",
    "greet",
    "affirm",
    "deny",
    "thank",
    "goodbye",
    "nlu_fallback",
    "bot_challenge",
)


@dataclass(frozen=True)
class Row:
    """A conversation in one of the lists. `topic` is an intent; `words` the customer's last message."""

    conversation: Conversation
    handoff: Handoff
    topic: str | None
    words: Message | None


@dataclass(frozen=True)
class Waiting(Row):
    """One that nobody has, with its place in the queue."""

    since: datetime
    segment: str | None
    place: Place


@dataclass(frozen=True)
class Lists:
    """What the page shows. `held` is what somebody has now."""

    waiting: list[Waiting]
    held: list[Row]
    missed: list[Row]


def lists(session: Session) -> Lists:
    """All of it; who waits in the order in which they are to be taken."""
    now = clock.now()
    waiting = repository.waiting(session, LONGEST)
    held = repository.taken(session)
    missed = repository.missed(session, now - MISSED_FOR, LONGEST)
    ids = {row.Conversation.id for row in (*waiting, *held, *missed)}
    topics = repository.topics(session, ids, NO_TOPICS)
    words = repository.last_words(session, ids)
    unhappy = repository.with_open_complaint(session, [row.Conversation for row in waiting])

    def plain(row: Any) -> dict[str, Any]:
        conversation = row.Conversation
        return {
            "conversation": conversation,
            "handoff": row.Handoff,
            "topic": topics.get(conversation.id),
            "words": words.get(conversation.id),
        }

    queue = [
        Waiting(
            **plain(row),
            since=row.Handoff.waiting_since,
            segment=row.segment,
            place=rules.place(now - row.Handoff.waiting_since, row.monetary, row.Conversation.id in unhappy),
        )
        for row in waiting
    ]
    queue.sort(key=lambda one: (-one.place.points, one.since, one.handoff.id))
    return Lists(queue, [Row(**plain(row)) for row in held], [Row(**plain(row)) for row in missed])


def told_at_once(session: Session, staff_id: int) -> dict[str, Any]:
    """What a member of staff hears of without asking: who waits, and who wrote in what they have.

    Ids, channels, languages and times: no word of a customer's.
    """
    waiting = repository.waiting(session, LONGEST)
    return {
        "count": len(waiting) if len(waiting) < LONGEST else repository.count_waiting(session),
        "waiting": [
            {
                "id": row.Conversation.id,
                "channel": row.Conversation.channel,
                "language": row.Conversation.language,
                "since": row.Handoff.waiting_since.isoformat(),
            }
            for row in waiting
        ],
        "mine": [
            {"id": conversation_id, "heard": heard, "unanswered": heard > said}
            for conversation_id, heard, said in repository.mine(session, staff_id)
        ],
    }
