"""Who gets what, when each step is due, how words are filled in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.outreach.journeys import rules

AT = datetime(2026, 3, 3, 11, tzinfo=UTC)
times = st.timedeltas(timedelta(days=-400), timedelta(days=400)).map(lambda ago: AT + ago)
waits = st.lists(st.timedeltas(timedelta(0), timedelta(days=60)), min_size=1, max_size=6)


def drawn(
    control: float, compares: bool = True, journey: str = "welcome", secret: str = "secret"
) -> list[str]:
    return [rules.variant_of(secret, journey, number, control, compares) for number in range(4000)]


@pytest.mark.parametrize("control", [0.0, 0.1, 0.5])
def test_the_control_group_has_its_share_and_the_words_a_half_each(control: float) -> None:
    found = drawn(control)
    # Four standard deviations of a share of 4000 are at most 0.032.
    assert found.count("control") / len(found) == pytest.approx(control, abs=0.032)
    rest = [one for one in found if one != "control"]
    assert rest.count("b") / len(rest) == pytest.approx(0.5, abs=0.045)
    assert "b" not in drawn(control, compares=False)


@given(st.floats(0, 0.5), st.floats(0, 0.5), st.integers(1, 10**9))
def test_another_share_moves_nobody_between_the_words(one: float, other: float, customer_id: int) -> None:
    low, high = sorted((one, other))
    before, after = (rules.variant_of("secret", "welcome", customer_id, c, True) for c in (low, high))
    assert after in {before, "control"}
    assert before == rules.variant_of("secret", "welcome", customer_id, low, True)


def test_journeys_and_shops_draw_for_themselves() -> None:
    assert drawn(0.5) != drawn(0.5, journey="win_back")
    assert drawn(0.5) != drawn(0.5, secret="another")


@given(times, waits)
def test_each_step_is_due_so_long_after_the_one_before(anchor: datetime, waiting: list[timedelta]) -> None:
    due = rules.due_times(anchor, waiting)
    assert [b - a for a, b in zip([anchor, *due], due, strict=False)] == waiting


@given(times, times, waits)
def test_what_follows_comes_never_earlier_and_never_too_soon(
    decided: datetime, anchor: datetime, waiting: list[timedelta]
) -> None:
    before = rules.due_times(anchor, waiting)
    after = rules.moved(decided, list(zip(before, waiting, strict=True)))
    assert all(new >= old for new, old in zip(after, before, strict=True))
    assert all(b - a >= wait for a, b, wait in zip([decided, *after], after, waiting, strict=False))
    if decided <= anchor:
        assert after == before


@pytest.mark.parametrize(
    ("days_ago", "again_days", "may"),
    [(None, 30, True), (29, 30, False), (30, 30, True), (0, 0, True), (-1, 0, True), (-1, 30, False)],
)
def test_the_same_journey_again(days_ago: int | None, again_days: int, may: bool) -> None:
    last = None if days_ago is None else AT - timedelta(days=days_ago)
    assert rules.may_enter_again(last, again_days, AT) is may


@pytest.mark.parametrize(
    ("text", "known", "unknown"),
    [
        ("Hello {name},", "Hello Ann,", "Hello,"),
        ("Hola, {name}:", "Hola, Ann:", "Hola:"),
        ("Gratulerer, {name}!", "Gratulerer, Ann!", "Gratulerer!"),
        ("We miss you, {name}.", "We miss you, Ann.", "We miss you."),
    ],
)
def test_a_greeting_reads_well_without_a_name(text: str, known: str, unknown: str) -> None:
    assert rules.misplaced_name(text) is None
    assert rules.filled(text, {"name": "Ann"}) == known
    assert rules.filled(text, {}) == unknown


def test_a_name_that_cannot_be_left_out_is_misplaced() -> None:
    assert rules.misplaced_name("{name}, it is your day!") is not None


def test_what_is_filled_in_is_not_looked_at_again() -> None:
    assert rules.filled("{product}", {"product": "{code}"}) == "{code}"


@pytest.mark.parametrize(
    ("occasion", "key"),
    [
        ("birthday", "birthday:7:2026"),
        ("anniversary", "anniversary:7:2026"),
        ("recovery", "recovery:3"),
        ("standing", "journey:9:win-back"),
    ],
)
def test_a_present_has_the_key_of_its_occasion(occasion: str, key: str) -> None:
    assert rules.grant_key(occasion, "win-back", 7, 9, 2026, 3) == key
