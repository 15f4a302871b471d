"""Makes a shop's customers and orders and writes them into a database fast, for bench/value.py.

People come at any time of two years, order at rates of their own and may leave after any order, as the
BG/NBD model has it; what they spend follows the gamma-gamma model. Their times and amounts are the same for
the same seed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
from numpy.typing import NDArray
from sqlalchemy import Engine

END = datetime(2026, 11, 1, tzinfo=UTC)
WEEKS = 104.0
R, A, B = 0.8, 0.6, 8.0
P, Q, V = 4.0, 3.5, 40_000.0
PRODUCTS = 1_000
REFUNDED = 0.03
CHUNK = 200_000


@dataclass(frozen=True)
class Shop:
    """Orders sorted by time; `customer` counts from 1, `at` is in seconds before END, amounts are in øre."""

    customers: int
    customer: NDArray[np.int64]
    at: NDArray[np.int64]
    total: NDArray[np.int64]


def make(customers: int, orders: int, seed: int = 7) -> Shop:
    """A shop of so many customers and about so many orders."""
    rng = np.random.default_rng(seed)
    who, when = _purchases(rng, customers, _scale(orders / customers))
    value = rng.gamma(P, 1.0, len(who)) / rng.gamma(Q, 1 / V, customers)[who]
    order = np.argsort(when)
    seconds = ((WEEKS - when[order]) * 7 * 86400).astype(np.int64) + 1
    return Shop(customers, who[order] + 1, seconds, np.maximum(value[order], 100).astype(np.int64))


def _scale(wanted: float) -> float:
    """The alpha that makes so many orders per customer, found on a small shop."""
    low, high = 0.01, 1000.0
    for _ in range(25):
        middle = float(np.sqrt(low * high))
        who, _when = _purchases(np.random.default_rng(1), 10_000, middle)
        low, high = (middle, high) if len(who) / 10_000 > wanted else (low, middle)
    return low


def _purchases(
    rng: np.random.Generator, customers: int, alpha: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Who buys, and in which week."""
    rate, leaves = rng.gamma(R, 1 / alpha, customers), rng.beta(A, B, customers)
    who = np.arange(customers)
    at = rng.uniform(0, WEEKS, customers)
    everyone, times = [who], [at]
    while len(who):
        stays = rng.random(len(who)) >= leaves[who]
        who, at = who[stays], at[stays]
        at = at + rng.exponential(1 / np.maximum(rate[who], 1e-9))
        who, at = who[at < WEEKS], at[at < WEEKS]
        everyone.append(who)
        times.append(at)
    return np.concatenate(everyone), np.concatenate(times)


def _tables(shop: Shop) -> Iterator[tuple[str, str, Iterator[list[tuple[object, ...]]]]]:
    """(table, columns, chunks of rows) in the order they can be written."""
    long_ago = END - timedelta(weeks=WEEKS)
    yield (
        "customer",
        "id,name,language,stage,created_at",
        _chunks(shop.customers, lambda i: (i + 1, f"Customer {i + 1}", "nb", "trust", long_ago)),
    )
    yield (
        "identity",
        "customer_id,kind,value,mailbox",
        _chunks(shop.customers, lambda i: (i + 1, "email", *[f"c{i + 1}@example.com"] * 2)),
    )
    yield (
        "product",
        "id,sku,category,price_minor,currency,cost_minor",
        _chunks(
            PRODUCTS, lambda i: (i + 1, f"P-{i + 1}", "tents", 60_000, "NOK", 33_000 if i % 10 else None)
        ),
    )
    customer, at, total = shop.customer.tolist(), shop.at.tolist(), shop.total.tolist()
    yield (
        '"order"',
        "id,source,number,customer_id,status,currency,total_minor,placed_at",
        _chunks(
            len(customer),
            lambda i: (
                i + 1,
                "bench",
                f"B-{i + 1}",
                customer[i],
                "delivered",
                "NOK",
                total[i],
                END - timedelta(seconds=at[i]),
            ),
        ),
    )
    yield (
        "order_item",
        "order_id,line,product_id,sku,description,quantity,unit_price_minor",
        _chunks(
            len(customer),
            lambda i: (i + 1, 1, i * 7 % PRODUCTS + 1, f"P-{i * 7 % PRODUCTS + 1}", "", 1, total[i]),
        ),
    )
    back = (
        np.random.default_rng(3).choice(len(customer), int(len(customer) * REFUNDED), replace=False).tolist()
    )
    yield (
        "refund",
        "order_id,customer_id,source,reference,amount_minor,currency,at",
        _chunks(
            len(back),
            lambda i: (
                back[i] + 1,
                customer[back[i]],
                "bench",
                f"R-{back[i]}",
                total[back[i]] // (1 + i % 2),
                "NOK",
                END,
            ),
        ),
    )


def _chunks(count: int, row: object) -> Iterator[list[tuple[object, ...]]]:
    for start in range(0, count, CHUNK):
        yield [row(i) for i in range(start, min(start + CHUNK, count))]  # type: ignore[operator]


def load(shop: Shop, engine: Engine) -> None:
    """Write the shop into an empty, migrated database: COPY into PostgreSQL, executemany into SQLite.

    Indexes and constraints stay as the migrations made them.
    """
    raw = engine.raw_connection()
    try:
        connection = raw.driver_connection
        for table, columns, chunks in _tables(shop):
            for rows in chunks:
                if isinstance(connection, psycopg.Connection):
                    with (
                        connection.cursor() as cursor,
                        cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy,
                    ):
                        for row in rows:
                            copy.write_row(row)
                elif isinstance(connection, sqlite3.Connection):
                    marks = ",".join("?" * (columns.count(",") + 1))
                    connection.execute("BEGIN")
                    connection.executemany(
                        f"INSERT INTO {table} ({columns}) VALUES ({marks})",
                        ([_plain(value) for value in row] for row in rows),
                    )
                    connection.execute("COMMIT")
            if isinstance(connection, psycopg.Connection):
                connection.commit()
        if isinstance(connection, psycopg.Connection):
            for table in ("customer", "product", '"order"'):
                sequence = f"pg_get_serial_sequence('{table}', 'id')"
                connection.execute(f"SELECT setval({sequence}, (SELECT max(id) FROM {table}))")
            connection.commit()
            connection.autocommit = True
            connection.execute("VACUUM ANALYZE")
            connection.autocommit = False
        elif isinstance(connection, sqlite3.Connection):
            connection.execute("ANALYZE")
    finally:
        raw.close()


def _plain(value: object) -> object:
    """As SQLAlchemy stores it in SQLite."""
    return value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value
