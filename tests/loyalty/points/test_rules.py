"""Points, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.loyalty.points import rules
from rapport.loyalty.points.purse import (
    DEBT,
    HELD,
    ISSUED,
    REDEEMED,
    Credit,
    Entry,
    Lot,
    Purse,
    nearest_first,
)
from rapport.loyalty.points.rules import Earned, Level, points_for, points_to_restore, points_to_take_back

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LEVELS = [Level("low", 0), Level("mid", 100), Level("top", 300)]


@pytest.mark.parametrize(
    ("amount", "points"), [(0, 0), (999, 0), (1000, 1), (1999, 1), (124900, 124), (-5000, 0)]
)
def test_points_are_rounded_down(amount: int, points: int) -> None:
    assert points_for(amount, 1, 1000) == points


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**8), max_size=8))
def test_refunds_leave_what_the_rest_would_earn(total: int, refunds: list[int]) -> None:
    earned = points_for(total, 1, 1000)
    taken, refunded = 0, 0
    for refund in refunds:
        refunded += refund
        due = points_for(total - refunded, 1, 1000)
        taken += points_to_take_back(earned, taken, due)
        assert earned - taken == due


@pytest.mark.parametrize(
    ("spent", "restored", "refunded", "total", "points"),
    [
        (71, 0, 4_115, 12_345, 23),
        (71, 23, 4_115, 12_345, 0),
        (71, 23, 12_345, 12_345, 48),
        (71, 0, 99_999, 12_345, 71),
        (71, 0, 0, 12_345, 0),
        (71, 0, -5, 12_345, 0),
        (71, 0, 0, 0, 71),  # paid with nothing but points
        (0, 0, 12_345, 12_345, 0),
    ],
)
def test_the_refunded_share_comes_back(
    spent: int, restored: int, refunded: int, total: int, points: int
) -> None:
    assert points_to_restore(spent, restored, refunded, total) == points


@given(st.integers(0, 10**6), st.integers(1, 10**7), st.lists(st.integers(0, 10**6), max_size=8))
def test_parts_never_restore_more_and_all_restores_all(spent: int, total: int, parts: list[int]) -> None:
    restored = refunded = 0
    for part in parts:
        refunded += part
        restored += points_to_restore(spent, restored, refunded, total)
        assert restored <= spent
        assert restored == (spent if refunded >= total else spent * refunded // total)
    assert restored + points_to_restore(spent, restored, total, total) == spent


@given(st.lists(st.integers(1, 50), min_size=1, max_size=6), st.data())
def test_what_was_taken_last_goes_back_first_and_all_of_it_in_the_end(
    taken: list[int], data: st.DataObject
) -> None:
    back = [0] * len(taken)
    while sum(back) < sum(taken):
        points = data.draw(st.integers(1, sum(taken) - sum(back)))
        for index, part in rules.last_first(taken, sum(back), points):
            assert all(back[later] == taken[later] for later in range(index + 1, len(taken)))
            back[index] += part
    assert back == taken


@pytest.mark.parametrize(
    ("earned", "key", "points", "next_key", "missing"),
    [
        ([], "low", 0, "mid", 100),
        ([(1, 99, 0)], "low", 99, "mid", 1),
        ([(1, 100, 0)], "mid", 100, "top", 200),
        ([(1, 100, 1)], "low", 99, "mid", 1),
        ([(1, 200, 0), (364, 100, 0)], "top", 300, None, None),
        ([(1, 200, 0), (365, 100, 0)], "mid", 200, "top", 100),  # just out of the window
        ([(1, 100, 0), (400, 500, 500)], "mid", 100, "top", 200),  # taken back of what no longer counts
        ([(-1, 500, 0)], "low", 0, "mid", 100),  # still ahead
    ],
)
def test_levels(
    earned: list[tuple[int, int, int]], key: str, points: int, next_key: str | None, missing: int | None
) -> None:
    rows = [Earned(NOW - days * DAY, one, taken) for days, one, taken in earned]
    assert rules.tier(rows, LEVELS, NOW, 365) == rules.Tier(key, points, next_key, missing)


EARNINGS = st.lists(
    st.builds(
        lambda days, points, part: Earned(NOW - days * DAY, points, points * part // 100),
        st.integers(0, 800),
        st.integers(1, 200),
        st.integers(0, 100),
    ),
    max_size=8,
)


@given(EARNINGS, st.randoms())
def test_a_level_is_a_function_of_its_window(earned: list[Earned], random: object) -> None:
    tier = rules.tier(earned, LEVELS, NOW, 365)
    shuffled = sorted(earned, key=lambda _: random.random())  # type: ignore[attr-defined]
    inside = [one for one in shuffled if one.at > NOW - 365 * DAY]
    assert rules.tier(inside, LEVELS, NOW, 365) == rules.tier(shuffled, LEVELS, NOW, 365) == tier


@given(EARNINGS)
def test_a_level_is_looked_at_again_just_when_it_sinks(earned: list[Earned]) -> None:
    at = rules.tier_review(earned, LEVELS, NOW, 365)
    now = rules.tier(earned, LEVELS, NOW, 365)
    if at is None:
        assert now.key == "low"
        return
    just_before = at - timedelta(microseconds=1)
    assert rules.tier(earned, LEVELS, just_before, 365).key == now.key
    assert rules.tier(earned, LEVELS, at, 365).window_points < next(
        level.from_points for level in LEVELS if level.key == now.key
    )


def test_a_day_is_the_shops_day() -> None:
    oslo = ZoneInfo("Europe/Oslo")
    late = datetime(2026, 5, 2, 23, tzinfo=UTC)  # 3 May in Oslo
    assert rules.first_day([(5, NOW), (7, late), (9, NOW + DAY)], oslo) == (12, late)
    assert rules.first_day([(5, NOW), (7, late)], ZoneInfo("UTC")) == (7, late)
    assert rules.first_day([], oslo) is None


@pytest.mark.parametrize(
    ("points", "key", "reason", "fine"),
    [
        (1, "order:1:points", "birthday", True),
        (10**9, "f3a1-9b/x+y=|#.", None, True),
        (0, "k", None, False),
        (-5, "k", None, False),
        (10**9 + 1, "k", None, False),
        (1, "", None, False),
        (1, "k" * 121, None, False),
        (1, "kari@example.com", None, False),
        (1, "two words", None, False),
        (1, "k", "for Kari's birthday", False),
        (1, "k", "", False),
    ],
)
def test_what_may_be_asked_for(points: int, key: str, reason: str | None, fine: bool) -> None:
    assert (rules.mistake(points, key, reason) is None) is fine


def test_a_fingerprint_tells_wishes_apart() -> None:
    prints = {
        rules.fingerprint(kind="burn", points=points, order=order) for points in (1, 2) for order in (None, 1)
    }
    assert len(prints) == 4
    assert rules.fingerprint(a=1, b=2) == rules.fingerprint(b=2, a=1)


# --- purses ---


def _purse(*lots: tuple[int, int | None]) -> Purse:
    """A purse with lots of (points, days until they end)."""
    purse = Purse(1)
    for number, (points, days) in enumerate(lots, 1):
        ends = None if days is None else NOW + days * DAY
        purse.lots.append(Lot(ends, remaining=points, points=points, id=number))
        purse.balances["points"] += points
    return purse


def _entry(points: int) -> Entry:
    return Entry("k", "kind", NOW, points)


def test_the_nearest_end_is_used_first_and_what_never_ends_last() -> None:
    purse = _purse((10, None), (10, 9), (10, 3), (10, None), (10, 3))
    entry = _entry(45)
    purse.spend(entry, REDEEMED)
    assert [(lot.id, points) for lot, points in entry.movements] == [
        (3, -10),
        (5, -10),
        (2, -10),
        (1, -10),
        (4, -5),
    ]
    assert entry.postings == {"points": -45, "redeemed": 45}
    assert [lot.id for lot in nearest_first(reversed(purse.lots))] == [3, 5, 2, 1, 4]


def test_what_comes_back_after_its_end() -> None:
    for days, released, restored in ((5, 10, [(7, 5)]), (-1, 0, [(7, None)])):
        purse = _purse((10, 7))
        purse.spend(_entry(10), HELD)
        lot = purse.lots[0]
        lot.expires_at = NOW + days * DAY
        entry = _entry(10)
        purse.release(entry, [(lot, 10)])
        assert (purse.points, lot.lapsed) == (released, 10 - released)
        purse = _purse((10, days))
        lot = purse.lots[0]
        purse.spend(_entry(10), REDEEMED)
        entry = _entry(7)
        purse.restore(entry, [(lot, 10)], 0, 30 * DAY, NOW)
        assert purse.points == 7
        assert [one.expires_at for one in purse.lots if one.remaining] == [
            NOW + (30 if restored[0][1] is None else 5) * DAY
        ]


@pytest.mark.parametrize(
    ("own", "lapsed", "others", "taken", "left"),
    [
        # own lot, of it lapsed, other lots; what is taken back → (own, lapsed, others, debt) left
        (10, 0, 10, 10, (0, 0, 10, 0)),
        (4, 6, 10, 10, (0, 0, 10, 0)),
        (4, 3, 10, 10, (0, 0, 7, 0)),
        (4, 0, 2, 10, (0, 0, 0, 4)),
        (0, 10, 0, 5, (0, 5, 0, 0)),
    ],
)
def test_taking_back_goes_to_the_own_lot_first(
    own: int, lapsed: int, others: int, taken: int, left: tuple[int, int, int, int]
) -> None:
    purse = _purse((own, 9), (others, 1))
    purse.lots[0].lapsed = lapsed
    credit = Credit(10, NOW, matured_at=NOW, id=1)
    entry = _entry(taken)
    purse.take_back(entry, credit, taken, [purse.lots[0]])
    assert (
        purse.lots[0].remaining,
        purse.lots[0].lapsed,
        purse.lots[1].remaining,
        -purse.balances[DEBT],
    ) == left
    assert sum(entry.postings.values()) == 0
    assert entry.postings[ISSUED] == taken
    assert credit.taken_back == taken


WISHES = st.lists(
    st.tuples(
        st.sampled_from(["earn", "pend", "mature", "spend", "hold", "back", "expire", "release", "restore"]),
        st.integers(1, 40),
        st.none() | st.integers(1, 9),
    ),
    max_size=25,
)


@given(WISHES)
def test_a_purse_always_adds_up(wishes: list[tuple[str, int, int | None]]) -> None:
    """Whatever is done: postings sum to 0, points are what the lots hold, none below 0 nor debt above."""
    purse = Purse(1)
    credited: list[Credit] = []
    held: list[list[tuple[Lot, int]]] = []
    spent: list[list[tuple[Lot, int]]] = []
    for step, (what, points, days) in enumerate(wishes):
        at = NOW + step * DAY
        entry = Entry(f"k{step}", what, at, points)
        if purse.due(at):
            purse.expire(Entry("x", "expire", at, 0), purse.due(at))
        if what in {"earn", "pend"}:
            credit = Credit(points, at, matured_at=at if what == "earn" else None, valid_days=days, id=step)
            purse.earn(entry, credit)
            credited.append(credit)
        elif what == "mature" and (due := [one for one in credited if one.matured_at is None]):
            purse.mature(entry, due[0])
        elif what in {"spend", "hold"} and purse.points >= points:
            purse.spend(entry, HELD if what == "hold" else REDEEMED)
            taken = [(lot, -moved) for lot, moved in entry.movements]
            (held if what == "hold" else spent).append(taken)
        elif what == "back" and credited:
            credit = credited[points % len(credited)]
            part = min(points, credit.points - credit.taken_back)
            own = [lot for lot in purse.lots if lot.earning_id == credit.id]
            purse.take_back(entry, credit, part, own)
        elif what == "release" and held:
            taken = held.pop()
            entry.points = sum(moved for _, moved in taken)
            purse.release(entry, taken)
        elif what == "restore" and spent:
            taken = spent.pop()
            entry.points = sum(moved for _, moved in taken)
            purse.restore(entry, taken, 0, 30 * DAY)
        assert sum(entry.postings.values()) == 0
        assert sum(moved for _, moved in entry.movements) == entry.postings.get("points", 0)
        assert purse.points == sum(lot.remaining for lot in purse.lots)
        assert all(0 <= lot.remaining <= lot.points for lot in purse.lots)
        assert purse.points >= 0 >= purse.balances[DEBT]
        assert purse.balances["pending"] == sum(
            one.points - one.taken_back for one in credited if one.matured_at is None
        )
        assert purse.balances["held"] == sum(moved for taken in held for _, moved in taken)
