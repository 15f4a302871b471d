"""Every page there is in a real browser, hostile text in every field: accessible, whole, and harmless.

A page is loaded once and looked at in both widths and colours. What only shows after something was done is
looked at where that is done.
"""

from __future__ import annotations

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from sqlalchemy import Engine

from rapport.console.app import PAGES
from rapport.insight import tasks
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.notes import service as notes
from rapport.replies import service as replies
from rapport.review import views
from rapport.review.filters import Filters
from rapport.staff import service as accounts
from rapport.staff.models import Staff
from rapport.teaching.models import TrainingRun
from tests.console.client import add_staff
from tests.console.conftest import OpenPage
from tests.console.lives import Life, live
from tests.console.months import NOW, month
from tests.console.test_permissions import ANYBODY, ways
from tests.running import RunningApp

HOSTILE = "<script>evil=1</script>\"'><img src=x onerror=evil=1><svg/onload=evil=1>{{7*7}}"
# What makes a page wider than the screen, outside of what scrolls by itself.
TOO_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("main *")].filter((one) => one.getBoundingClientRect().right > innerWidth
    && !one.parentElement.closest(".scroll")).map((one) => one.outerHTML.slice(0, 120))"""
# The days on which there is something to count.
QUERIES = {"/insight": "?period=custom&first=2026-11-02&last=2026-11-12"}
LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = ((1280, "light"), (375, "dark"))
NO_PAGES = {
    "/",
    "/live",
    "/openid",
    "/openid/back",
    "/conversations/count",
    "/conversations/{conversation_id}/messages",
    "/teaching/training/progress",
    "/insight/{key}.csv",
    "/journeys/{key}/steps.csv",
    "/audit.csv",
}


def paths(life: Life) -> list[str]:
    """The address of every page, with ids of what is there."""
    ids = {
        "{conversation_id}": life.conversation,
        "{customer_id}": str(life.customer),
        "{case_id}": str(life.case),
        "{mention_id}": str(life.mention),
        "{run_id}": "1",
        "{reply_id}": "1",
        "{section}": "delivery",
    }
    keys = {"/settings/offers": "welcome", "/settings/answers": "place_order", "/journeys": "win_back"}
    found = []
    for page in PAGES:
        for way in ways(page.routes.routes):
            if way.method != "GET" or way.path in NO_PAGES or ("GET", way.path) in ANYBODY:
                continue
            path = way.path
            for name, value in ids.items():
                path = path.replace(name, value)
            for beginning, key in keys.items():
                if path.startswith(beginning):
                    path = path.replace("{key}", key)
            assert "{" not in path, f"what is the id in {path}?"
            found.append(f"/console{path}{QUERIES.get(way.path, '')}")
    return found


def fill(database: Engine, staff_id: int) -> Life:
    """Something of everything, and all of it hostile."""
    life = live(database, HOSTILE, name=f"Lucía {HOSTILE}")
    with session_scope(database) as session:
        session.get_one(Staff, staff_id).name = f"Mia {HOSTILE}"[:120]
        replies.create(session, HOSTILE[:60], "hi", dict.fromkeys(("en", "es", "nb", "ro"), "Hello!"))
        notes.add_note(session, life.conversation, staff_id, HOSTILE)
        notes.add_tag(session, life.conversation, staff_id, HOSTILE[:40])
        views.save(session, staff_id, HOSTILE[:60], Filters(language="en"), shared=True, may_share=True)
        run = TrainingRun(
            staff_id=staff_id, state="failed", told=HOSTILE, output=HOSTILE, diff=f"+ {HOSTILE}"
        )
        session.add(run)
        accounts.note(session, None, HOSTILE[:60], "customer", HOSTILE[:80], note=HOSTILE)
    month(database)
    tasks.count_days(database)
    return life


def test_every_page(open_page: OpenPage, running: RunningApp, sqlite_engine: Engine) -> None:
    with clock.freeze(NOW):
        life = fill(sqlite_engine, add_staff(sqlite_engine, "manager"))
        page = open_page("admin", "/console/account")
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        for path in paths(life):
            look_at(page, running.url, path)


def look_at(page: Page, url: str, path: str) -> None:
    answer = page.goto(f"{url}{path}")
    assert answer is not None
    assert answer.status == 200, path
    page.evaluate("document.querySelectorAll('main details').forEach(part => part.open = true)")
    for width, colours in LOOKS:
        page.set_viewport_size({"width": width, "height": 800})
        # Without motion axe need not wait for colours to settle.
        page.emulate_media(reduced_motion="reduce", color_scheme=colours)
        assert Axe().run(page).response["violations"] == [], path
        wide = page.evaluate(TOO_WIDE)
        assert wide == [], path
    assert page.evaluate("typeof evil") == "undefined", path
    assert page.locator("script:not([src])").count() == 0, path
    if path.startswith("/console/insight"):
        assert page.locator("svg[role=img]").count() >= 12, "there was nothing to draw"
