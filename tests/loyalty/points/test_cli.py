"""`rapport loyalty` as support sees it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from rapport.cli import loyalty
from rapport.cli.main import app
from rapport.customers import service as customers
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.errors import NotFoundError
from rapport.loyalty.points import service
from tests.loyalty.points.conftest import NOW

DAY = timedelta(days=1)


@pytest.fixture
def shop(sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    """A shop with one customer, where the commands look."""
    monkeypatch.setattr(loyalty, "ready_engine", lambda: sqlite_engine)
    monkeypatch.setattr(loyalty.console, "width", 160)
    with session_scope(sqlite_engine) as session:
        one = customers.ensure_customer(session, identities=[("email", "kari@example.com")]).id
        service.earn(session, one, 600, key="gift-1", reason="birthday", expires_at=NOW + 9 * DAY, at=NOW)
        service.earn(session, one, 7, key="gift-2", reason="review", matures_at=NOW + 3 * DAY, at=NOW)
        service.hold(session, one, 100, key="hold-1", until=NOW + DAY, at=NOW)
    return sqlite_engine


def test_check_tells_what_is_owed(shop: Engine) -> None:
    result = CliRunner().invoke(app, ["loyalty", "check"])
    assert result.exit_code == 0, result.output
    assert "All adds up" in result.output
    for said in ("500", "NOK\N{NO-BREAK SPACE}100 ", "held", "NOK\N{NO-BREAK SPACE}20 ", "1.40"):
        assert said in result.output


def test_check_fails_when_something_is_wrong(shop: Engine) -> None:
    with session_scope(shop) as session:
        session.execute(text("UPDATE account SET balance = 501 WHERE kind = 'points'"))
    result = CliRunner().invoke(app, ["loyalty", "check"])
    assert result.exit_code == 1
    assert "balance is not the sum of its postings: 1" in result.output


def test_points_of_a_customer(shop: Engine) -> None:
    with clock.freeze(NOW):
        result = CliRunner().invoke(app, ["loyalty", "points", "KARI@example.com"])
    assert result.exit_code == 0, result.output
    for said in ("500 points", "pending 7, held 100, owed 0", "level Ridge: 607", "893 to Summit"):
        assert said in result.output
    for said in ("12 May 2026", "6 May 2026", "birthday", "hold-1", "+600", "-100"):
        assert said in result.output


def test_nobody_of_that_address(shop: Engine) -> None:
    result = CliRunner().invoke(app, ["loyalty", "points", "ola@example.com"])
    assert isinstance(result.exception, NotFoundError)
