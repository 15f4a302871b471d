"""What time does: in batches, once, and the check that notices when the ledger no longer adds up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from rapport.customers.models import Customer
from rapport.kit.database import read_scope, session_scope
from rapport.loyalty.points import repository, service, store, tasks
from rapport.loyalty.points.models import Lot, Membership, TierChange, Transaction
from rapport.loyalty.points.purse import Credit, Entry
from tests.loyalty.points.conftest import NOW

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def _earn(session: Session, customer_id: int, points: int, key: str, **named: object) -> None:
    named = {"reason": "gift", "at": NOW, **named}
    service.earn(session, customer_id, points, key=key, **named)  # type: ignore[arg-type]


def test_batches_are_committed_one_by_one(
    engine: Engine, people: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "BATCH", 4)
    with session_scope(engine) as session:
        for number in range(10):
            _earn(session, people[number % 3], 5, f"e{number}", expires_at=NOW + (number + 1) * HOUR)
            _earn(
                session, people[number % 3], 3, f"p{number}", matures_at=NOW + DAY, expires_at=NOW + 2 * DAY
            )
    commits: list[int] = []
    with session_scope(engine) as session:
        monkeypatch.setattr(session, "commit", lambda: (commits.append(1), Session.commit(session)))
        done = tasks.run(session, NOW + DAY)
        assert done == {"matured": 10, "matured_points": 30, "expired": 10, "expired_points": 50}
        assert len(commits) == 3  # 4, 4 and 2 that mature; what had ended ends on the way
        assert not +tasks.run(session, NOW + DAY)
        assert tasks.run(session, NOW + 2 * DAY)["expired_points"] == 30
        assert tasks.check(session) == []


def test_whom_somebody_else_works_on_waits(postgres_engine: Engine) -> None:
    with session_scope(postgres_engine) as session:
        customers = [Customer(name="a"), Customer(name="b")]
        session.add_all(customers)
        session.flush()
        first, second = (customer.id for customer in customers)
        for customer_id in (first, second):
            _earn(session, customer_id, 5, f"e{customer_id}", expires_at=NOW + DAY)
    with session_scope(postgres_engine) as other:
        service.burn(other, first, 1, key="b", reason="gift", at=NOW)
        with session_scope(postgres_engine) as session:
            assert tasks.run(session, NOW + DAY)["expired_points"] == 5  # of the second alone
    with session_scope(postgres_engine) as session:
        assert tasks.run(session, NOW + DAY)["expired_points"] == 4
        assert tasks.check(session) == []


def test_maturing_comes_before_ending(engine: Engine, people: list[int]) -> None:
    """A debt is repaid by points that nobody could spend any more: they were earned all the same."""
    with session_scope(engine) as session:
        _earn(session, people[0], 10, "e")
        service.burn(session, people[0], 10, key="b", reason="gift", at=NOW)
        service.reverse(session, "e", key="r", at=NOW)
        _earn(session, people[0], 25, "p", matures_at=NOW + DAY, expires_at=NOW + 2 * DAY)
    with session_scope(engine) as session:
        done = tasks.run(session, NOW + 3 * DAY)
        assert (done["matured_points"], done["expired_points"]) == (25, 15)
        one = service.statement(session, people[0], NOW + 3 * DAY)
        assert (one.available, one.debt) == (0, 0)
        assert tasks.check(session) == []


def test_levels_rise_with_points_and_sink_with_time(engine: Engine, people: list[int]) -> None:
    one = people[0]
    with session_scope(engine) as session:
        _earn(session, one, 500, "a")
        _earn(session, one, 1000, "b", at=NOW + 10 * DAY)
        _earn(session, one, 5, "c", at=NOW + 20 * DAY)
        service.reverse(session, "c", key="rc", at=NOW + 20 * DAY)
    for days, changes in ((364, 0), (365, 1), (374, 0), (375, 1), (800, 0)):
        with session_scope(engine) as session:
            assert tasks.run(session, NOW + days * DAY)["tiers"] == changes
    with read_scope(engine) as session:
        history = session.execute(
            select(TierChange.tier, TierChange.window_points, TierChange.at).order_by(TierChange.id)
        ).all()
        assert [tuple(row) for row in history] == [
            ("ridge", 500, NOW),
            ("summit", 1500, NOW + 10 * DAY),
            ("ridge", 1000, NOW + 365 * DAY),
            ("trail", 0, NOW + 375 * DAY),
        ]
        assert session.scalars(select(Membership.tier)).all() == ["trail"]
        assert service.tier(session, one, NOW + 11 * DAY).key == "summit"


def test_what_the_shop_owes(engine: Engine, people: list[int]) -> None:
    with session_scope(engine) as session:
        _earn(session, people[0], 100, "a")
        _earn(session, people[1], 50, "b")
        _earn(session, people[1], 7, "c", matures_at=NOW + DAY)
        service.hold(session, people[0], 30, key="h", until=NOW + DAY, at=NOW)
        service.burn(session, people[1], 50, key="s", reason="gift", at=NOW)
        service.reverse(session, "b", key="r", at=NOW)
        owed = service.liability(session)
    assert owed == service.Liability(
        points=70, held=30, pending=7, debt=50, value_minor=2000, held_minor=600, pending_minor=140
    )


def test_the_history_tells_what_happened(engine: Engine, people: list[int]) -> None:
    with session_scope(engine) as session:
        _earn(session, people[0], 100, "a")
        service.hold(session, people[0], 30, key="h", until=NOW + DAY, at=NOW)
        service.capture(session, "h", key="c", at=NOW)
        _earn(session, people[1], 5, "b")
        lines = service.history(session, people[0])
        assert [(line.kind, line.key, line.balance, line.changes) for line in lines] == [
            ("capture", "c", 70, {"held": -30}),
            ("hold", "h", 70, {"points": -30, "held": 30}),
            ("earn", "a", 100, {"points": 100}),
        ]
        assert [line.key for line in service.history(session, people[0], limit=1)] == ["c"]


# What breaks an invariant, and what the check says of it. The triggers are off: somebody went around them.
DAMAGE = {
    "UPDATE posting SET points = points + 1 WHERE id = (SELECT min(id) FROM posting)": "add up to 0",
    'DELETE FROM posting WHERE transaction_id = (SELECT min(id) FROM "transaction")': "add up to 0",
    "UPDATE account SET balance = balance + 1 WHERE kind = 'points'": "balance is not the sum of its post",
    "UPDATE lot SET remaining = remaining - 1 WHERE remaining > 0": "what its lots hold",
    "UPDATE lot_movement SET points = points - 1 WHERE points < 0": "not the sum of its movements",
    "UPDATE earning SET taken_back = 1": "what was taken back",
    "UPDATE spending SET restored = 1": "what came back",
    "UPDATE spending SET points = points + 1": "its lots gave",
    "UPDATE spending SET status = 'held'": "held points are not",
    "UPDATE earning SET matured_at = NULL": "pending points are not",
    "UPDATE membership SET merged_into_id = customer_id": "was merged",
    "UPDATE lot SET expired_at = '2026-01-01 00:00:00+00'": "has ended",
}


def test_the_check_notices(engine: Engine, people: list[int]) -> None:
    with session_scope(engine) as session:
        _earn(session, people[0], 100, "a")
        service.burn(session, people[0], 30, key="s", reason="gift", at=NOW)
        assert tasks.check(session) == []
    for damage, said in DAMAGE.items():
        with session_scope(engine) as session:
            _without_triggers(session)
            session.execute(text(damage))
            assert any(said in line for line in tasks.check(session)), (damage, tasks.check(session))
            session.rollback()


def _without_triggers(session: Session) -> None:
    if session.get_bind().dialect.name == "sqlite":
        triggers = text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for name in session.scalars(triggers).all():
            session.execute(text(f"DROP TRIGGER {name}"))
    else:
        session.execute(text("SET LOCAL session_replication_role = replica"))


def test_many_lots_in_small_steps(sqlite_engine: Engine) -> None:
    count = 2_000
    with session_scope(sqlite_engine) as session:
        session.execute(Customer.__table__.insert(), [{"stage": "know", "created_at": NOW}] * count)
        ids = list(session.scalars(select(Customer.id)))
        purses = repository.purses(session, ids)
        pairs = []
        for purse in purses.values():
            entry = Entry(f"e{purse.customer_id}", "earn", NOW, 5)
            purse.earn(entry, Credit(5, NOW, matured_at=NOW, expires_at=NOW + DAY))
            pairs.append((purse, entry))
        store.write(session, pairs)
    with session_scope(sqlite_engine) as session:
        steps = list(tasks.steps(session, NOW + DAY))
        assert len(steps) >= count / tasks.BATCH
        assert sum(step["expired"] for step in steps) == count
        assert all(step["expired"] <= tasks.BATCH for step in steps)
        assert session.scalar(select(func.sum(Lot.remaining))) == 0
        assert session.scalar(select(func.count()).where(Transaction.kind == "expire")) == count
        assert tasks.check(session) == []
