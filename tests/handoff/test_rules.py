"""Who is first in the queue, when somebody has waited too long, what is left for the bot: pure rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.handoff import rules, texts
from rapport.kit.languages import LANGUAGES

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
waits = st.timedeltas(timedelta(), timedelta(days=30))
fifths = st.one_of(st.none(), st.integers(-3, 9))


@pytest.mark.parametrize(
    ("minutes", "monetary", "complaint", "points"),
    [(0, None, False, 0), (7.9, None, False, 7), (7, 5, False, 17), (7, 1, True, 19), (0, 5, True, 20)],
)
def test_points(minutes: float, monetary: int | None, complaint: bool, points: int) -> None:
    assert rules.place(timedelta(minutes=minutes), monetary, complaint).points == points


@given(waits, fifths, st.booleans(), fifths, st.booleans())
def test_nobody_starves(
    waited: timedelta, mine: int | None, my_complaint: bool, theirs: int | None, their_complaint: bool
) -> None:
    """Whoever waits long enough comes before anybody who came so much later, whoever that is."""
    later = rules.place(waited, theirs, their_complaint)
    longest = timedelta(minutes=rules.LONGEST_HEAD_START + 1)
    assert rules.place(waited + longest, mine, my_complaint).points > later.points


@given(waits, fifths, st.booleans())
def test_value_and_a_complaint_only_help(waited: timedelta, monetary: int | None, complaint: bool) -> None:
    place = rules.place(waited, monetary, complaint)
    assert place.points >= rules.place(waited, None, False).points
    assert place.points - place.waited <= rules.LONGEST_HEAD_START
    assert rules.place(waited + timedelta(minutes=1), monetary, complaint).points == place.points + 1


@pytest.mark.parametrize(
    ("minutes", "is_open", "missed"), [(9, True, False), (10, True, True), (0, False, True)]
)
def test_when_nobody_came(minutes: int, is_open: bool, missed: bool) -> None:
    now = NOON + timedelta(minutes=minutes)
    assert rules.is_missed(NOON, now, timedelta(minutes=10), is_open) is missed


@pytest.mark.parametrize(
    ("taken", "written", "now", "is_open", "left"),
    [
        # They asked for a person.
        (5, None, 24.9, True, False),
        (5, None, 25, True, True),
        (5, 20, 25, True, True),
        (5, None, 25, False, False),
        # Taken unasked: who says nothing waits for nothing.
        (0, None, 900, True, False),
        (0, 10, 29.9, True, False),
        (0, 10, 30, True, True),
    ],
)
def test_when_somebody_leaves_the_customer_alone(
    taken: float, written: float | None, now: float, is_open: bool, left: bool
) -> None:
    def at(minutes: float) -> datetime:
        return NOON + timedelta(minutes=minutes)

    written_at = None if written is None else at(written)
    assert rules.is_left_alone(NOON, at(taken), written_at, at(now), timedelta(minutes=20), is_open) is left


@pytest.mark.parametrize(
    ("kept", "told", "answered_up_to", "left"),
    [
        ([], [], 0, None),
        ([3], [], 0, 3),
        ([3, 4], [], 0, 4),
        ([3], [], 5, None),
        ([3, 7], [], 5, 7),
        # The bot was told of it and has answered something since.
        ([3], [3], 0, None),
    ],
)
def test_what_the_bot_answers(
    kept: list[int], told: list[int], answered_up_to: int, left: int | None
) -> None:
    assert rules.to_answer(kept, told, answered_up_to) == left


@pytest.mark.parametrize("name", sorted(texts._texts()))
def test_every_text_in_every_language(name: str) -> None:
    for language in LANGUAGES:
        said = texts.text(name, language, opens="OPENS", address="ADDRESS")
        assert said
        assert "{" not in said


def test_the_time_of_opening_by_the_shops_clock() -> None:
    assert texts.moment(NOON, "en", "Europe/Oslo") == "Wednesday 18 November, 13:00"
    assert texts.moment(NOON, "nb", "Europe/Oslo") == "onsdag 18. november kl. 13:00"
