"""Whatever is wrong with what was typed, or with the database, is one clear line."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from rapport.cli import main
from rapport.edits import source
from rapport.kit.database import get_engine
from rapport.kit.errors import RapportError
from rapport.kit.settings import Settings, get_settings
from tests.stack import free_port

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Runs a command as the installed program does; returns its exit code and all it said."""

    def command(*arguments: str, database: str | None = None) -> tuple[int, str]:
        if database is not None:
            monkeypatch.setenv("RAPPORT_DATABASE_URL", database)
        get_settings.cache_clear()
        get_engine.cache_clear()
        monkeypatch.setattr("sys.argv", ["rapport", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), " ".join((said.out + said.err).split())

    yield command
    source.follow(None)
    with suppress(RapportError):
        get_engine().dispose()
    get_engine.cache_clear()


def test_before_there_is_a_database_there_is_nothing_to_list(run: Run, tmp_path: Path) -> None:
    for name in ("log", "webhooks retry"):
        code, said = run(*name.split(), database=f"sqlite:///{tmp_path / name}.db")
        assert code == 0, said
        assert "No " in said


def test_a_database_that_cannot_be_used_is_told_in_a_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no database " * 100, encoding="utf-8")
    newer = tmp_path / "newer.db"
    with sqlite3.connect(newer) as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
    database.close()
    for url, expected in (
        (f"postgresql+psycopg://ann:hidden@127.0.0.1:{free_port()}/x", "does not answer"),
        (f"sqlite:///{tmp_path}", "does not answer: unable to open database file"),
        (f"sqlite:///{file}", "cannot be read: file is not a database"),
        (f"sqlite:///{newer}", "with a newer Rapport?"),
        (f"sqlite:///{file}/rapport.db", "RAPPORT_DATABASE_URL leads to no database"),
        ("rapport.db", "RAPPORT_DATABASE_URL leads to no database"),
        ("mysql://ann:hidden@127.0.0.1/x", "RAPPORT_DATABASE_URL leads to no database"),
    ):
        code, said = run("staff", "list", database=url)
        assert code == 1
        assert expected in said
        assert "hidden" not in said


def test_brackets_in_what_was_typed_are_told_as_they_are(run: Run) -> None:
    assert run("jobs", "run", "[/x]")[1].startswith("✗ There is no job '[/x]'.")
    assert run("staff", "role", "[red]ann", "admin")[1].startswith("✗ [red]ann has no account.")


def test_columns_of_a_file_may_be_called_anything(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "[x].csv"
    file.write_text("order,date,price,sku,[/x]\n1,2026-01-05,3.50,A1,2\n", encoding="utf-8")
    code, said = run("import", "orders", str(file), "--map", "quantity=[/x]", "--currency", "NOK")
    assert code == 0
    assert "[x].csv" in said and "[/x]" in said and "added 1 orders" in said


@pytest.mark.parametrize(
    "typed",
    [
        "log --days 99999999",
        "log -n 99999999999",
        "webhooks retry 99999999999",
        "customers undo-merge 99999999999",
        "journeys results welcome --days 99999999",
    ],
)
def test_numbers_that_are_too_large_are_refused(run: Run, typed: str) -> None:
    code, said = run(*typed.split())
    assert code == 2
    assert "Invalid value" in said
