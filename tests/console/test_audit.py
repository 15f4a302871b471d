"""The audit log's page: filters, pages, the file for spreadsheets, and that it holds what it should."""

from __future__ import annotations

import ast
import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from rapport.console import audit as page
from rapport.console.audit_words import ACTIONS, SUBJECTS
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.staff import audit, service
from rapport.staff.models import AuditEvent
from tests.console.client import readable
from tests.console.conftest import Logged
from tests.console.talks import somebody
from tests.console.test_permissions import WAYS

ROOT = Path(__file__).resolve().parents[2]
NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)


def fill(engine: Engine, staff_id: int | None, count: int, action: str = "look", **more: str) -> None:
    with session_scope(engine) as session:
        for number in range(count):
            service.note(session, staff_id, action, more.get("subject", "customer"), number + 1)


def noted() -> Iterator[tuple[str, str]]:
    """(action, where) of each event that the code writes."""
    for file in sorted((ROOT / "rapport").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            of = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            place = {"desk": 1, "service": 2, "staff_service": 2}.get(of)
            if node.func.attr == "note" and place is not None and len(node.args) > place:
                said = node.args[place]
                texts = [said.body, said.orelse] if isinstance(said, ast.IfExp) else [said]
                for text in texts:
                    if isinstance(text, ast.Constant) and isinstance(text.value, str):
                        yield text.value, f"{file.relative_to(ROOT)}:{node.lineno}"


def test_every_action_can_be_translated() -> None:
    found = list(noted())
    assert ("log out", "rapport/console/login.py") in [(text, place.split(":")[0]) for text, place in found]
    assert [place for text, place in found if text not in ACTIONS] == []


def test_links_lead_to_pages_that_are_there() -> None:
    paths = {way.address for way in WAYS if way.method == "GET"}
    for address in page.PAGES.values():
        assert address.partition("#")[0].format(1) in paths
    assert set(page.PAGES) <= set(SUBJECTS)


def test_a_look_at_a_list_leads_nowhere(engine: Engine, log_in: Logged) -> None:
    admin = log_in("admin")
    somebody(engine, "Ana Pop")
    admin.page("/console/customers")
    page = admin.page("/console/audit", action="look")
    assert "Customer list" in readable(page)
    assert "/console/customers/list" not in page


def test_filters_find_what_they_say(engine: Engine, log_in: Logged) -> None:
    admin = log_in("admin")
    with session_scope(engine) as session:
        agent = service.create(session, "ada@fjordly.example", "Ada Agent", "agent").id
    with clock.freeze(NOON):
        fill(engine, agent, 3, "look")
        fill(engine, agent, 2, "change", subject="case")
    with clock.freeze(NOON + timedelta(days=1)):
        fill(engine, None, 4, "look")

    def rows(**query: object) -> int:
        return admin.page("/console/audit", **query).count("<time datetime")

    mine = 1  # the login
    assert rows() == 9 + mine
    assert rows(staff=agent) == 5
    assert rows(staff=0) == 4
    assert rows(action="look") == 7
    assert rows(staff=agent, action="change") == 2
    assert rows(subject="case") == 2
    assert rows(subject="customer", subject_id="2") == 2
    assert rows(since="2026-05-04") == 4 + mine
    assert rows(until="2026-05-03") == 5
    assert rows(since="2026-05-04", until="2026-05-04") == 4
    assert rows(since="2026-05-03", until="2026-05-03", action="look") == 3
    assert rows(until="2020-01-01") == 0
    assert "Nothing was found." in admin.text("/console/audit", action="x' OR 1=1 --")
    assert rows(staff="99999999999999999999\0") == 9 + mine
    assert admin.get("/console/audit", since="yesterday").status_code == 422
    assert admin.get("/console/audit", until="9999-12-31").status_code == 422
    assert admin.get("/console/audit", subject_id="2").status_code == 422


def test_a_day_is_one_of_the_shops(engine: Engine, log_in: Logged) -> None:
    """Fjordly is in Oslo: half past ten in the evening in UTC is the next day there, in summer."""
    admin = log_in("admin")
    with clock.freeze(datetime(2026, 5, 3, 22, 30, tzinfo=UTC)):
        fill(engine, None, 1)
    assert "look" in admin.text("/console/audit", since="2026-05-04", until="2026-05-04", staff=0)
    assert "Nothing was found." in admin.text("/console/audit", until="2026-05-03", staff=0)


def test_pages_go_back_and_forth(engine: Engine, log_in: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "PAGE", 10)
    admin = log_in("admin")
    fill(engine, None, 35)

    def numbers(html: str) -> list[int]:
        return [int(part.split("<")[0]) for part in html.split("Customer ")[1:]]

    def follow(html: str, rel: str) -> str | None:
        before, found, _ = html.partition(f'" rel="{rel}"')
        address = before.rpartition('href="')[2].replace("&amp;", "&")
        return admin.http.get(address).text if found else None

    seen, html = [], admin.page("/console/audit", action="look")
    assert follow(html, "prev") is None
    pages = [html]
    while (older := follow(pages[-1], "next")) is not None and len(pages) < 9:
        pages.append(older)
    for one in pages:
        seen += numbers(one)
    assert seen == list(range(35, 0, -1))
    back = follow(pages[2], "prev")
    assert back is not None
    assert numbers(back) == numbers(pages[1])
    first = follow(back, "prev")
    assert first is not None
    assert numbers(first) == numbers(pages[0])


def test_the_file_holds_all_and_no_formula(
    engine: Engine, log_in: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "BATCH", 4)
    admin = log_in("admin")
    with session_scope(engine) as session:
        for subject_id, details in (("=HYPERLINK(1)", {"=a": 'x"\n'}), ("+1", {})):
            session.add(AuditEvent(action="look", subject="view", subject_id=subject_id, details=details))
            session.flush()
    fill(engine, None, 9)
    answer = admin.get("/console/audit.csv", action="look")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(StringIO(answer.text.removeprefix("\ufeff"))))
    assert len(rows) == 11
    assert [row["subject_id"] for row in rows[-2:]] == ["'+1", "'=HYPERLINK(1)"]
    assert not any(cell.startswith(page.FORMULA) for row in rows for cell in row.values())
    with read_scope(engine) as session:
        newest = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
        assert newest is not None
        assert (newest.action, newest.subject) == ("export", "audit log")
        assert newest.details == {"filters": {"action": "look"}}


def test_nothing_changes_the_log() -> None:
    assert [str(way) for way in WAYS if "/audit" in way.path and way.method != "GET"] == []
    for file in (ROOT / "rapport").rglob("*.py"):
        if "migrations" not in file.parts:
            text = file.read_text("utf-8")
            assert "delete(AuditEvent" not in text, file
            assert "update(AuditEvent" not in text, file
