"""What customers think of the help they got, and what was counted day by day. Nothing here names a person."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from rapport.kit import clock
from rapport.kit.database import Base


class Satisfaction(Base):
    """One time a customer was asked how the help was; `score` (1 to 5) and `at` are None until they tap.

    `message_key` is that of the customer's message after which they were asked, or names the hand-over that
    ended. `handled_by`: bot or person.
    """

    __tablename__ = "satisfaction"
    __table_args__ = (
        # All that is counted of it, so that it is read without the table.
        Index("ix_satisfaction_asked_at", "asked_at", "handled_by", "score", "conversation_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id"), index=True)
    message_key: Mapped[str] = mapped_column(String(120), unique=True)
    handled_by: Mapped[str] = mapped_column(String(6))
    asked_at: Mapped[datetime] = mapped_column(default=clock.now)
    score: Mapped[int | None] = mapped_column(SmallInteger)
    at: Mapped[datetime | None]


class CountedDay(Base):
    """A day (at the shop) whose messages are counted, and when they last were."""

    __tablename__ = "counted_day"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    counted_at: Mapped[datetime]


class TalkDay(Base):
    """The talks that began on a day (`rules.GAP` says what a talk is), and the messages of that day.

    `settled` talks are over for so long that it is known whether the bot solved them: then they are in
    `contained`. `not_understood` counts customers' messages.
    """

    __tablename__ = "talk_day"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    channel: Mapped[str] = mapped_column(String(20), primary_key=True)
    language: Mapped[str] = mapped_column(String(2), primary_key=True)
    talks: Mapped[int]
    settled: Mapped[int]
    contained: Mapped[int]
    from_customers: Mapped[int]
    from_bot: Mapped[int]
    from_staff: Mapped[int]
    understood: Mapped[int]
    not_understood: Mapped[int]


class IntentDay(Base):
    """How many messages of a day were understood as what."""

    __tablename__ = "intent_day"
    # The rows of some days lie side by side on SQLite: they are many, and read together.
    __table_args__ = {"sqlite_with_rowid": False}

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    channel: Mapped[str] = mapped_column(String(20), primary_key=True)
    language: Mapped[str] = mapped_column(String(2), primary_key=True)
    intent: Mapped[str] = mapped_column(String(60), primary_key=True)
    messages: Mapped[int]


class IntentMonth(Base):
    """The sums of `IntentDay` by month (its first day), so that those of years are quickly found."""

    __tablename__ = "intent_month"
    # In the order in which they are added up.
    __table_args__ = {"sqlite_with_rowid": False}

    month: Mapped[date] = mapped_column(Date, primary_key=True)
    intent: Mapped[str] = mapped_column(String(60), primary_key=True)
    channel: Mapped[str] = mapped_column(String(20), primary_key=True)
    language: Mapped[str] = mapped_column(String(2), primary_key=True)
    messages: Mapped[int]


class SegmentSize(Base):
    """How many customers a segment had on a day."""

    __tablename__ = "segment_size"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    segment: Mapped[str] = mapped_column(String(30), primary_key=True)
    customers: Mapped[int]


class SegmentMove(Base):
    """How many customers went from one segment to another since the time before; "" is no segment at all."""

    __tablename__ = "segment_move"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    from_segment: Mapped[str] = mapped_column(String(30), primary_key=True)
    to_segment: Mapped[str] = mapped_column(String(30), primary_key=True)
    customers: Mapped[int]
