"""Presents: on the right day, once, with consent, within the budget, and never into a complaint."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.customers.models import ContactPolicy
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.loyalty.offers import audit, presents, service, tasks
from rapport.loyalty.offers.models import Coupon, Offer
from tests.loyalty.offers import shop
from tests.loyalty.offers.shop import DAY, NOW
from tests.loyalty.threads import at_once


@pytest.mark.parametrize(
    ("day", "celebrated"),
    [
        (date(2026, 5, 3), [(5, 3)]),
        (date(2026, 2, 28), [(2, 28), (2, 29)]),
        (date(2028, 2, 28), [(2, 28)]),
        (date(2028, 2, 29), [(2, 29)]),
        (date(2026, 3, 1), [(3, 1)]),
    ],
)
def test_what_is_celebrated_on_a_day(day: date, celebrated: list[tuple[int, int]]) -> None:
    assert presents.anniversaries(day) == celebrated


@given(st.dates(date(1930, 1, 1), date(2020, 12, 31)), st.integers(2021, 2060))
def test_every_birthday_is_celebrated_once_a_year(born: date, year: int) -> None:
    days = [
        day
        for number in range(-1, 2)
        if (day := _in_year(born, year) + timedelta(days=number)).year == year
        and (born.month, born.day) in presents.anniversaries(day)
    ]
    assert len(days) == 1


def _in_year(born: date, year: int) -> date:
    return date(year, born.month, 28 if (born.month, born.day) == (2, 29) else born.day)


def test_anniversaries_of_earlier_years() -> None:
    assert presents.earlier(date(2026, 5, 3), 2) == [date(2025, 5, 3), date(2024, 5, 3)]
    leap = presents.earlier(date(2026, 2, 28), 3)
    assert leap == [date(2025, 2, 28), date(2024, 2, 28), date(2024, 2, 29), date(2023, 2, 28)]


@given(st.integers(1, 10**6), st.dates(date(2024, 1, 1), date(2030, 12, 31)))
def test_a_surprise_is_drawn_the_same_each_time_and_within_the_month(customer_id: int, day: date) -> None:
    month = day.replace(day=1)
    drawn = presents.surprise_day("secret", "mug", month, customer_id, 0.5)
    assert drawn == presents.surprise_day("secret", "mug", month, customer_id, 0.5)
    assert drawn is None or (drawn.year, drawn.month) == (day.year, day.month)
    assert presents.surprise_day("secret", "mug", month, customer_id, 1.0) is not None
    if drawn is not None:  # whoever is drawn at a chance is drawn at every higher one, on the same day
        assert presents.surprise_day("secret", "mug", month, customer_id, 0.9) == drawn


def test_surprises_are_as_frequent_as_said_and_spread_over_the_month() -> None:
    days = [presents.surprise_day("s", "mug", date(2026, 4, 1), n, 0.1) for n in range(20_000)]
    drawn = Counter(day.day for day in days if day)
    assert 1_800 < drawn.total() < 2_200
    assert set(drawn) == set(range(1, 31))
    other = [presents.surprise_day("t", "mug", date(2026, 4, 1), n, 0.1) for n in range(20_000)]
    assert other != days


def _run(engine: Engine, now: datetime = NOW, limit: int = 500) -> Counter[str]:
    with session_scope(engine) as session:
        return tasks.run(session, now, limit)


def _agreed(session: Session, **values: object) -> int:
    customer_id = shop.customer(session, **values)  # type: ignore[arg-type]
    shop.consent(session, customer_id)
    return customer_id


def _given(engine: Engine) -> list[tuple[int, str]]:
    with session_scope(engine) as session:
        assert audit.find(session) == []
        rows = session.execute(select(Coupon.customer_id, Coupon.occasion).order_by(Coupon.id))
        return [(row.customer_id, row.occasion) for row in rows]


def test_a_birthday_present_once_a_year(engine: Engine) -> None:
    with session_scope(engine) as session:
        shop.offer(session, "birthday", occasion="birthday", per_customer=0)
        ann = _agreed(session, birthday=date(1990, 5, 3))
        _agreed(session, birthday=date(1990, 5, 4))
        leap = _agreed(session, birthday=date(1988, 2, 29))
    assert _run(engine) == Counter(birthday=1)
    assert _run(engine) == Counter()
    assert _run(engine, NOW + 2 * DAY) == Counter(birthday=1)  # the one of the fourth, a day late
    assert _given(engine)[0] == (ann, "birthday")
    assert _run(engine, datetime(2027, 2, 28, 12, tzinfo=UTC)) == Counter(birthday=1, expired=2)
    assert _run(engine, datetime(2027, 3, 1, 12, tzinfo=UTC)) == Counter()
    assert _given(engine)[-1] == (leap, "birthday")
    assert _run(engine, datetime(2027, 5, 3, 12, tzinfo=UTC))["birthday"] == 1


@pytest.mark.parametrize(
    ("utc", "due"),
    [
        (datetime(2026, 5, 2, 21, 59, tzinfo=UTC), False),
        (datetime(2026, 5, 2, 22, 0, tzinfo=UTC), True),
        (datetime(2026, 5, 6, 21, 59, tzinfo=UTC), True),
        (datetime(2026, 5, 6, 22, 0, tzinfo=UTC), False),
    ],
)
def test_the_shops_time_zone_decides_the_day(engine: Engine, utc: datetime, due: bool) -> None:
    """In Oslo the third of May begins at 22:00 UTC; it is made up for during three days more."""
    with session_scope(engine) as session:
        shop.offer(session, "birthday", occasion="birthday", per_customer=0)
        _agreed(session, birthday=date(1990, 5, 3))
    assert bool(_run(engine, utc)) is due


def test_who_gets_nothing_unasked(engine: Engine) -> None:
    born = date(1990, 5, 3)
    with session_scope(engine) as session:
        shop.offer(session, "birthday", occasion="birthday", per_customer=0, stages=["trust"])
        shop.customer(session, birthday=born)  # never agreed
        left = _agreed(session, birthday=born)
        shop.consent(session, left, granted=False, at=NOW - DAY)
        _agreed(session, birthday=born, stage="know")
        unhappy = _agreed(session, birthday=born)
        case_id = shop.complaint(session, unhappy)
        away = _agreed(session, birthday=born)
        session.add(ContactPolicy(customer_id=away, refused_channels=[], paused_until=NOW + 30 * DAY))
    assert _run(engine) == Counter()
    with session_scope(engine) as session:
        session.get_one(Case, case_id).resolved_at = NOW
    assert _run(engine, NOW + DAY) == Counter(birthday=1)
    assert _given(engine) == [(unhappy, "birthday")]


def test_the_anniversary_of_the_first_order_kept(engine: Engine) -> None:
    year = datetime(2025, 5, 3, 10, tzinfo=UTC)
    with session_scope(engine) as session:
        shop.offer(session, "anniversary", occasion="anniversary", per_customer=0)
        first, again, second, third = (_agreed(session) for _ in range(4))
        shop.order(session, first, year)
        shop.order(session, again, year)
        shop.order(session, again, year - 400 * DAY)
        shop.order(session, second, year, status="cancelled")
        shop.order(session, third, datetime(2024, 5, 3, 10, tzinfo=UTC))
        shop.order(session, third, year - 30 * DAY, status="cancelled")
    assert _run(engine) == Counter(anniversary=2)
    assert sorted(_given(engine)) == [(first, "anniversary"), (third, "anniversary")]
    assert _run(engine) == Counter()


def test_surprises_end_with_the_budget_and_are_the_same_when_asked_again(engine: Engine) -> None:
    with session_scope(engine) as session:
        shop.product(session, "MUG", 20_000, 8_000)
        shop.offer(
            session,
            "mug",
            occasion="surprise",
            gift_sku="MUG",
            chance=0.5,
            budget_minor=100_000,
            per_customer=0,
        )
        people = [_agreed(session) for _ in range(60)]
    month = [datetime(2026, 4, day, 12, tzinfo=UTC) for day in range(1, 31)]
    for now in month:
        _run(engine, now, limit=3)
        _run(engine, now)
    given = _given(engine)
    assert len(given) == 12  # of about thirty, as many as the budget has mugs
    assert len({customer_id for customer_id, _ in given}) == 12
    assert {customer_id for customer_id, _ in given} <= set(people)
    for now in month[-3:]:
        _run(engine, now)
    assert _given(engine) == given
    with session_scope(engine) as session:
        assert session.scalars(select(Offer.spent_minor)).one() == 96_000


def test_after_a_complaint_was_settled(engine: Engine) -> None:
    with session_scope(engine) as session:
        shop.offer(session, "sorry", occasion="recovery", amount_minor=5_000, after_days=2, per_customer=0)
        ann, ben, cleo = (_agreed(session) for _ in range(3))
        case_id = shop.complaint(session, ann, resolved_at=NOW - 3 * DAY)
        shop.complaint(session, ben, resolved_at=NOW - DAY)  # too fresh
        shop.complaint(session, cleo, resolved_at=NOW - 3 * DAY)
        shop.complaint(session, cleo)  # the next one is open
    assert _run(engine) == Counter(recovery=1)
    assert _run(engine) == Counter()
    assert _run(engine, NOW + 2 * DAY) == Counter(recovery=1)
    assert _given(engine) == [(ann, "recovery"), (ben, "recovery")]
    with clock.freeze(NOW), session_scope(engine) as session:
        code = session.scalars(select(Coupon.code).where(Coupon.customer_id == ann)).one()
        why = service.explain_code(session, ann, code)
        assert why is not None
        assert why.case_id == case_id


def test_workers_at_the_same_time_give_one_present_each(engine: Engine) -> None:
    with session_scope(engine) as session:
        shop.offer(
            session, "birthday", occasion="birthday", per_customer=0, amount_minor=100, budget_minor=1_500
        )
        for _ in range(20):
            _agreed(session, birthday=date(1990, 5, 3))
    at_once(8, lambda: _run(engine, limit=4))
    while _run(engine, limit=4):
        pass
    given = _given(engine)
    assert len(given) == len(set(given)) == 15


def test_who_gets_nothing_keeps_nobody_waiting(engine: Engine) -> None:
    """However many are due who get nothing: those who do are found behind them."""
    with session_scope(engine) as session:
        shop.offer(session, "birthday", occasion="birthday", per_customer=0, stages=["trust"])
        for _ in range(30):
            _agreed(session, birthday=date(1990, 5, 3), stage="know")
        last = _agreed(session, birthday=date(1990, 5, 3))
    assert _run(engine, limit=5) == Counter(birthday=1)
    assert _given(engine) == [(last, "birthday")]
