"""The list of conversations: filters, search, views, and what each role sees of people."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from urllib.parse import quote

import pytest
from sqlalchemy import Engine, select

from rapport.conversations.models import Conversation
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.review.models import SavedView
from rapport.staff.models import AuditEvent
from tests.browser import assert_accessible
from tests.console.client import StaffClient, readable
from tests.console.conftest import Logged, OpenPage
from tests.console.talks import somebody, talk
from tests.running import RunningApp, until

LIST = "/console/conversations"
HOSTILE = '<img src=x onerror=alert(1)><script>alert("x")</script>'


def ids(html: str) -> list[str]:
    return re.findall(r'class="who" href="/console/conversations/([0-9a-f]{32})"', html)


def test_a_new_shop_is_told_how_conversations_come_in(log_in: Logged) -> None:
    said = log_in("agent").text(LIST)
    assert "No conversations yet" in said
    assert "Nothing matches" not in said


def test_names_addresses_and_what_was_said_are_masked_for_whom_they_are_not(
    log_in: Logged, engine: Engine
) -> None:
    ana = somebody(engine, "Ana Pop", "ana@example.com")
    talk(engine, ("customer", "I am Ana, write to ana@example.com about the tent"), customer_id=ana)
    agent, manager = log_in("agent"), log_in("manager")
    shown = agent.text(LIST)
    assert "A. P." in shown
    assert "ana@example.com" not in shown
    assert "Ana" not in shown
    assert "Ana Pop" in manager.text(LIST)
    # Nor do they find by it, in the messages or by the person.
    for words in ("ana", "Ana Pop", "ana@example.com", '"write to ana"'):
        assert ids(agent.page(LIST, q=words)) == [], words
        assert len(ids(manager.page(LIST, q=words))) == 1, words
    assert len(ids(agent.page(LIST, q="tent"))) == 1
    with session_scope(engine) as session:
        conversation = session.scalars(select(Conversation)).one()
        conversation.assigned_to = 1
    shown = agent.text(LIST)
    assert "Ana Pop" in shown
    assert "ana@example.com" in shown
    assert len(ids(agent.page(LIST, q="ana"))) == 1


def test_hostile_text_is_only_text(log_in: Logged, engine: Engine) -> None:
    person = somebody(engine, HOSTILE)
    talk(engine, ("customer", f"tent {HOSTILE}"), customer_id=person, channel="web")
    manager = log_in("manager")
    for page in (
        manager.page(LIST),
        manager.page(LIST, q="tent"),
        manager.page(LIST, q=HOSTILE, tag=HOSTILE),
    ):
        assert "<img" not in page
        assert "<script>" not in page
    assert "<mark>tent</mark>" in manager.page(LIST, q="tent")
    manager.post("/console/views", name=HOSTILE, query=f"tag={HOSTILE}")
    assert "<img" not in manager.page(LIST)


@pytest.mark.parametrize(
    "query",
    [
        {"older": "x", "newer": "9" * 30 + "_" + "a" * 32, "before": "٣"},
        {"since": "2026-99-01", "until": "9999-12-31", "days": "-1", "below": "nan", "customer": "1e9"},
        {"q": 'a" OR * NEAR( {', "intent": "%", "status": "x'", "rating": "9", "assignee": "99999999999"},
        {"q": "\0\ud800".encode("utf-8", "surrogatepass"), "view": "x"},
        {"older": "9" * 18 + "_" + "a" * 32, "days": "3650", "since": "1970-01-02"},
    ],
)
def test_no_address_is_an_error(log_in: Logged, engine: Engine, query: dict[str, str]) -> None:
    talk(engine, ("customer", "hello"))
    assert log_in("agent").get(LIST, **query).status_code == 200


def test_filters_are_chips_that_can_be_taken_away(log_in: Logged, engine: Engine) -> None:
    talk(engine, ("customer", "hola"), language="es", status="waiting")
    talk(engine, ("customer", "hello"))
    agent = log_in("agent")
    page = agent.page(LIST, language="es", status="waiting", q="hol")
    assert len(ids(page)) == 1
    assert {"language=es", "status=waiting", "q=hol"} <= set(re.split(r"[?&]|&amp;", page.replace('"', "&")))
    without = re.findall(r'<li><a href="([^"]+)">Language', page)[0].replace("&amp;", "&")
    assert "language" not in without
    assert "status=waiting" in without
    assert len(ids(agent.page(without))) == 1
    assert "Nothing matches" in agent.text(LIST, language="nb")
    told = log_in("manager", "es").page(LIST, language="nb", intent="track_order")
    assert "Idioma: <strong>Norsk" in told
    assert "Asunto: <strong>Pregunta dónde está un pedido" in told


def test_pages_lead_on_and_back_and_keep_the_filters(
    log_in: Logged, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rapport.review.service.page.__defaults__", (None, 3))
    now = clock.now()
    made = [
        talk(engine, ("customer", f"number {n} here"), at=now - timedelta(hours=n), language="es")
        for n in range(7)
    ]
    talk(engine, ("customer", "number in English here"), at=now)
    agent = log_in("agent")

    def link(page: str, name: str) -> str:
        found = re.search(rf'data-{name} href="([^"]+)"', page)
        return found[1].replace("&amp;", "&") if found else ""

    first = agent.page(LIST, language="es")
    second = agent.page(link(first, "older"))
    third = agent.page(link(second, "older"))
    assert [ids(first), ids(second), ids(third)] == [made[:3], made[3:6], made[6:]]
    assert (link(first, "newer"), link(third, "older")) == ("", "")
    back = agent.page(link(third, "newer"))
    assert ids(back) == made[3:6]
    assert ids(agent.page(link(back, "newer"))) == made[:3]


def test_views_are_kept_shared_renamed_and_deleted(log_in: Logged, engine: Engine) -> None:
    spanish = talk(engine, ("customer", "hola"), language="es")
    talk(engine, ("customer", "hello"))
    agent, manager = log_in("agent"), log_in("manager")
    said = readable(agent.post("/console/views", name="Spanish", query="language=es&view=0").text)
    assert "The view is saved." in said
    assert "Spanish" in agent.text(LIST)
    assert "Spanish" not in readable(manager.page(LIST)).replace("Español", "")
    with read_scope(engine) as session:
        view = session.scalars(select(SavedView.id)).one()
    # For all: a manager's decision; somebody else's is not there.
    assert manager.post(f"/console/views/{view}", name="x", query="").status_code == 404
    assert agent.post("/console/views", name="A", query="language=nb", shared="1").status_code == 403
    manager.post("/console/views", name="For everybody", query="missed=1", shared="1")
    assert "For everybody" in agent.text(LIST)
    # The list opens with it.
    agent.post(f"/console/views/{view}", what="first")
    assert ids(agent.page(LIST)) == [spanish]
    assert len(ids(agent.page(LIST, view="0"))) == 2
    agent.post(f"/console/views/{view}", name="Español 2", query="language=es", what="save")
    assert "Español 2" in agent.text(LIST)
    agent.post(f"/console/views/{view}", what="delete")
    assert "Español 2" not in agent.text(LIST)
    assert len(ids(agent.page(LIST))) == 2


def test_a_view_without_filters_or_name_is_refused_with_what_was_typed(log_in: Logged) -> None:
    agent = log_in("agent")
    answer = agent.post("/console/views", name="Everything", query="")
    assert answer.status_code == 422
    assert "Choose some filters first." in readable(answer.text)
    answer = agent.post("/console/views", name="x" * 61, query="language=es")
    assert answer.status_code == 422


def test_counts_of_tabs_and_the_record_of_looks(log_in: Logged, engine: Engine) -> None:
    talk(engine, ("customer", "hello"), status="waiting")
    agent: StaffClient = log_in("agent")
    assert json.loads(agent.page(f"{LIST}/count?status=waiting")) == {"count": 1, "more": False}
    agent.page(LIST, q="secret name", language="en")
    with read_scope(engine) as session:
        latest = select(AuditEvent.action, AuditEvent.details).order_by(AuditEvent.id.desc()).limit(1)
        noted = session.execute(latest).one()
    assert tuple(noted) == ("search conversations", {"filters": ["language", "q"]})


@pytest.mark.parametrize(("width", "dark"), [(375, True), (1280, False)])
def test_in_a_browser(open_page: OpenPage, sqlite_engine: Engine, width: int, dark: bool) -> None:
    made = [
        talk(sqlite_engine, ("customer", f"Hvor er pakken? {HOSTILE}"), status="waiting", language="nb"),
        talk(sqlite_engine, ("customer", "hello"), at=clock.now() - timedelta(hours=1)),
    ]
    page = open_page("manager", quote(f"{LIST}?q=pakken&language=nb"), width=width, dark=dark)
    assert page.locator("mark").inner_text() == "pakken"
    page.locator("summary").first.click()
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator(".chips .all").click()
    page.wait_for_url("**view=0")
    assert_accessible(page)
    until(lambda: page.locator('[data-count-of="status=waiting"]').inner_text() == "1")
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    assert_accessible(page)
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("jk?")
    assert page.input_value("#q") == "jk?"
    assert not page.locator("dialog").is_visible()
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.locator("#where").inner_text() == "2 / 2"
    page.keyboard.press("k")
    page.keyboard.press("o")
    page.wait_for_url(f"**{LIST}/{made[0]}")


def test_keys_lead_to_pages(open_page: OpenPage, running: RunningApp) -> None:
    page = open_page("agent", LIST)
    page.wait_for_selector("[data-help]:not([hidden])")
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_url(f"{running.url}/console/cases")
