"""Counting a day's talks and messages in the database. What a talk is, and when the bot solved one, stands in
rules.py; the tests hold the two together. Statements are built once, which costs more than running them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Executable,
    Integer,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.orm import Session, aliased

from rapport.cases.models import Case
from rapport.conversations.models import Conversation, Handoff, Message
from rapport.insight import rules
from rapport.insight.models import CountedDay, IntentDay, IntentMonth, TalkDay
from rapport.kit.database import UtcDateTime
from rapport.kit.upsert import insert as upsert

GAP, RETURN = int(rules.GAP.total_seconds()), int(rules.RETURN.total_seconds())
START, END = (bindparam(name, type_=UtcDateTime()) for name in ("start", "end"))

Rows = list[dict[str, Any]]


def count_day(session: Session, day: date, timezone: str, now: datetime) -> tuple[Rows, Rows]:
    """The rows of `talk_day` and `intent_day` for a day, as things stand now."""
    start, end = rules.Period(day, day).moments(timezone)
    found: dict[tuple[str, str], dict[str, Any]] = {}

    def row(channel: str, language: str) -> dict[str, Any]:
        measures = (c.key for c in TalkDay.__table__.columns if not c.primary_key)
        return found.setdefault(
            (channel, language),
            {"day": day, "channel": channel, "language": language, **dict.fromkeys(measures, 0)},
        )

    moments = {
        "start": start,
        "end": end,
        "early": int((start - rules.GAP).timestamp()),
        "now": int(now.timestamp() // 1),
    }
    talked = session.execute(_talks(session.get_bind().dialect.name), moments)
    for channel, language, talks, settled, contained in talked:
        row(channel, language).update(talks=talks, settled=settled, contained=contained)
    intents: Rows = []
    for channel, language, author, intent, messages, typed in session.execute(_messages(), moments):
        counted = row(channel, language)
        if author in ("customer", "bot", "staff"):
            counted["from_customers" if author == "customer" else f"from_{author}"] += messages
        if author != "customer" or intent is None:
            continue
        counted["not_understood" if intent in rules.NOT_UNDERSTOOD else "understood"] += typed
        intents.append(
            {"day": day, "channel": channel, "language": language, "intent": intent, "messages": messages}
        )
    return list(found.values()), intents


def store_day(session: Session, day: date, counted: tuple[Rows, Rows], now: datetime) -> None:
    """Put these rows in the place of those the day had, and sum up its month anew."""
    session.execute(delete(TalkDay).where(TalkDay.day == day))
    session.execute(delete(IntentDay).where(IntentDay.day == day))
    for table, rows in zip((TalkDay, IntentDay), counted, strict=True):
        if rows:
            session.execute(insert(table), rows)
    month = rules.Period(day.replace(day=1), rules.next_month(day) - timedelta(days=1))
    session.execute(delete(IntentMonth).where(IntentMonth.month == month.first))
    session.execute(_SUM_UP, {"first": month.first, "last": month.last})
    statement = upsert(session, CountedDay).values(day=day, counted_at=now)
    session.execute(statement.on_conflict_do_update(index_elements=["day"], set_={"counted_at": now}))


def counted_days(session: Session, first: date, last: date) -> dict[date, datetime]:
    """When the days between two were last counted."""
    return {row.day: row.counted_at for row in session.execute(_COUNTED, {"first": first, "last": last})}


def last_count(session: Session, first: date, last: date) -> tuple[set[date], datetime | None]:
    """Which days between two are counted, and when any of them last was."""
    values = {"first": first, "last": last}
    return set(session.scalars(_DAYS, values)), session.scalar(_LAST_COUNT, values)


def first_message(session: Session) -> datetime | None:
    return session.scalar(_FIRST_MESSAGE)


_BETWEEN = CountedDay.day.between(bindparam("first", type_=Date), bindparam("last", type_=Date))
_COUNTED = select(CountedDay.day, CountedDay.counted_at).where(_BETWEEN)
_DAYS = select(CountedDay.day).where(_BETWEEN)
_LAST_COUNT = select(func.max(CountedDay.counted_at)).where(_BETWEEN)
_month: Any = IntentMonth.__table__
_SUM_UP = insert(_month).from_select(
    ["month", "channel", "language", "intent", "messages"],
    select(
        bindparam("first", type_=Date),
        IntentDay.channel,
        IntentDay.language,
        IntentDay.intent,
        cast(func.sum(IntentDay.messages), Integer),
    )
    .where(IntentDay.day.between(bindparam("first", type_=Date), bindparam("last", type_=Date)))
    .group_by(IntentDay.channel, IntentDay.language, IntentDay.intent),
)
_FIRST_MESSAGE = select(func.min(Message.at))


def seconds(dialect: str, at: Any) -> ColumnElement[int]:
    """Whole seconds since 1970."""
    if dialect == "sqlite":
        return cast(func.unixepoch(at), BigInteger)
    return cast(func.floor(func.extract("epoch", at)), BigInteger)


@cache
def _messages() -> Executable:
    language = func.coalesce(Message.language, Conversation.language)
    typed = func.sum(case((Message.payload.is_(None), 1), else_=0))
    return (
        select(Conversation.channel, language, Message.author, Message.intent, func.count(), typed)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Message.at >= START, Message.at < END)
        .group_by(Conversation.channel, language, Message.author, Message.intent)
    )


@cache
def _talks(dialect: str) -> Executable:
    """(channel, language, talks, settled, contained) of the talks that began between two moments."""
    active = (
        select(Message.conversation_id.label("id"))
        .where(Message.author == "customer", Message.at >= START, Message.at < END)
        .distinct()
        .cte("active")
    )
    place: dict[str, Any] = {"partition_by": Message.conversation_id, "order_by": Message.sequence}
    at = seconds(dialect, Message.at)
    said = (
        select(
            Message.conversation_id,
            Message.sequence,
            Message.at,
            at.label("second"),
            Message.intent,
            Message.language,
            (at - func.lag(at).over(**place)).label("since"),
            (func.lead(at).over(**place) - at).label("until"),
        )
        .join(active, active.c.id == Message.conversation_id)
        # Who wrote before this belongs to an earlier talk. In seconds, so that no database walks through the
        # index of all messages since then instead of those of these conversations.
        .where(Message.author == "customer", at >= bindparam("early", type_=BigInteger))
        .cte("said")
    )
    begins = or_(said.c.since.is_(None), said.c.since >= GAP)
    ends = or_(said.c.until.is_(None), said.c.until >= GAP)
    numbered = select(
        said,
        func.sum(case((begins, 1), else_=0))
        .over(partition_by=said.c.conversation_id, order_by=said.c.sequence)
        .label("number"),
        case((begins, said.c.language)).label("opened_in"),
        case((ends, said.c.until)).label("back_after"),
        case((and_(ends, said.c.intent.in_(rules.NOT_UNDERSTOOD)), 1), else_=0).label("lost"),
    ).cte("numbered")
    talk = (
        select(
            numbered.c.conversation_id,
            func.min(numbered.c.second).label("started"),
            func.max(numbered.c.second).label("ended"),
            func.max(numbered.c.opened_in).label("opened_in"),
            func.max(numbered.c.back_after).label("back_after"),
            func.max(numbered.c.lost).label("lost"),
        )
        .group_by(numbered.c.conversation_id, numbered.c.number)
        .having(func.min(numbered.c.at) >= START, func.min(numbered.c.at) < END)
        .cte("talk")
    )
    latest = talk.c.ended + RETURN
    settled = latest < bindparam("now", type_=BigInteger)
    alone = and_(talk.c.lost == 0, or_(talk.c.back_after.is_(None), talk.c.back_after > RETURN))
    solved = and_(settled, alone, ~_person(dialect, talk), ~_elsewhere(dialect, talk))
    language = func.coalesce(talk.c.opened_in, Conversation.language)
    return (
        select(
            Conversation.channel,
            language,
            func.count(),
            cast(func.sum(case((settled, 1), else_=0)), Integer),
            cast(func.sum(case((solved, 1), else_=0)), Integer),
        )
        .join(Conversation, Conversation.id == talk.c.conversation_id)
        .group_by(Conversation.channel, language)
    )


def _person(dialect: str, talk: Any) -> ColumnElement[bool]:
    """A person was asked for, wrote, or has something to work on."""

    def within(at: Any) -> ColumnElement[bool]:
        return seconds(dialect, at).between(talk.c.started, talk.c.ended + RETURN)

    here = talk.c.conversation_id
    wrote = aliased(Message)
    return or_(
        exists().where(Handoff.conversation_id == here, within(Handoff.requested_at)),
        exists().where(
            Case.conversation_id == here, Case.kind.in_(rules.CASES_FOR_PEOPLE), within(Case.opened_at)
        ),
        exists().where(wrote.conversation_id == here, wrote.author == "staff", within(wrote.at)),
    )


def _elsewhere(dialect: str, talk: Any) -> ColumnElement[bool]:
    """The same customer wrote in another conversation of theirs afterwards."""
    other, wrote = aliased(Conversation), aliased(Message)
    at = seconds(dialect, wrote.at)
    # Of visitors nobody knows there are many: without asking first, all of them would be looked through.
    return Conversation.customer_id.is_not(None) & exists(
        select(wrote.id)
        .join(other, other.id == wrote.conversation_id)
        .where(
            other.customer_id == Conversation.customer_id,
            other.id != Conversation.id,
            wrote.author == "customer",
            at > talk.c.ended,
            at <= talk.c.ended + RETURN,
        )
        .correlate(Conversation, talk)
    )


def days_to_count(counted: dict[date, datetime], first: date, today: date, timezone: str) -> Sequence[date]:
    """Days that were never counted, or were while they could still change; the newest first."""
    return [
        day
        for day in reversed(rules.Period(first, today).all_days())
        if day not in counted
        or counted[day] < rules.starts(day + rules.STILL_CHANGING, timezone)
        or day == today
    ]
