"""What may be done with a case, until when it is due, and how an answer gets to the customer."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.cases import rules
from rapport.kit.errors import ConflictError, InvalidInputError

OSLO = ZoneInfo("Europe/Oslo")
FRIDAY = datetime(2026, 5, 8, 13, tzinfo=UTC)
EVERY = [(state, action) for state in rules.STATES for action in rules.ACTIONS]


def weekdays(day: date) -> bool:
    return day.weekday() < 5


@pytest.mark.parametrize(("state", "action"), EVERY)
def test_every_action_in_every_state(state: str, action: str) -> None:
    """Each leads to a state there is, or is refused; nothing else happens."""
    if rules.can(state, action):
        assert rules.after(state, action) in rules.STATES
    else:
        with pytest.raises(ConflictError):
            rules.after(state, action)


def test_the_table_holds_nothing_else() -> None:
    assert set(rules.TRANSITIONS) <= set(EVERY)
    refused = {pair for pair in EVERY if not rules.can(*pair)}
    assert refused == {
        ("resolved", action) for action in rules.ACTIONS if action not in ("note", "reopen")
    } | {(state, "reopen") for state in rules.STATES if state != "resolved"}


@given(st.lists(st.sampled_from(rules.ACTIONS), max_size=30))
def test_a_case_is_resolved_from_resolving_until_reopening_only(actions: list[str]) -> None:
    state, resolved = "open", False
    for action in actions:
        if not rules.can(state, action):
            continue
        state = rules.after(state, action)
        resolved = {"resolve": True, "reopen": False}.get(action, resolved)
        assert (state == "resolved") is resolved
    assert rules.can(state, "reopen") is resolved
    assert rules.can(state, "resolve") is not resolved


@pytest.mark.parametrize(
    ("kind", "priority", "due"),
    [
        ("complaint", "high", datetime(2026, 5, 11, 13, tzinfo=UTC)),
        ("complaint", "normal", datetime(2026, 5, 12, 13, tzinfo=UTC)),
        ("request", "normal", datetime(2026, 5, 13, 13, tzinfo=UTC)),
        ("review", "normal", datetime(2026, 5, 15, 13, tzinfo=UTC)),
    ],
)
def test_the_weekend_is_not_counted(kind: str, priority: str, due: datetime) -> None:
    assert rules.due_at(kind, priority, FRIDAY, OSLO, weekdays) == due


def test_the_time_of_day_at_the_shop_stays_when_clocks_change() -> None:
    before = datetime(2026, 3, 27, 8, tzinfo=UTC)  # 9:00 in Oslo, the Friday before summer time
    due = rules.due_at("complaint", "normal", before, OSLO, weekdays)
    assert due == datetime(2026, 3, 31, 7, tzinfo=UTC)


TIMES = st.integers(0, 3_000_000).map(lambda n: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=n))


@given(
    st.sampled_from(rules.KINDS), TIMES, st.sets(st.dates(date(2024, 1, 1), date(2030, 3, 1)), max_size=20)
)
def test_what_is_more_urgent_is_never_due_later(kind: str, opened: datetime, closed: set[date]) -> None:
    def is_working(day: date) -> bool:
        return weekdays(day) and day not in closed

    high, normal, low = (rules.due_at(kind, p, opened, OSLO, is_working) for p in rules.PRIORITIES)
    assert opened < high <= normal <= low
    for due in (high, normal, low):
        assert is_working(due.astimezone(OSLO).date())
    later = rules.due_at(kind, "normal", opened + timedelta(days=1), OSLO, is_working)
    assert later >= normal


def test_a_shop_that_never_opens_still_has_a_due_date() -> None:
    due = rules.due_at("complaint", "high", FRIDAY, OSLO, lambda _day: False)
    assert due > FRIDAY


NOW = FRIDAY
LONG_AGO = NOW - timedelta(days=1)


@pytest.mark.parametrize(
    ("channel", "last_heard", "more", "chat", "mail"),
    [
        ("web", NOW - timedelta(minutes=1), {"address": True}, True, False),
        ("web", LONG_AGO, {"address": True}, True, True),
        ("web", LONG_AGO, {}, True, False),
        ("web", LONG_AGO, {"address": True, "refuses_mail": True}, True, False),
        ("telegram", LONG_AGO, {"address": True}, True, False),
        ("telegram", LONG_AGO, {"address": True, "hindrance": "stopped"}, False, True),
        ("whatsapp", LONG_AGO, {"hindrance": "window"}, False, False),
        ("email", LONG_AGO, {"address": True}, True, False),
        ("email", LONG_AGO, {"address": True, "hindrance": "gone"}, False, False),
        (None, None, {"address": True}, False, True),
        (None, None, {}, False, False),
    ],
)
def test_how_an_answer_gets_there(
    channel: str | None, last_heard: datetime | None, more: dict[str, Any], chat: bool, mail: bool
) -> None:
    ways = rules.ways(channel, last_heard=last_heard, now=NOW, **more)
    assert (ways.chat, ways.mail, ways.reached) == (chat, mail, chat or mail)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//evil.example",
        "ftp://x.example/a",
        "https://",
        "https://a\u202eb.c",
        "http://[x",
    ],
)
def test_only_web_pages_are_links(url: str) -> None:
    with pytest.raises(InvalidInputError):
        rules.checked_url(url)
    assert rules.checked_url(" https://social.example/@ann/1 ") == "https://social.example/@ann/1"
    assert rules.checked_url("") is None


def test_every_kind_can_end_and_be_due() -> None:
    assert set(rules.OUTCOMES) == set(rules.DAYS) == set(rules.KINDS)
    with pytest.raises(InvalidInputError):
        rules.checked_outcome("review", "refused")
