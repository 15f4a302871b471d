"""Corrections are looked at, what was not understood is taught, and a training's way can be followed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from rapport.console import training
from rapport.kit.database import read_scope, session_scope
from rapport.kit.settings import ROOT, get_settings
from rapport.teaching import service
from rapport.teaching.models import Annotation, TrainingRun
from tests.browser import assert_accessible
from tests.console.client import StaffClient, readable
from tests.console.conftest import Logged, OpenPage
from tests.console.talks import talk

HOSTILE = "<script>alert(1)</script> gimme my thingamajig"
# The programs of the bot that a training runs, and what they run.
SAYING = ("train.py", "lint.py", "evaluate.py", "evaluation/understanding.py")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project of a few files, to be written to."""
    folder = tmp_path / "project"
    for name in ("track_order", "greet", "entities", "delivery_period", "out_of_scope_en"):
        file = folder / "data" / "nlu" / f"{name}.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "data" / "nlu" / f"{name}.yml", file)
    shutil.copytree(ROOT / "tests" / "nlu" / "held_out", folder / "tests" / "nlu" / "held_out")
    monkeypatch.setenv("RAPPORT_PROJECT_DIR", str(folder))
    monkeypatch.setenv("RAPPORT_MODELS_DIR", str(tmp_path / "models"))
    get_settings.cache_clear()
    yield folder
    get_settings.cache_clear()


def not_understood(engine: Engine, *texts: str) -> None:
    lines = [("customer", text, {"intent": "nlu_fallback", "confidence": 0.2}) for text in texts]
    talk(engine, *lines)


def marks(engine: Engine) -> list[tuple[str, str, str]]:
    with read_scope(engine) as session:
        query = select(Annotation).order_by(Annotation.id)
        return [(mark.value, mark.words, mark.status) for mark in session.scalars(query)]


def ticked(page: str) -> list[str]:
    import re

    return re.findall(r'name="id" value="(\d+)"', page)


def teach(manager: StaffClient, what: str, ids: list[str], intent: str = "") -> str:
    answer = manager.http.post(
        "/console/teaching/unclear",
        data={"csrf": manager.csrf, "language": "en", "what": what, "id": ids, "intent": intent},
    )
    assert answer.status_code == 200, answer.text
    refused = '<p class="said problem" role="alert">' in answer.text
    return ("refused: " if refused else "") + readable(answer.text)


def test_a_cluster_is_taught_looked_at_and_shown_as_a_diff(engine: Engine, log_in: Logged) -> None:
    manager = log_in("manager")
    not_understood(
        engine, "gimme the whereabouts of FJ-99871", "gimme the whereabouts of FJ-55512 pls", "purple monkeys"
    )
    page = manager.page("/console/teaching/unclear", language="en")
    assert "3 messages of the last 90 days" in readable(page)
    assert "FJ-99871" not in page
    assert page.count("gimme the whereabouts of FJ-12345") == 4, "in its line and in the link beside it"
    ids = ticked(page)
    said = teach(manager, "intent", ids[:2], "no such thing")
    assert said.startswith("refused: ")
    assert "choose one of the intents" in said
    said = teach(manager, "intent", ids[:2], "track_order")
    assert not said.startswith("refused: ")
    assert "2 messages will be learned" in said
    assert "1 message put aside" in teach(manager, "ignore", ids[2:])
    assert "understood all it was told" in readable(manager.page("/console/teaching/unclear", language="en"))
    text = manager.text("/console/teaching", status="accepted")
    assert "Asks where an order is" in text
    diff = manager.text("/console/teaching/training")
    assert "2 lines are added" in diff
    assert "+ - gimme the whereabouts of FJ-12345 " in diff


def test_corrections_are_decided_singly_and_together(engine: Engine, log_in: Logged, project: Path) -> None:
    manager = log_in("manager")
    not_understood(engine, HOSTILE, "where is my order", "hey ho", "greetings to you all")
    ids = ticked(manager.page("/console/teaching/unclear", language="en"))
    with session_scope(engine) as session:
        for message_id, value in zip(ids, ("track_order", "greet", "greet", "greet"), strict=True):
            mark = Annotation(message_id=int(message_id), staff_id=1, kind="intent", value=value)
            mark.language, mark.status = "en", "proposed"
            mark.words = HOSTILE if value == "track_order" else f"greet {message_id}"
            session.add(mark)
    page = manager.page("/console/teaching")
    assert "<script>alert" not in page
    first, *others = ticked(page)
    manager.post("/console/teaching/decide", verdict=f"accept:{first}", **{f"words-{first}": "hi dear shop"})
    assert ("greet", "hi dear shop", "accepted") in marks(engine)
    manager.http.post(
        "/console/teaching/decide", data={"csrf": manager.csrf, "verdict": "reject", "id": others}
    )
    assert [status for _, _, status in marks(engine)].count("rejected") == 3
    manager.page("/console/teaching", status="rejected")
    again = manager.post("/console/teaching/decide", verdict=f"accept:{others[0]}", status="rejected")
    assert "1 correction accepted." in again.text
    assert not list(project.rglob("*.new"))
    assert "hi dear shop" not in (project / "data/nlu/greet.yml").read_text(encoding="utf-8"), "not yet"


def test_what_contradicts_is_shown_and_not_taken(engine: Engine, log_in: Logged) -> None:
    manager = log_in("manager")
    not_understood(engine, "Where is my ORDER", "hello there my friend")
    ids = ticked(manager.page("/console/teaching/unclear", language="en"))
    teach(manager, "intent", ids[-1:], "delivery_period")
    teach(manager, "intent", ids[:1], "greet")
    accepted = manager.text("/console/teaching", status="accepted")
    assert "Cannot be learned" in accepted
    assert "“where is my order” means track_order" in accepted
    assert "1 accepted correction cannot be learned" in manager.text("/console/teaching/training")


def test_one_training_at_a_time_and_one_that_has_gone_is_told(
    engine: Engine, log_in: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import timedelta

    from rapport.kit import clock
    from rapport.teaching import tasks

    launched: list[int] = []
    monkeypatch.setattr(tasks, "launch", lambda _settings, _database, run_id: launched.append(run_id))
    manager = log_in("manager")
    assert "The training has begun" in readable(manager.post("/console/teaching/training/start").text)
    again = readable(manager.post("/console/teaching/training/start").text)
    assert "running already" in again
    assert "Preparing the examples" in again
    assert manager.get("/console/teaching/training/progress").json()["running"] is True
    with session_scope(engine) as session:
        session.scalars(select(TrainingRun)).one().told = "training on 90 examples of 12 intents"
    told = log_in("admin", "es").get("/console/teaching/training/progress").json()["told"]
    assert told == "entrenando con 90 ejemplos de 12 intenciones"
    manager.post("/console/teaching/training/cancel")
    assert manager.get("/console/teaching/training/progress").json()["cancelling"] is True
    with clock.freeze(clock.now() + timedelta(minutes=2)):
        assert "The process it ran in has ended." in manager.text("/console/teaching/training")
        assert "The training has begun" in readable(manager.post("/console/teaching/training/start").text)
    assert len(launched) == 2
    with read_scope(engine) as session:
        assert sorted(session.scalars(select(TrainingRun.state))) == ["failed", "running"]


def test_what_is_translated_of_the_bots_programs_is_what_they_say() -> None:
    said = "".join((ROOT / "bot" / name).read_text("utf-8") for name in SAYING)
    for step in training.STEPS:
        for piece in filter(None, re.split(r"%\(\w+\)s", step)):
            assert piece in said, step


def test_agents_do_not_teach(log_in: Logged) -> None:
    agent = log_in("agent")
    for path in ("", "/unclear", "/training", "/training/progress", "/runs/1"):
        assert agent.get(f"/console/teaching{path}").status_code == 403
    for path in ("decide", "unclear", "training/start", "training/cancel", "live"):
        assert agent.post(f"/console/teaching/{path}").status_code == 403


@pytest.mark.parametrize(("width", "dark"), [(375, True), (1280, False)])
def test_the_pages_are_accessible(open_page: OpenPage, sqlite_engine: Engine, width: int, dark: bool) -> None:
    not_understood(sqlite_engine, HOSTILE, "gimme the whereabouts of my thing", "purple monkeys")
    page = open_page("manager", "/console/teaching/unclear?language=en", width=width, dark=dark)
    page.locator(".cluster").first.wait_for()
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("input[name=intent]").first.fill("track_order")
    page.get_by_role("button", name="Teach this").first.click()
    page.get_by_role("link", name="Corrections").click()
    page.wait_for_url("**/console/teaching")  # and all of it: the list filters itself by a script
    page.get_by_label("State").select_option("accepted")
    page.wait_for_url("**status=accepted**")
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    with session_scope(sqlite_engine) as session:
        figures = {
            "overall": {"accuracy": 0.94, "out_of_scope_caught": 0.9, "in_scope_refused": None},
            "languages": {"en": {"accuracy": 0.95}},
            "parity": {},
        }
        shown = {"regressions": [["en", "hi", "greet", "thank"]], "repaired": [], "intents": []}
        run = TrainingRun(staff_id=1, state="worse", seconds={}, before=figures, after=figures | shown)
        run.diff = "--- a\n+++ b\n@@ -1 +1 @@\n-a\n+b"
        run.reasons = [{"what": "scope", "language": "", "before": 0.9, "after": 0.8}]
        session.add(run)
        session.add(TrainingRun(staff_id=1, seconds={}))
    page.get_by_role("link", name="Training and models").click()
    page.locator("[data-training]").wait_for()
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("table a").last.click()
    page.get_by_text("Why it was not taken").wait_for()
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_who_writes_does_not_wait_while_messages_are_sorted(
    log_in: Logged, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = log_in("manager")

    def sort(reading: Session, *_: object) -> tuple[list[service.Cluster], int]:
        reading.execute(text("SELECT 1"))
        with session_scope(engine) as session:
            session.execute(text("UPDATE staff SET name = name"))
        return [], 0

    monkeypatch.setattr(service, "not_understood", sort)
    assert "understood all" in readable(manager.page("/console/teaching/unclear", language="en"))
