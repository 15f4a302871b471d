"""Asking after a person has helped, and days that are counted in the background."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Engine, select, update

from rapport.conversations.models import Conversation, Message
from rapport.handoff import service as handoff
from rapport.insight import counting, report, service, tasks
from rapport.insight.figures.common import Filters
from rapport.insight.models import CountedDay, Satisfaction
from rapport.insight.rules import Period
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from tests.console.client import add_staff
from tests.console.talks import talk

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_who_was_helped_by_a_person_is_asked_once(engine: Engine) -> None:
    ada = add_staff(engine, "agent")
    conversation_id = talk(engine, ("customer", "hi"), ("bot", "hi"), language="ro")
    for _ in range(2):
        with session_scope(engine) as session:
            conversation = session.get_one(Conversation, conversation_id)
            handoff.take_over(session, conversation, ada)
            handoff.say(session, conversation, ada, "Hello")
        with session_scope(engine) as session:
            handoff.hand_back(session, session.get_one(Conversation, conversation_id), ada, settled=True)
    with read_scope(engine) as session:
        [asked] = session.scalars(select(Satisfaction))
        assert (asked.handled_by, asked.score) == ("person", None)
        [question] = session.scalars(select(Message).where(Message.response == service.QUESTION))
        assert (question.author, question.language) == ("bot", "ro")
        buttons = question.content["buttons"]
    assert buttons[0]["payload"] == '/inform_rating{"satisfaction": "5"}'
    assert [button["title"][0] for button in buttons] == ["5", "4", "3", "2", "1"]


def test_days_are_counted_once_they_are_over_and_the_page_counts_today(engine: Engine) -> None:
    line = ("customer", "hi", {"intent": "greet"})
    for days in (0, 1, 30):
        talk(engine, line, at=NOW - days * DAY)
    with clock.freeze(NOW):
        tasks.count_days(engine)
    talk(engine, line, at=NOW - timedelta(minutes=1))
    with read_scope(engine) as session:
        period = Period(date(2026, 11, 1), date(2026, 11, 20))
        found = report.gather(session, period, Filters(), "Europe/Oslo", "NOK", NOW)
        assert found.by_part("talks")[-2:] == [1, 2]
        assert found.now.intents == {"greet": 3}
        assert found.before.talks["talks"] == 1
        assert found.uncounted == []
        counted = counting.counted_days(session, date(2026, 10, 1), date(2026, 11, 20))
    assert len(counted) == 31
    due = counting.days_to_count(counted, min(counted), date(2026, 11, 20), "Europe/Oslo")
    assert due == [date(2026, 11, 20) - number * DAY for number in range(7)], "older ones are settled"
    with session_scope(engine) as session:
        session.execute(update(CountedDay).values(counted_at=NOW + 30 * DAY))
    with read_scope(engine) as session:
        later = counting.counted_days(session, date(2026, 10, 1), date(2026, 11, 20))
    assert counting.days_to_count(later, min(counted), date(2026, 11, 21), "Europe/Oslo") == [
        date(2026, 11, 21)
    ]
