"""How long `rapport import orders` takes, and how much memory, on a file the size of a real shop's year.

    uv run python bench/import_orders.py [--rows 541909] [--shuffle] [--url postgresql+psycopg://…]

The file is made up but shaped like the real thing: 26,000 invoices of 4,000 products by 4,400 customers, a
quarter of the rows without one, cancellations, repeated rows, stock corrections. The bars: 90 s and 300 MB
for one run; the second run adds nothing. Without --url a fresh SQLite file is used; a database given must
be empty.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import resource
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

os.environ.setdefault("RAPPORT_SECRET_KEY", "bench-secret-key-0123456789-0123456789")
os.environ.setdefault("RAPPORT_BOT_SECRET", "bench-bot-secret-0123456789-0123456789")

from rapport import migrations
from rapport.connectors import importers
from rapport.kit.database import make_engine

HEADER = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
]
SECONDS, MEGABYTES = 90, 300
START = datetime(2010, 12, 1, 8)  # noqa: DTZ001  a file knows no zones


def write_file(path: Path, rows: int, shuffle: bool) -> None:
    """A made-up file of exactly `rows` rows."""
    rng = random.Random(7)
    products = [
        (
            f"{10_000 + number}{rng.choice(['', 'A', 'B'])}",
            f"PRODUCT {number} OF MANY COLOURS",
            rng.randrange(20, 2000) / 100,
        )
        for number in range(4_000)
    ]
    lines: list[list[str]] = []
    invoice, at = 536_365, START
    while len(lines) < rows:
        at += timedelta(minutes=rng.randrange(1, 40))
        invoice += 1
        size = rng.choice((1, 3, 8, 15, 20, 30, 60))
        customer = f"{rng.randrange(12_000, 16_400)}.0" if rng.random() < 0.75 else ""
        cancelled = rng.random() < 0.15
        number = f"C{invoice}" if cancelled else str(invoice)
        for _ in range(2 if cancelled else size):
            sku, name, price = rng.choice(products)
            quantity = rng.randrange(1, 24) * (-1 if cancelled else 1)
            if rng.random() < 0.005:
                name, price = "", 0.0
            lines.append(
                [number, sku, name, str(quantity), f"{at:%m/%d/%Y %H:%M}", str(price), customer, "Norway"]
            )
            if rng.random() < 0.01:
                lines.append(lines[-1])
    del lines[rows:]
    if shuffle:
        rng.shuffle(lines)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *lines])


def main() -> None:
    """Make the file in a process of its own, so that its memory does not count; import it twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=541_909)
    parser.add_argument("--shuffle", action="store_true", help="the rows of an invoice do not stand together")
    parser.add_argument("--url", help="an empty database")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.csv"
        child = os.fork()
        if child == 0:
            write_file(path, arguments.rows, arguments.shuffle)
            os._exit(0)
        os.waitpid(child, 0)
        engine = make_engine(arguments.url or f"sqlite:///{folder}/rapport.db")
        migrations.upgrade(engine)
        print(f"{arguments.rows:,} rows, {path.stat().st_size / 1e6:.0f} MB, {engine.dialect.name}")
        for attempt in ("first run", "again"):
            start = time.perf_counter()
            plan = importers.plan("orders", path, source="bench", currency="GBP")
            report = importers.run(plan, engine)
            seconds = time.perf_counter() - start
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"\n{attempt}: {seconds:.1f} s (bar {SECONDS}), peak {peak:.0f} MB (bar {MEGABYTES})")
            print("\n".join(report.lines()))


if __name__ == "__main__":
    main()
