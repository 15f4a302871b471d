"""Values in the database: one customer's and all, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Thread
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, event, func, select, text, update
from sqlalchemy.orm import Session

from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.shop.models import Order, OrderItem, Product, Refund
from rapport.value import counting, reporting, repository, rules, service, tasks, valuation
from rapport.value.counting import TOTALS, Currency
from rapport.value.models import CustomerValue, ModelRun, RfmCut
from tests.loyalty.threads import at_once
from tests.value.conftest import NOW, Place

MONEY = Currency("NOK", 7200)
COLUMNS = [
    column.key for column in CustomerValue.__table__.columns if column.key not in ("version", "computed_at")
]


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def values(session: Session, customer_id: int) -> dict[str, Any]:
    session.expire_all()
    found = session.get_one(CustomerValue, customer_id)
    return {column: getattr(found, column) for column in COLUMNS}


@pytest.fixture(autouse=True)
def _now() -> Any:
    with clock.freeze(NOW):
        yield


def product(session: Session, cost: int | None) -> int:
    made = Product(sku=f"P-{cost}", price_minor=100, currency="NOK", cost_minor=cost)
    session.add(made)
    session.flush()
    return made.id


def test_what_is_counted(session: Session, people: list[Customer], place: Place) -> None:
    kari = people[0]
    known, unknown = product(session, 4_000), product(session, None)
    place(kari, days_ago(100), 10_000, product_id=known)
    place(kari, days_ago(100) + timedelta(minutes=5), 5_000, product_id=unknown)
    place(kari, days_ago(20), 10_000, back=2_500, product_id=known)
    place(kari, days_ago(10), 10_000, back=10_000, product_id=known)
    place(kari, days_ago(9), 10_000, status="cancelled")
    place(kari, days_ago(8), 10_000, status="refunded")
    place(kari, days_ago(7), 10_000, currency="EUR")
    place(kari, days_ago(5), 0)
    place(people[1], days_ago(1), 77_000)
    session.add(
        Refund(
            source="test", reference="loose", customer_id=kari.id, amount_minor=500, currency="NOK", at=NOW
        )
    )
    service.update_after_order(session, kari.id)
    standing = service.standing(session, kari.id)
    assert standing is not None
    assert (standing.orders, standing.revenue_minor) == (4, 10_000 + 5_000 + 7_500 - 500)
    assert (standing.first_order_at, standing.last_order_at) == (days_ago(100), days_ago(5))
    found = values(session, kari.id)
    assert found["buying_days"] == 3
    assert found["costed_minor"] == 10_000 + 7_500
    assert found["margin_minor"] == 6_000 + 4_500
    assert (standing.segment, standing.clv_minor, standing.method) == (None, None, None)


def test_margin_is_of_what_was_paid(
    session: Session, engine: Engine, people: list[Customer], place: Place
) -> None:
    """The order's discount lessens what its lines brought, not what they cost; sending is no discount."""
    known, unknown = product(session, 40_000), product(session, None)
    half = place(people[0], days_ago(10), 50_000, product_id=known)
    half.items[0].unit_price_minor = 100_000
    sent = place(people[1], days_ago(10), 109_900, product_id=known)
    sent.items[0].unit_price_minor = 100_000
    mixed = place(people[2], days_ago(10), 75_000, back=25_000, product_id=known)
    mixed.items[0].unit_price_minor = 100_000
    mixed.items.append(OrderItem(line=2, sku="U", quantity=2, unit_price_minor=25_000, product_id=unknown))
    free = place(people[3], days_ago(10), 0, product_id=known)
    free.items[0].unit_price_minor = 100_000
    expected = {
        people[0].id: (50_000, 10_000),
        people[1].id: (100_000, 60_000),
        people[2].id: (33_333, 33_333 - 26_666),
        people[3].id: (0, -40_000),
    }
    for person in people[:4]:
        service.update_after_order(session, person.id)
    alone = all_values(session)
    session.commit()
    service.recompute(engine)
    for found in (alone, all_values(session)):
        assert {
            key: (row["costed_minor"], row["margin_minor"]) for key, row in found.items()
        } == expected  # fmt: skip


def test_what_does_not_fit_into_32_bits(
    session: Session, engine: Engine, people: list[Customer], place: Place
) -> None:
    """The largest line a shop can send, paid back in part; one such order must not end everybody's night."""
    cost = 2_147_483_646
    order = place(people[0], days_ago(10), 2_147_483_647, back=1_000, product_id=product(session, cost))
    order.items[0].quantity, order.items[0].unit_price_minor = 100_000, 2_147_483_647
    session.flush()
    service.update_after_order(session, people[0].id)
    alone = all_values(session)[people[0].id]
    session.commit()
    service.recompute(engine)
    for found in (alone, all_values(session)[people[0].id]):
        assert found["costed_minor"] == pytest.approx(2_147_483_647 - 1_000, abs=1)
        left = 100_000 * cost * (2_147_483_647 - 1_000) // 2_147_483_647
        assert found["margin_minor"] == pytest.approx(found["costed_minor"] - left, rel=1e-12)


def test_the_day_is_the_shops(session: Session, people: list[Customer], place: Place) -> None:
    """23:30 and 00:30 in Oslo (summer) are two days, though one day of UTC."""
    for at in (datetime(2026, 6, 1, 21, 30, tzinfo=UTC), datetime(2026, 6, 1, 22, 30, tzinfo=UTC)):
        place(people[0], at)
    service.update_after_order(session, people[0].id)
    assert values(session, people[0].id)["buying_days"] == 2


def test_who_is_not_there_or_never_ordered(session: Session, people: list[Customer]) -> None:
    assert service.standing(session, 4711) is None
    service.update_after_order(session, 4711)
    service.update_after_order(session, people[0].id)
    standing = service.standing(session, people[0].id)
    assert standing is not None
    assert (standing.stage, standing.orders, standing.segment, standing.clv_minor) == ("know", 0, None, None)
    assert session.scalar(select(func.count()).select_from(CustomerValue)) == 0


def test_the_stage_follows_the_orders(session: Session, people: list[Customer], place: Place) -> None:
    kari = people[0]
    order = place(kari, days_ago(3))
    service.update_after_order(session, kari.id)
    assert (service.standing(session, kari.id) or pytest.fail()).stage == "trust"
    order.status = "cancelled"
    service.update_after_order(session, kari.id)
    standing = service.standing(session, kari.id)
    assert standing is not None
    assert (standing.stage, standing.orders, standing.last_order_at) == ("interest", 0, None)


def fill(engine: Engine, customers: int = 160, seed: int = 3) -> None:
    """A shop large enough for the models."""
    random = Random(seed)
    with session_scope(engine) as session:
        known = product(session, 4_000)
        people = [Customer(name=f"C{i}", created_at=days_ago(700)) for i in range(customers)]
        session.add_all(people)
        session.flush()
        for number, person in enumerate(people):
            at, rate = random.uniform(1, 700), random.gammavariate(0.8, 1 / 40)
            spends, leaves, count = random.lognormvariate(10, 0.7), random.betavariate(1, 4), 0
            while at > 0:
                total = int(spends * random.gammavariate(5, 0.2))
                order = Order(
                    source="fill", number=f"{number}-{count}", customer_id=person.id, status="delivered",
                    currency="NOK", total_minor=total, placed_at=days_ago(at),
                    items=[OrderItem(line=1, product_id=known, sku="S", quantity=1, unit_price_minor=total)],
                )  # fmt: skip
                if random.random() < 0.1:
                    order.refunds = [
                        Refund(
                            source="fill", reference=f"{number}-{count}", currency="NOK", at=NOW,
                            amount_minor=int(total * random.choice([0.5, 1])),
                        )
                    ]  # fmt: skip
                session.add(order)
                count += 1
                if random.random() < leaves:
                    break
                at -= random.expovariate(rate)


def all_values(session: Session) -> dict[int, dict[str, Any]]:
    session.expire_all()
    return {
        one.customer_id: {column: getattr(one, column) for column in COLUMNS}
        for one in session.scalars(select(CustomerValue))
    }


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    return all(
        left[key] == (pytest.approx(right[key], rel=1e-9) if isinstance(right[key], float) else right[key])
        for key in left
    )


def test_a_run_by_models_agrees_with_each_customer_alone(engine: Engine) -> None:
    fill(engine)
    told: list[str] = []
    run = service.recompute(engine, lambda what, done, total: told.append(what))
    assert run.method == "model", run.reason
    assert (run.live, run.as_of) == (True, NOW)
    assert run.margin_share is not None and run.margin_share < 1
    assert {"Counting orders", "Reading customers", "Fitting", "Valuing customers"} <= set(told)
    with session_scope(engine) as session:
        before = all_values(session)
        assert len(before) == run.customers
        for customer_id in before:
            service.update_after_order(session, customer_id)
        after = all_values(session)
        assert all(same(before[key], after[key]) for key in before)
        standing = service.standing(session, min(before))
        assert standing is not None
        assert standing.method == "model"
        assert standing.clv_low_minor is not None
        assert standing.clv_low_minor <= (standing.clv_minor or 0) <= (standing.clv_high_minor or 0)


def test_again_changes_nothing_but_the_run(engine: Engine) -> None:
    fill(engine, 40)
    first = service.recompute(engine)
    with read_scope(engine) as session:
        before = all_values(session)
    second = service.recompute(engine)
    assert second.id > first.id
    with read_scope(engine) as session:
        after = all_values(session)
    for row in (*before.values(), *after.values()):
        row.pop("run_id")
    assert before == after


def test_a_tiny_shop_is_valued_by_rules_and_says_why(engine: Engine) -> None:
    fill(engine, 30)
    run = service.recompute(engine)
    assert run.method == "rules"
    assert "too few for a model" in run.reason
    with read_scope(engine) as session:
        assert {row["method"] for row in all_values(session).values()} == {"rules"}
        assert all(row["clv_minor"] is not None for row in all_values(session).values())


def test_the_nightly_task_and_what_the_newest_run_found(engine: Engine) -> None:
    fill(engine, 20)
    run = tasks.run(engine)
    assert str(run) == f"{run.customers} customers valued by rules"
    with read_scope(engine) as session:
        newest = service.newest_summary(session)
    assert newest is not None
    assert (newest.id, newest.reason, newest.left_out) == (run.id, run.reason, run.left_out)


def test_no_orders_at_all(engine: Engine) -> None:
    run = service.recompute(engine)
    assert (run.customers, run.orders, run.method, run.reason) == (0, 0, "rules", "Nobody has ordered yet.")


def test_the_first_order_ever_after_an_empty_run(
    engine: Engine, session: Session, people: list[Customer], place: Place
) -> None:
    """There is nobody to compare with before the next run; a score of 1 would call them lost."""
    service.value_all(session, NOW)
    place(people[0], days_ago(0), 9_000)
    service.update_after_order(session, people[0].id)
    standing = service.standing(session, people[0].id)
    assert standing is not None
    assert (standing.orders, standing.revenue_minor, standing.stage) == (1, 9_000, "trust")
    assert (standing.recency, standing.segment, standing.clv_minor) == (None, None, None)
    session.commit()
    service.recompute(engine)
    standing = service.standing(session, people[0].id)
    assert standing is not None
    assert (standing.recency, standing.monetary) == (3, 3)
    assert standing.segment != "lost"
    assert standing.clv_minor is not None


def test_the_first_order_ever_during_an_empty_run(
    engine: Engine, session: Session, people: list[Customer], place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.commit()
    add = repository.add_run

    def and_somebody_orders(other: Session, run: ModelRun, cuts: dict[str, list[int]]) -> None:
        add(other, run, cuts)
        monkeypatch.setattr(repository, "add_run", add)
        other.commit()
        place(people[0], days_ago(0))
        service.update_after_order(session, people[0].id)
        session.commit()

    monkeypatch.setattr(repository, "add_run", and_somebody_orders)
    assert service.recompute(engine).customers == 0
    assert values(session, people[0].id)["segment"] is None


@pytest.mark.parametrize(
    ("status", "orders"), [("placed", 0), ("paid", 1), ("shipped", 1), ("delivered", 1), ("cancelled", 0)]
)
def test_an_order_counts_when_it_was_paid(
    engine: Engine, session: Session, people: list[Customer], place: Place, status: str, orders: int
) -> None:
    place(people[0], days_ago(1), status=status)
    service.update_after_order(session, people[0].id)
    standing = service.standing(session, people[0].id)
    assert standing is not None
    assert (standing.orders, standing.stage) == (orders, "trust" if orders else "know")
    session.commit()
    assert service.recompute(engine).orders == orders


def test_cuts_in_sql_are_those_of_the_rules(engine: Engine) -> None:
    fill(engine, 90, seed=5)
    with read_scope(engine) as session:
        counting.count_rfm(session, MONEY)
        cuts = counting.cut_points(session)
        rows = session.execute(
            select(counting.RFM.c.last_day, counting.RFM.c.orders, counting.RFM.c.revenue_minor)
        ).all()
    for measure, column in zip(rules.MEASURES, zip(*rows, strict=True), strict=True):
        assert cuts[measure] == rules.cut_points(Counter(column).items(), rules.FLOORS.get(measure))


def test_what_could_not_be_counted_is_told(
    engine: Engine, session: Session, people: list[Customer], place: Place
) -> None:
    place(people[0], days_ago(3))
    place(people[1], days_ago(3), 0)
    for _ in range(2):
        place(people[0], days_ago(2), currency="EUR")
    place(None, days_ago(2))
    place(people[0], days_ago(1), status="cancelled")
    place(people[0], days_ago(1), status="placed")
    session.commit()
    run = service.recompute(engine)
    assert run.left_out == {
        "other_currencies": {"EUR": 2},
        "orders_of_nobody": 1,
        "orders_cancelled_or_refunded": 1,
        "orders_not_paid": 1,
        "customers_without_value": 1,
    }
    assert run.margin_share is None


def test_old_data_is_looked_at_as_of_its_end(
    engine: Engine, session: Session, people: list[Customer], place: Place
) -> None:
    for days in (2_000, 1_990):
        place(people[0], days_ago(days))
    session.commit()
    run = service.recompute(engine)
    assert (run.live, run.as_of) == (False, days_ago(1_990))
    before = values(session, people[0].id)
    assert before["p_buy"] > 0.1
    session.commit()
    service.update_after_order(session, people[0].id)
    assert values(session, people[0].id) == before


def test_customers_whose_orders_are_gone_are_not_left_as_they_were(engine: Engine) -> None:
    fill(engine, 20)
    service.recompute(engine)
    with session_scope(engine) as session:
        gone = session.scalars(select(CustomerValue.customer_id).limit(1)).one()
        session.execute(update(Order).where(Order.customer_id == gone).values(status="cancelled"))
    service.recompute(engine)
    with read_scope(engine) as session:
        assert values(session, gone)["orders"] == 0
        assert values(session, gone)["segment"] is None


@pytest.mark.parametrize(
    ("module", "step"),
    [(counting, "cut_points"), (counting, "count_rest"), (counting, "counted_rows"), (reporting, "left_out")],
)
def test_an_order_during_a_run_is_not_written_over(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str
) -> None:
    """Whichever of the run's statements it comes before or after."""
    fill(engine, 30)
    service.recompute(engine)
    with read_scope(engine) as session:
        customer_id, before = session.execute(
            select(CustomerValue.customer_id, CustomerValue.orders)
        ).first() or (0, 0)
    look = getattr(module, step)

    def and_somebody_orders(*args: Any) -> Any:
        result = look(*args) if step == "left_out" else None

        def order() -> None:
            with session_scope(engine) as other:
                other.add(
                    Order(
                        source="late", number="1", customer_id=customer_id, status="paid", currency="NOK",
                        total_minor=9_900, placed_at=NOW,
                    )
                )  # fmt: skip
                service.update_after_order(other, customer_id)

        thread = Thread(target=order)
        thread.start()
        thread.join(10)
        assert not thread.is_alive(), "the run keeps others from writing"
        return result or look(*args)

    monkeypatch.setattr(module, step, and_somebody_orders)
    run = service.recompute(engine)
    with read_scope(engine) as session:
        found = values(session, customer_id)
    assert (found["orders"], found["run_id"]) == (before + 1, run.id)


def test_writing_goes_in_short_transactions(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(engine, 30)
    monkeypatch.setattr(valuation, "BATCH", 7)
    sizes: list[int] = []
    write = repository.write_values
    monkeypatch.setattr(
        repository, "write_values", lambda session, rows: (sizes.append(len(rows)), write(session, rows))[1]
    )
    commits: list[int] = []
    event.listen(engine, "commit", lambda _connection: commits.append(1))
    run = service.recompute(engine)
    assert max(sizes) == 7
    assert sum(sizes) == run.customers
    assert len(commits) >= len(sizes)


def test_orders_of_one_customer_at_the_same_moment(engine: Engine) -> None:
    with session_scope(engine) as session:
        customer = Customer(name="Kari")
        session.add(customer)
        session.flush()
        customer_id = customer.id
    numbers = iter(range(100))

    def order() -> None:
        with session_scope(engine) as session:
            session.add(
                Order(
                    source="t", number=str(next(numbers)), customer_id=customer_id, status="paid",
                    currency="NOK", total_minor=1_000, placed_at=NOW,
                )
            )  # fmt: skip
            service.update_after_order(session, customer_id)

    at_once(8, order)
    with read_scope(engine) as session:
        found = values(session, customer_id)
    assert (found["orders"], found["revenue_minor"]) == (8, 8_000)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.integers(0, 2), st.integers(0, 400), st.integers(0, 5_000)),
        st.tuples(st.just("refund"), st.integers(0, 9), st.integers(1, 6_000), st.just(0)),
        st.tuples(st.just("loose refund"), st.integers(0, 2), st.integers(1, 6_000), st.just(0)),
        st.tuples(st.just("cancel"), st.integers(0, 9), st.just(0), st.just(0)),
    ),
    max_size=14,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_any_sequence_counted_one_by_one_is_what_a_run_counts(engine: Engine, taken: list[Any]) -> None:
    """Orders, refunds (linked or not) and cancellations in any order: incremental = full."""
    with session_scope(engine) as session:
        for table in (CustomerValue, RfmCut, ModelRun, Refund, OrderItem, Order, Customer, Product):
            session.execute(delete(table))
        products = [product(session, cost) for cost in (None, 30, 50)]
        people = [Customer(name=str(i)) for i in range(3)]
        session.add_all(people)
        session.flush()
        service.value_all(session, NOW)
        orders: list[Order] = []
        for number, (what, which, first, second) in enumerate(taken):
            if what == "order":
                order = Order(
                    source="t", number=str(number), customer_id=people[which].id, status="paid",
                    currency="NOK", total_minor=second, placed_at=days_ago(first),
                    items=[
                        OrderItem(
                            line=line, sku="S", quantity=4 - line, unit_price_minor=second // 3,
                            product_id=products[first % line],
                        )
                        for line in (1, 2, 3)
                    ],
                )  # fmt: skip
                session.add(order)
                orders.append(order)
                customer_id = people[which].id
            elif what == "loose refund":
                customer_id = people[which].id
                session.add(
                    Refund(
                        source="t", reference=str(number), customer_id=customer_id, amount_minor=first,
                        currency="NOK", at=NOW,
                    )
                )  # fmt: skip
            elif which < len(orders):
                session.flush()
                customer_id = orders[which].customer_id or 0
                if what == "cancel":
                    orders[which].status = "cancelled"
                else:
                    session.add(
                        Refund(
                            source="t", reference=str(number), order_id=orders[which].id, amount_minor=first,
                            currency="NOK", at=NOW,
                        )
                    )  # fmt: skip
            else:
                continue
            service.update_after_order(session, customer_id)
        one_by_one = all_values(session)
    service.recompute(engine)
    with read_scope(engine) as session:
        together = all_values(session)
    counted = list(TOTALS)
    assert {key: [row[name] for name in counted] for key, row in one_by_one.items() if row["orders"]} == {
        key: [row[name] for name in counted] for key, row in together.items() if row["orders"]
    }
    assert all(row["revenue_minor"] == 0 for row in one_by_one.values() if not row["orders"])


SCANS = ("Seq Scan", "SCAN ")
# Of what a subquery found: one customer's rows.
INNER = ("by_customer", "unlinked", "days", "margin", "ordered", "kept", "sums")


def plan(session: Session, statement: str, parameters: Any) -> str:
    explain = "EXPLAIN QUERY PLAN" if session.get_bind().dialect.name == "sqlite" else "EXPLAIN"
    rows = session.connection().exec_driver_sql(f"{explain} {statement}", parameters).all()
    return "\n".join(str(row[-1]) for row in rows)


def test_look_ups_and_the_update_of_one_customer_use_indexes(engine: Engine) -> None:
    """Every statement they send; on PostgreSQL with sequential scans made dear, as in a large shop."""
    fill(engine, 60)
    service.recompute(engine)
    sent: list[tuple[str, Any]] = []

    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        sent.append((statement, parameters))

    with session_scope(engine) as session:
        if engine.dialect.name == "postgresql":
            session.execute(text("ANALYZE"))
            session.execute(text("SET LOCAL enable_seqscan = off"))
        customer_id = session.scalars(select(CustomerValue.customer_id).limit(1)).one()
        event.listen(engine, "before_cursor_execute", listen)
        service.standing(session, customer_id)
        service.update_after_order(session, customer_id)
        event.remove(engine, "before_cursor_execute", listen)
        looked = [one for one in sent if one[0].lstrip().startswith(("SELECT", "WITH", "UPDATE", "INSERT"))]
        assert len(looked) >= 6
        for statement, parameters in looked:
            found = plan(session, statement, parameters)
            tables = [
                line for line in found.splitlines()
                if line.strip().lstrip("->").strip().startswith(SCANS)
                and not any(inner in line for inner in INNER)
            ]  # fmt: skip
            # The newest run is the first of its key, from behind: a scan of one row.
            tables = [line for line in tables if "model_run" not in line]
            assert tables == [], f"{statement}\n{found}"
