"""`rapport customers` as support sees it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from rapport.channels import links
from rapport.cli import customers as command
from rapport.cli.main import app
from rapport.customers import contact
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.errors import ConflictError, NotFoundError
from rapport.kit.settings import Settings
from tests.channels import people
from tests.channels.people import TELEGRAM, WHATSAPP

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def shop(settings: Settings, sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(command, "ready_engine", lambda: sqlite_engine)
    monkeypatch.setattr(command.console, "width", 200)
    return sqlite_engine


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["customers", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_merges_are_shown_and_undone(shop: Engine) -> None:
    with session_scope(shop) as session, clock.freeze(NOW):
        ann = people.customer(session, "ann@example.com", name="Ann [Berg]\x1b")
        bob = people.customer(session, "bob@example.com")
        people.write(session, TELEGRAM, "77")
        prospect = people.point_of(session, TELEGRAM, "77").customer_id
        contact.set_channels(session, prospect, refused=["sms"])
        people.verify(session, TELEGRAM, "77", "ann@example.com")
        people.write(session, WHATSAPP, "x1", link=links.create(session, "whatsapp", bob))
    shown = run("merges")
    for said in (
        "2026-03-01 12:00",
        f"{prospect} (telegram)",
        f"{ann} Ann [Berg]�",
        "typed the code",
        "by a link",
        "app, wishes about contact",
        "(whatsapp)",
    ):
        assert said in shown
    assert "whatsapp" not in run("merges", "--customer", "ANN@example.com")
    assert "telegram" not in run("merges", "-n", "1")
    undone = run("undo-merge", "1")
    assert f"Merge 1 is undone: telegram is prospect {prospect}'s again." in undone
    assert f"stays with customer {ann} Ann [Berg]�." in undone
    with session_scope(shop) as session:
        assert people.point_of(session, TELEGRAM, "77").customer_id == prospect
    for arguments, error in ((("1",), ConflictError), (("9",), NotFoundError)):
        with pytest.raises(error):
            run("undo-merge", *arguments)


def test_what_there_is_nothing_of_is_said_plainly(shop: Engine) -> None:
    assert "Nobody in a messaging app" in run("merges")
    with pytest.raises(NotFoundError, match="e-mail address"):
        run("merges", "--customer", "nobody@example.com")
    assert "merges" in run("--help") and "undo-merge" in run("--help")
