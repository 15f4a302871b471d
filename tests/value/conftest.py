"""Shops to be valued: by hand, simulated, and the published CDNOW data."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from rapport.customers.models import Customer
from rapport.shop.models import Order, OrderItem, Refund
from rapport.value.worth import Purchases

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
Floats = NDArray[np.float64]
_numbers = count(1)


@pytest.fixture(scope="session")
def lifetimes() -> ModuleType:
    """The reference library; only its import warns, of what it uses of pandas."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lifetimes
    return lifetimes


def _folder() -> Path:
    found = find_spec("lifetimes")
    assert found and found.origin
    return Path(found.origin).parent / "datasets"


@dataclass(frozen=True)
class Cdnow:
    """2,357 customers of 39 weeks: repeat purchases, their recency and age in weeks, mean repeat value."""

    x: Floats
    t_x: Floats
    age: Floats
    value: Floats


@pytest.fixture(scope="session")
def cdnow() -> Cdnow:
    """The tenth of the CDNOW customers that the papers work on."""
    with (_folder() / "cdnow_customers_summary_with_transactions.csv").open(encoding="utf-8") as file:
        rows = np.array([[float(value) for value in row[1:5]] for row in list(csv.reader(file))[1:]])
    return Cdnow(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3])


@pytest.fixture(scope="session")
def cdnow_file() -> Path:
    """Their orders of 78 weeks, in the format the data came in."""
    return _folder() / "CDNOW_sample.txt"


@dataclass(frozen=True)
class Simulated:
    """A shop made by the models themselves: what was seen by `as_of_day`, and what came after it."""

    people: Purchases
    as_of_day: int
    later_orders: NDArray[np.int64]
    later_value: Floats


def simulate(customers: int, seed: int, weeks: float = 100.0, later: float = 52.0) -> Simulated:
    """Customers who come over `weeks`, order at rates of their own, and leave after any order."""
    rng = np.random.default_rng(seed)
    rate, leaves = rng.gamma(0.6, 1 / 8, customers), rng.beta(0.8, 4, customers)
    spends, start = rng.gamma(4, 1 / 30_000, customers), rng.uniform(0, weeks - 1, customers)
    days, firsts, lasts, revenue = (np.zeros(customers, np.int64) for _ in range(4))
    later_orders, later_value = np.zeros(customers, np.int64), np.zeros(customers)
    for i in range(customers):
        at, seen, after = start[i], set[int](), set[int]()
        firsts[i] = int(at * 7)
        while at < weeks + later:
            value = rng.gamma(5, 1 / spends[i])
            if at < weeks:
                seen.add(int(at * 7))
                revenue[i] += int(value)
            else:
                after.add(int(at * 7))
                later_value[i] += value
            if rng.random() < leaves[i]:
                break
            at += rng.exponential(1 / rate[i])
        days[i], lasts[i], later_orders[i] = len(seen), max(seen), len(after)
    return Simulated(Purchases(days, firsts, lasts, revenue), int(weeks * 7), later_orders, later_value)


Place = Callable[..., Order]


@pytest.fixture
def place(session: Session) -> Place:
    """Stores an order of one line: `place(customer, at, total, …)`."""

    def store(
        customer: Customer | None,
        at: datetime,
        total: int = 10_000,
        *,
        back: int = 0,
        status: str = "delivered",
        currency: str = "NOK",
        product_id: int | None = None,
    ) -> Order:
        number = next(_numbers)
        order = Order(
            source="test",
            number=f"T-{number}",
            customer_id=customer.id if customer else None,
            status=status,
            currency=currency,
            total_minor=total,
            placed_at=at,
            items=[
                OrderItem(line=1, sku="S", quantity=1, unit_price_minor=total, product_id=product_id),
            ],
        )
        if back:
            order.refunds = [
                Refund(source="test", reference=f"R-{number}", amount_minor=back, currency=currency, at=at)
            ]
        session.add(order)
        session.flush()
        return order

    return store


@pytest.fixture
def people(session: Session) -> list[Customer]:
    """Five customers without orders."""
    made = [Customer(name=f"Customer {i}") for i in range(5)]
    session.add_all(made)
    session.flush()
    return made
