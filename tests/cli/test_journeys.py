"""`rapport journeys` as a shop owner uses it, over the demo shop."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from rapport import demo
from rapport.kit import clock
from rapport.kit.database import make_engine, read_scope, session_scope
from rapport.outreach.journeys.models import JourneyEntry
from rapport.outreach.models import OutboxMessage
from tests.cli.running import rapport
from tests.cli.test_commands import installation


@pytest.fixture
def shop(migrated_sqlite: Path, tmp_path: Path) -> dict[str, str]:
    return installation(tmp_path)


def test_from_looking_to_results(shop: dict[str, str]) -> None:
    assert "Nothing is due" in rapport("journeys", "run", "--dry-run", **shop).stdout
    engine = make_engine(shop["RAPPORT_DATABASE_URL"])
    with session_scope(engine) as session:
        demo.load(session, clock.now().date())

    def count(table: type[JourneyEntry] | type[OutboxMessage]) -> int:
        with read_scope(engine) as session:
            return session.scalar(select(func.count()).select_from(table)) or 0

    listed = rapport("journeys", "list", **shop).stdout
    assert "win_back" in listed and "at_risk" in listed
    assert "✓ 1" in rapport("journeys", "check", **shop).stdout
    planned = rapport("journeys", "run", "--dry-run", **shop)
    assert planned.returncode == 0, planned.stderr
    assert "win_back" in planned.stdout
    assert count(JourneyEntry) == count(OutboxMessage) == 0
    done = rapport("journeys", "run", **shop)
    assert "entered" in done.stdout, done.stderr
    assert count(JourneyEntry) > 0
    shown = rapport("journeys", "results", "win_back", **shop).stdout
    assert "entered:" in shown and "too few people" in shown
    said = rapport("journeys", "preview", "win_back", "question", "kari@example.com", **shop).stdout
    assert "Fjordly" in said
    engine.dispose()


def test_what_is_not_there_is_said(shop: dict[str, str]) -> None:
    for wrong in (("results", "no_such"), ("preview", "win_back", "question", "nobody@example.com")):
        done = rapport("journeys", *wrong, **shop)
        assert done.returncode == 1 and "no " in done.stderr.lower()
