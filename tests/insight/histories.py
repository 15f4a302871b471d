"""Histories of a shop, and what they come to, counted by hand: the slow way, in Python."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Engine, delete

from rapport.cases.models import Case
from rapport.conversations.models import Conversation, Handoff, Message
from rapport.customers.models import Customer
from rapport.insight import rules
from rapport.kit.database import session_scope

TIMEZONE = "Europe/Oslo"
# Around the night in which the clocks go back.
BEGIN = datetime(2026, 10, 23, 20, tzinfo=UTC)
CUSTOMERS = 2


@dataclass
class Line:
    author: str
    at: datetime
    intent: str | None
    tapped: bool


@dataclass
class Thread:
    """A conversation. `asked`: when a person was asked for; `cases`: (kind, when)."""

    channel: str
    language: str
    customer: int | None
    lines: list[Line] = field(default_factory=list)
    asked: list[datetime] = field(default_factory=list)
    cases: list[tuple[str, datetime]] = field(default_factory=list)


# The pauses that decide something, to the second, and what lies between them.
_PAUSES = st.sampled_from(
    [0, 20, 3 * 3600, 4 * 3600 - 1, 4 * 3600, 9 * 3600, 47 * 3600, 48 * 3600, 48 * 3600 + 1, 60 * 3600]
)
_LINE = st.tuples(
    st.sampled_from(["customer", "customer", "customer", "bot", "staff"]),
    _PAUSES,
    st.sampled_from(["track_order", "thank", "nlu_fallback", "out_of_scope", None]),
    st.booleans(),
)
_OFFSETS = st.lists(st.integers(0, 100 * 60).map(lambda minutes: timedelta(minutes=minutes)), max_size=1)


@st.composite
def threads(draw: st.DrawFn) -> Thread:
    thread = Thread(
        draw(st.sampled_from(["web", "telegram"])),
        draw(st.sampled_from(["en", "nb"])),
        draw(st.sampled_from([None, *range(CUSTOMERS)])),
    )
    at = BEGIN + timedelta(
        seconds=draw(st.integers(0, 80 * 3600)), microseconds=draw(st.integers(0, 999_999))
    )
    for author, pause, intent, tapped in draw(st.lists(_LINE, min_size=1, max_size=6)):
        at += timedelta(seconds=pause)
        thread.lines.append(Line(author, at, intent if author == "customer" else None, tapped))
    thread.asked = [BEGIN + offset for offset in draw(_OFFSETS)]
    thread.cases = [
        (draw(st.sampled_from(["request", "review"])), BEGIN + offset) for offset in draw(_OFFSETS)
    ]
    return thread


def store(engine: Engine, history: list[Thread]) -> None:
    """Writes a history in the place of any other."""
    with session_scope(engine) as session:
        for table in (Case, Handoff, Message, Conversation, Customer):
            session.execute(delete(table))
        people = [Customer(language="en") for _ in range(CUSTOMERS)]
        session.add_all(people)
        session.flush()
        for number, thread in enumerate(history):
            name = f"{number:032}"
            who = None if thread.customer is None else people[thread.customer].id
            session.add(
                Conversation(id=name, channel=thread.channel, language=thread.language, customer_id=who)
            )
            session.flush()
            session.add_all(
                Message(
                    conversation_id=name,
                    sequence=sequence,
                    author=line.author,
                    channel=thread.channel,
                    status="answered",
                    text="…",
                    payload="/x" if line.tapped else None,
                    intent=line.intent,
                    at=line.at,
                )
                for sequence, line in enumerate(thread.lines, 1)
            )
            session.add_all(
                Handoff(conversation_id=name, message_key=f"{name}:{at}", reason="…", requested_at=at)
                for at in thread.asked
            )
            session.add_all(
                Case(
                    kind=kind,
                    conversation_id=name,
                    message_key=f"{name}:case:{at}",
                    text="…",
                    language="en",
                    opened_at=at,
                )
                for kind, at in thread.cases
            )


def counted(history: list[Thread], day: date, now: datetime) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of a day, by channel and language."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for thread in history:
        row = found.setdefault((thread.channel, thread.language), Counter())
        for line in thread.lines:
            if rules.day_of(line.at, TIMEZONE) == day:
                row["from_customers" if line.author == "customer" else f"from_{line.author}"] += 1
                if line.intent is not None and not line.tapped:
                    row["not_understood" if line.intent in rules.NOT_UNDERSTOOD else "understood"] += 1
        said = [(line.at, line.intent) for line in thread.lines if line.author == "customer"]
        others = [
            other for other in history if other.customer is not None and other.customer == thread.customer
        ]
        returned = [
            line.at
            for other in [thread, *(other for other in others if other is not thread)]
            for line in other.lines
            if line.author == "customer"
        ]
        people = [
            *thread.asked,
            *(at for kind, at in thread.cases if kind != "review"),
            *(line.at for line in thread.lines if line.author == "staff"),
        ]
        for talk in rules.talks(said):
            if rules.day_of(talk.started, TIMEZONE) == day:
                came = rules.outcome(talk, now, returned, people)
                row["talks"] += 1
                row["settled"] += came != "open"
                row["contained"] += came == "contained"
    return {key: dict(+row) for key, row in found.items() if +row}
