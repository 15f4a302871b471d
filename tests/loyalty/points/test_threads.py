"""Everything at once from eight threads, on both databases: nothing is lost, doubled or below zero."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from itertools import count
from random import Random

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import ConflictError, NotFoundError
from rapport.loyalty.points import repository, service, tasks
from rapport.loyalty.points.models import Spending, Transaction
from rapport.shop.models import Order, Refund
from tests.loyalty.points.conftest import NOW
from tests.loyalty.threads import at_once

DAY = timedelta(days=1)
# How long at least, and at most if not all has been done by then.
SECONDS, LONGEST = 2.5, 20.0


def _orders(session: Session, people: list[int]) -> list[int]:
    orders = [
        Order(
            source="t",
            number=f"{customer_id}-{number}",
            customer_id=customer_id,
            status="paid",
            currency="NOK",
            total_minor=40_000,
            placed_at=NOW - number * 10 * DAY,
        )
        for customer_id in people
        for number in range(6)
    ]
    session.add_all(orders)
    session.flush()
    return [order.id for order in orders]


@pytest.mark.parametrize("seed", [1, 2])
def test_eight_threads_do_everything_at_once(engine: Engine, people: list[int], seed: int) -> None:
    with session_scope(engine) as session:
        orders = _orders(session, people)
    numbers, threads = count(), count()
    done: list[str] = []

    def one_of(random: Random) -> None:
        key, at = f"k{next(numbers)}", NOW + random.randrange(40) * DAY
        person, order_id = random.choice(people), random.choice(orders)
        what = random.choice(
            ["earn", "pend", "burn", "hold", "capture", "release", "reverse", "order", "refund", "tasks"]
        )
        with session_scope(engine) as session:
            if what == "earn":
                service.earn(session, person, 20, key=key, reason="gift", expires_at=at + DAY, at=at)
            elif what == "pend":
                service.earn(session, person, 20, key=key, reason="gift", matures_at=at + DAY, at=at)
            elif what == "burn":
                service.burn(session, person, 15, key=key, reason="order", order_id=order_id, at=at)
            elif what == "hold":
                service.hold(session, person, 10, key=f"h{random.randrange(40)}", until=at + DAY, at=at)
            elif what == "capture":
                service.capture(session, f"h{random.randrange(40)}", key=key, order_id=order_id, at=NOW)
            elif what == "release":
                service.release(session, f"h{random.randrange(40)}", key=key, at=at)
            elif what == "reverse":
                service.reverse(session, f"k{random.randrange(200)}", key=key, at=at)
            elif what == "order":
                order = session.get(Order, order_id)
                assert order is not None
                service.earn_for_order(session, order)
            elif what == "refund":
                refund = Refund(
                    order_id=order_id, source="t", reference=key, amount_minor=9_000, currency="NOK", at=at
                )
                session.add(refund)
                service.reverse_for_refund(session, refund)
            else:
                tasks.run(session, at)
        done.append(what)

    def work() -> None:
        random = Random(seed * 100 + next(threads))
        start = time.monotonic()
        while (past := time.monotonic() - start) < SECONDS or (len(set(done)) < 9 and past < LONGEST):
            try:
                one_of(random)
            except (ConflictError, NotFoundError):
                continue

    at_once(8, work)
    assert len(set(done)) >= 9, done
    with session_scope(engine) as session:
        assert tasks.check(session) == []
        tasks.run(session, NOW + 900 * DAY)
        assert not +tasks.run(session, NOW + 900 * DAY)
        assert tasks.check(session) == []
        # After so long everything has ended: what is left is owed or gone.
        owed = service.liability(session)
        assert (owed.points, owed.held, owed.pending) == (0, 0, 0)


def test_the_last_points_are_spent_once(engine: Engine, people: list[int]) -> None:
    with session_scope(engine) as session:
        service.earn(session, people[0], 30, key="e", reason="gift", at=NOW)
    numbers = count()

    def spend() -> bool:
        number = next(numbers)
        with session_scope(engine) as session:
            try:
                if number % 2:
                    service.burn(session, people[0], 10, key=f"b{number}", reason="gift", at=NOW)
                else:
                    service.hold(session, people[0], 10, key=f"b{number}", until=NOW + DAY, at=NOW)
            except service.NotEnoughPointsError:
                return False
        return True

    assert sum(at_once(8, spend)) == 3
    with read_scope(engine) as session:
        assert tasks.check(session) == []
        assert service.statement(session, people[0], NOW).available == 0


@pytest.mark.parametrize("what", ["mature", "release", "expire"])
def test_tasks_in_eight_processes_do_each_thing_once(engine: Engine, people: list[int], what: str) -> None:
    with session_scope(engine) as session:
        for number in range(60):
            service.earn(
                session,
                people[number % 3],
                5,
                key=f"e{number}",
                reason="gift",
                matures_at=NOW + DAY if what == "mature" else None,
                expires_at=NOW + DAY if what == "expire" else None,
                at=NOW,
            )
            if what == "release":
                service.hold(session, people[number % 3], 5, key=f"h{number}", until=NOW + DAY, at=NOW)

    def run() -> int:
        with session_scope(engine) as session:
            done = tasks.run(session, NOW + DAY)
            return done["matured"] + done["released"] + done["expired"]

    counts = at_once(8, run)
    with session_scope(engine) as session:
        # Whoever found a customer locked left them to the one who held the lock.
        assert sum(counts) == 60
        assert not +tasks.run(session, NOW + DAY)
        assert tasks.check(session) == []
        points = session.scalar(
            select(func.sum(Transaction.points)).where(Transaction.kind == what, Transaction.points > 0)
        )
        assert points == 300


def test_capture_and_release_at_once(engine: Engine, people: list[int]) -> None:
    with session_scope(engine) as session:
        service.earn(session, people[0], 80, key="e", reason="gift", at=NOW)
        for number in range(8):
            service.hold(session, people[0], 10, key=f"h{number}", until=NOW + DAY, at=NOW)
    numbers = count()

    def end() -> list[str]:
        mine, won = next(numbers), []
        for hold in range(8):
            try:
                with session_scope(engine) as session:
                    undo = service.capture if mine % 2 else service.release
                    if not undo(session, f"h{hold}", key=f"x{mine}-{hold}", at=NOW).repeated:
                        won.append(f"h{hold}")
            except ConflictError:
                pass
        return won

    winners = [hold for won in at_once(8, end) for hold in won]
    assert sorted(winners) == [f"h{number}" for number in range(8)]
    with read_scope(engine) as session:
        assert tasks.check(session) == []
        assert session.scalar(select(func.count()).where(Spending.status == "held")) == 0


def test_merging_while_points_move(engine: Engine, people: list[int]) -> None:
    kari, ola, _ = people
    with session_scope(engine) as session:
        service.earn(session, kari, 100, key="e", reason="gift", at=NOW)
    numbers = count()

    def work() -> int:
        number = next(numbers)
        with session_scope(engine) as session:
            if number == 3:
                service.merge(session, kari, ola, key="m")
                return 0
            return service.earn(session, kari, 1, key=f"k{number}", reason="gift", at=NOW).points

    assert sum(at_once(8, work)) == 7
    with read_scope(engine) as session:
        assert tasks.check(session) == []
        assert repository.spendable(session, ola, NOW) == 107
        assert repository.spendable(session, kari, NOW) == 0


def test_who_pays_on_an_order_while_it_is_paid_back_pays_afterwards(
    engine: Engine, people: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kari, ola, _ = people
    with session_scope(engine) as session:
        order_id = _orders(session, [kari])[0]
        service.earn(session, kari, 100, key="e1", reason="gift", at=NOW)
        service.earn(session, ola, 100, key="e2", reason="gift", at=NOW)
        service.burn(session, kari, 50, key="b1", reason="order", order_id=order_id, at=NOW)
    look = repository.spendings_on

    def and_somebody_pays(session: Session, order: int) -> list[repository.Spent]:
        found = look(session, order)
        # As it is read on PostgreSQL when another transaction has just ended.
        return [*found, replace(found[0], id=0, customer_id=ola)]

    monkeypatch.setattr(repository, "spendings_on", and_somebody_pays)
    with session_scope(engine) as session:
        refund = Refund(
            order_id=order_id, source="t", reference="r", amount_minor=40_000, currency="NOK", at=NOW
        )
        session.add(refund)
        service.reverse_for_refund(session, refund)
    with read_scope(engine) as session:
        assert repository.spendable(session, kari, NOW) == 100
        assert repository.spendable(session, ola, NOW) == 100
        assert tasks.check(session) == []
