"""Earning, spending, holding, undoing and merging, and what the same key means."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import ConflictError, InvalidInputError, NotFoundError
from rapport.loyalty.points import service, tasks
from rapport.loyalty.points.models import Lot, TierChange, Transaction
from rapport.loyalty.points.service import Movement, NotEnoughPointsError
from tests.loyalty.points.conftest import NOW
from tests.loyalty.threads import at_once

DAY = timedelta(days=1)


def _earn(engine: Engine, customer_id: int, points: int, key: str, **named: object) -> Movement:
    with session_scope(engine) as session:
        named = {"reason": "gift", "at": NOW, **named}
        return service.earn(session, customer_id, points, key=key, **named)  # type: ignore[arg-type]


def _statement(engine: Engine, customer_id: int, days: int = 0) -> tuple[int, int, int, int]:
    with read_scope(engine) as session:
        assert tasks.check(session) == []
        one = service.statement(session, customer_id, NOW + days * DAY)
        return one.available, one.pending, one.held, one.debt


# --- keys ---

WISHES: dict[str, tuple[Callable[[Session, int], Movement], Callable[[Session, int], Movement]]] = {
    "earn": (
        lambda session, one: service.earn(session, one, 5, key="x", reason="gift"),
        lambda session, one: service.earn(session, one, 6, key="x", reason="gift"),
    ),
    "earn for another reason": (
        lambda session, one: service.earn(session, one, 5, key="x", reason="gift"),
        lambda session, one: service.earn(session, one, 5, key="x", reason="birthday"),
    ),
    "burn": (
        lambda session, one: service.burn(session, one, 5, key="x", reason="gift"),
        lambda session, one: service.burn(session, one + 1, 5, key="x", reason="gift"),
    ),
    "burn or hold": (
        lambda session, one: service.burn(session, one, 5, key="x", reason="gift"),
        lambda session, one: service.hold(session, one, 5, key="x", until=NOW + DAY),
    ),
    "hold": (
        lambda session, one: service.hold(session, one, 5, key="x", until=clock.now() + DAY),
        lambda session, one: service.hold(session, one, 4, key="x", until=clock.now() + DAY),
    ),
    "capture": (
        lambda session, one: service.capture(session, "held", key="x"),
        lambda session, one: service.release(session, "held", key="x"),
    ),
    "release": (
        lambda session, one: service.release(session, "held", key="x"),
        lambda session, one: service.capture(session, "held", key="x"),
    ),
    "reverse": (
        lambda session, one: service.reverse(session, "start", key="x"),
        lambda session, one: service.reverse(session, "spent", key="x"),
    ),
}


@pytest.fixture
def start(engine: Engine, people: list[int]) -> int:
    """A customer with 70 points, 20 held and 10 spent; the next one has 100."""
    _earn(engine, people[0], 100, "start")
    _earn(engine, people[1], 100, "start 2".replace(" ", "-"))
    with session_scope(engine) as session:
        service.hold(session, people[0], 20, key="held", until=NOW + 9 * DAY, at=NOW)
        service.burn(session, people[0], 10, key="spent", reason="gift", at=NOW)
    return people[0]


@pytest.mark.parametrize("name", WISHES)
def test_a_key_stands_for_one_wish(engine: Engine, start: int, name: str) -> None:
    wish, other = WISHES[name]
    with clock.freeze(NOW), session_scope(engine) as session:
        first = wish(session, start)
    before = _statement(engine, start)
    with clock.freeze(NOW + 2 * DAY), session_scope(engine) as session:
        again = wish(session, start)
    assert not first.repeated
    assert again == Movement(first.transaction_id, "x", first.points, first.balance, repeated=True)
    with clock.freeze(NOW), session_scope(engine) as session, pytest.raises(ConflictError):
        other(session, start)
    assert _statement(engine, start) == before


@pytest.mark.parametrize("name", WISHES)
def test_eight_with_one_key_at_once(engine: Engine, start: int, name: str) -> None:
    wish, _ = WISHES[name]

    def ask() -> Movement:
        with session_scope(engine) as session:
            return wish(session, start)

    with clock.freeze(NOW):
        answers = at_once(8, ask)
    assert sorted(answer.repeated for answer in answers) == [False] + [True] * 7
    assert len({(answer.transaction_id, answer.points, answer.balance) for answer in answers}) == 1
    _statement(engine, start)


def test_two_customers_with_one_key_at_once(engine: Engine, people: list[int]) -> None:
    waiting = people * 3

    def ask() -> bool:
        customer_id = waiting.pop()
        with session_scope(engine) as session:
            try:
                service.earn(session, customer_id, 5, key="x", reason="gift", at=NOW)
            except ConflictError:
                return False
        return True

    assert sum(at_once(9, ask)) == 3  # the one it was first, three times
    assert sorted(_statement(engine, one)[0] for one in people) == [0, 0, 5]


@pytest.mark.parametrize("key", ["~mature:1", "earn:order:1", "kari@example.com", "", "a b"])
def test_keys_nobody_may_use(engine: Engine, people: list[int], key: str) -> None:
    with session_scope(engine) as session, pytest.raises(InvalidInputError):
        service.earn(session, people[0], 5, key=key, reason="gift")


def test_nobody_has_no_points(engine: Engine) -> None:
    with session_scope(engine) as session:
        for wish in (service.earn, service.burn):
            with pytest.raises(NotFoundError):
                wish(session, 999, 5, key="x", reason="gift")
        assert service.balance(session, 999) == 0
        assert service.statement(session, 999).tier.key == "trail"
        for undo in (service.capture, service.release, service.reverse):
            with pytest.raises(NotFoundError):
                undo(session, "unknown", key="x")


# --- spending ---


def test_not_more_than_there_is(engine: Engine, people: list[int]) -> None:
    _earn(engine, people[0], 10, "e")
    _earn(engine, people[0], 10, "p", matures_at=NOW + DAY)
    with session_scope(engine) as session, pytest.raises(NotEnoughPointsError):
        service.burn(session, people[0], 11, key="b", reason="gift", at=NOW)
    assert _statement(engine, people[0]) == (10, 10, 0, 0)


def test_what_has_ended_cannot_be_spent_however_late_the_task_is(engine: Engine, people: list[int]) -> None:
    _earn(engine, people[0], 10, "e", expires_at=NOW + DAY)
    _earn(engine, people[0], 5, "f", expires_at=None)
    with clock.freeze(NOW + DAY), session_scope(engine) as session:
        assert service.balance(session, people[0]) == 5
        assert service.statement(session, people[0]).next_expiry is None
        with pytest.raises(NotEnoughPointsError):
            service.burn(session, people[0], 6, key="b", reason="gift")
        assert service.burn(session, people[0], 5, key="b", reason="gift").balance == 0
    with session_scope(engine) as session:
        assert not +tasks.run(session, NOW + DAY)
    assert _statement(engine, people[0], 1) == (0, 0, 0, 0)


def test_a_hold_ends_on_its_own(engine: Engine, people: list[int]) -> None:
    _earn(engine, people[0], 10, "e")
    with session_scope(engine) as session:
        with pytest.raises(InvalidInputError):
            service.hold(session, people[0], 4, key="h", until=NOW, at=NOW)
        service.hold(session, people[0], 4, key="h", until=NOW + DAY, at=NOW)
    with session_scope(engine) as session, pytest.raises(ConflictError):
        service.capture(session, "h", key="late", at=NOW + DAY)
    for released in (1, 0):
        with session_scope(engine) as session:
            assert tasks.run(session, NOW + DAY)["released"] == released
        assert _statement(engine, people[0]) == (10, 0, 0, 0)
    with session_scope(engine) as session:
        again = service.release(session, "h", key="r", at=NOW + 2 * DAY)
        assert (again.repeated, again.points, again.balance) == (True, 4, 10)


def test_what_is_captured_cannot_be_released(engine: Engine, people: list[int]) -> None:
    _earn(engine, people[0], 10, "e")
    with session_scope(engine) as session:
        service.hold(session, people[0], 4, key="h", until=NOW + DAY, at=NOW)
        service.capture(session, "h", key="c", at=NOW)
        for undo in (service.release, service.capture):
            with pytest.raises(ConflictError):
                undo(session, "h", key="x", at=NOW)
    assert _statement(engine, people[0]) == (6, 0, 0, 0)


# --- undoing ---


def test_undone_at_most_once(engine: Engine, people: list[int]) -> None:
    one = people[0]
    _earn(engine, one, 10, "e")
    with session_scope(engine) as session:
        service.burn(session, one, 4, key="b", reason="gift", at=NOW)
    for key, points, after in (("b", 4, (10, 0, 0, 0)), ("e", 10, (0, 0, 0, 0))):
        with session_scope(engine) as session:
            assert service.reverse(session, key, key=f"undo-{key}", at=NOW).points == points
        with session_scope(engine) as session, pytest.raises(ConflictError):
            service.reverse(session, key, key="again", at=NOW)
        assert _statement(engine, one) == after
    with session_scope(engine) as session, pytest.raises(ConflictError):
        service.reverse(session, "undo-b", key="undo-the-undoing", at=NOW)


def test_what_comes_back_goes_to_its_lot_or_has_its_grace(engine: Engine, people: list[int]) -> None:
    one = people[0]
    _earn(engine, one, 10, "e1", expires_at=NOW + DAY)
    _earn(engine, one, 10, "e2", expires_at=NOW + 9 * DAY)
    with session_scope(engine) as session:
        service.burn(session, one, 15, key="b", reason="gift", at=NOW)
        service.reverse(session, "b", key="r", at=NOW + 2 * DAY)
    with read_scope(engine) as session:
        rows = session.execute(select(Lot.remaining, Lot.expires_at).order_by(Lot.id)).all()
        assert [tuple(row) for row in rows] == [
            (0, NOW + DAY),
            (10, NOW + 9 * DAY),
            (10, NOW + (2 + 30) * DAY),  # in place of those that ended while they were spent
        ]
    assert _statement(engine, one, 2) == (20, 0, 0, 0)


def test_a_return_does_not_take_twice_what_ended(engine: Engine, people: list[int]) -> None:
    _earn(engine, people[0], 10, "e", expires_at=NOW + DAY)
    with session_scope(engine) as session:
        assert tasks.run(session, NOW + DAY) == {"expired": 1, "expired_points": 10}
        service.reverse(session, "e", key="r", at=NOW + DAY)
    assert _statement(engine, people[0], 1) == (0, 0, 0, 0)


@pytest.mark.parametrize("how", ["release", "overdue", "restore"])
def test_whatever_comes_back_repays_a_debt_first(engine: Engine, people: list[int], how: str) -> None:
    """Else points could be hidden in a hold while their order is sent back."""
    one = people[0]
    _earn(engine, one, 10, "e")
    with session_scope(engine) as session:
        if how == "restore":
            service.burn(session, one, 10, key="b", reason="gift", at=NOW)
        else:
            service.hold(session, one, 10, key="b", until=NOW + DAY, at=NOW)
        service.reverse(session, "e", key="r", at=NOW)
    assert _statement(engine, one)[3] == 10
    with session_scope(engine) as session:
        if how == "release":
            service.release(session, "b", key="x", at=NOW)
        elif how == "overdue":
            tasks.run(session, NOW + DAY)
        else:
            service.reverse(session, "b", key="x", at=NOW)
    assert _statement(engine, one) == (0, 0, 0, 0)


# --- merging ---


def test_a_merge_keeps_everything(engine: Engine, people: list[int]) -> None:
    kari, ola, liv = people
    _earn(engine, kari, 600, "k1", expires_at=NOW + 5 * DAY)
    _earn(engine, kari, 7, "k2", matures_at=NOW + DAY)
    _earn(engine, ola, 50, "o1", expires_at=NOW + 3 * DAY)
    _earn(engine, ola, 9, "o2")
    with session_scope(engine) as session:
        service.hold(session, kari, 100, key="h", until=NOW + 2 * DAY, at=NOW)
        service.burn(session, ola, 59, key="b", reason="gift", at=NOW)
        service.reverse(session, "o2", key="ro2", at=NOW)
    assert _statement(engine, kari) == (500, 7, 100, 0)
    assert _statement(engine, ola) == (0, 0, 0, 9)
    for _ in range(2):
        with clock.freeze(NOW), session_scope(engine) as session:
            service.merge(session, kari, ola, key="m")
        assert _statement(engine, kari) == (0, 0, 0, 0)
        assert _statement(engine, ola) == (491, 7, 100, 0)  # what Ola owed is repaid by what Kari had
    with read_scope(engine) as session:
        assert service.statement(session, ola, NOW).next_expiry == (491, NOW + 5 * DAY)
        assert service.tier(session, ola, NOW).window_points == 600 + 7 + 50
        assert service.tier(session, kari, NOW).window_points == 0
        assert session.scalars(
            select(TierChange.tier).where(TierChange.customer_id == ola).order_by(TierChange.id)
        ).all() == ["trail", "ridge"]
    with session_scope(engine) as session:
        # What belonged to the one is undone for the other, who also gets what still arrives for the one.
        service.reverse(session, "b", key="rb", at=NOW)
        service.release(session, "h", key="rh", at=NOW)
        service.earn(session, kari, 3, key="late", reason="gift", at=NOW)
        with pytest.raises(NotEnoughPointsError):
            service.burn(session, kari, 1, key="none", reason="gift", at=NOW)
    assert _statement(engine, kari) == (0, 0, 0, 0)
    assert _statement(engine, ola) == (500 + 59 - 9 + 100 + 3, 7, 0, 0)
    with clock.freeze(NOW), session_scope(engine) as session:
        service.merge(session, ola, liv, key="m2")
    assert _statement(engine, liv) == (653, 7, 0, 0)
    with session_scope(engine) as session:
        service.earn(session, kari, 2, key="later", reason="gift", at=NOW)
    assert _statement(engine, liv) == (655, 7, 0, 0)


@pytest.mark.parametrize("debtor_first", [True, False])
def test_a_merge_repays_a_debt(engine: Engine, people: list[int], debtor_first: bool) -> None:
    """With what is still good: what has ended by now repays nothing."""
    owing, having, _ = people
    _earn(engine, owing, 9, "e")
    with session_scope(engine) as session:
        service.burn(session, owing, 9, key="b", reason="gift", at=NOW)
        service.reverse(session, "e", key="r", at=NOW)
    _earn(engine, having, 4, "ended", expires_at=NOW + DAY)
    _earn(engine, having, 20, "good", expires_at=NOW + 9 * DAY)
    pair = (owing, having) if debtor_first else (having, owing)
    with clock.freeze(NOW + 2 * DAY), session_scope(engine) as session:
        service.merge(session, *pair, key="m")
    assert _statement(engine, pair[1], 2) == (11, 0, 0, 0)


def test_points_add_up_beyond_32_bits(engine: Engine, people: list[int]) -> None:
    one, other, _ = people
    for number in range(5):
        _earn(engine, one, 1_000_000_000, f"e{number}")
    assert _statement(engine, one) == (5_000_000_000, 0, 0, 0)
    with clock.freeze(NOW), session_scope(engine) as session:
        service.merge(session, one, other, key="m")
        assert service.balance(session, other) == 5_000_000_000
        assert service.liability(session).points == 5_000_000_000
        assert [line.balance for line in service.history(session, other, 1)] == [5_000_000_000]
        assert service.tier(session, other, NOW).window_points == 5_000_000_000


def test_merges_that_cannot_be(engine: Engine, people: list[int]) -> None:
    kari, ola, liv = people
    _earn(engine, kari, 5, "e")
    with session_scope(engine) as session:
        with pytest.raises(InvalidInputError):
            service.merge(session, kari, kari, key="m")
        with pytest.raises(NotFoundError):
            service.merge(session, kari, 999, key="m")
        service.merge(session, kari, ola, key="m")
        with pytest.raises(ConflictError):
            service.merge(session, kari, liv, key="m2")
        with pytest.raises(InvalidInputError):
            service.merge(session, ola, kari, key="m3")  # Kari is Ola by now
    assert _statement(engine, ola) == (5, 0, 0, 0)


def test_a_merge_of_nothing(engine: Engine, people: list[int]) -> None:
    with session_scope(engine) as session:
        service.merge(session, people[0], people[1], key="m")
        service.merge(session, people[0], people[1], key="m")
        assert session.scalar(select(func.count()).select_from(Transaction)) == 0
    _earn(engine, people[0], 5, "e")
    assert _statement(engine, people[1]) == (5, 0, 0, 0)
