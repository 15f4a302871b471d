"""The whole loop of teaching at the console with a real training: a message is not understood, a manager says
what it means, the bot learns it and understands it, and forgets it again when that is taken back.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from rapport.cli import model
from rapport.kit.database import make_engine, session_scope
from rapport.kit.settings import ROOT
from rapport.staff import service
from rapport.teaching import files
from tests.console.client import PASSWORD
from tests.stack import Stack, wait_until
from tests.web.conftest import Chat

SAID = "zibbly wobbly flumpet"
TRAINING_SECONDS = 900
SWITCH_SECONDS = 240
# The part of the examples that is left: real training, of a size that takes seconds.
EXAMPLES = {"en": 25}
FEW = 2
HELD_OUT = """intent,text
greet,hello hello to all of you
goodbye,"bye bye then, see you soon"
ask_points_balance,tell me how many points I have got now please
cancel_order,please could you cancel my order from last week
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project with few examples of each intent."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "data", folder / "data")
    for name in ("config.yml", "domain.yml"):
        shutil.copy(ROOT / name, folder)
    for file in (folder / "data" / "nlu").glob("*.yml"):
        text = file.read_text(encoding="utf-8")
        dropped: set[int] = set()
        for block in files.parse(text):
            if block.kind == "intent":
                dropped.update(block.lines[EXAMPLES.get(block.language, FEW) :])
        lines = (line for number, line in enumerate(text.split("\n")) if number not in dropped)
        file.write_text("\n".join(lines), encoding="utf-8")
    held_out = folder / "tests" / "nlu" / "held_out"
    held_out.mkdir(parents=True)
    (held_out / "en.csv").write_text(HELD_OUT, encoding="utf-8")
    return folder


@pytest.fixture
def taught(stack: Stack, tmp_path: Path, project: Path) -> Iterator[Stack]:
    """An installation of its own, with the model of the shared one."""
    trained = model.live(ROOT / "models")
    assert trained is not None, stack.output
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(trained.path, models)
    model.keep(models, models / trained.path.name, model.inputs(project))
    paths = {"RAPPORT_PROJECT_DIR": str(project), "RAPPORT_MODELS_DIR": str(models)}
    taught = Stack(tmp_path, **paths)
    taught.let_jobs_rest()
    engine = make_engine(taught.environment["RAPPORT_DATABASE_URL"])
    with session_scope(engine) as session:
        service.create(session, "mia@example.com", "Mia", "manager", PASSWORD)
    engine.dispose()
    taught.start("--no-demo")
    yield taught
    taught.stop()


@pytest.fixture
def chat(taught: Stack, browser: Browser) -> Chat:
    """A customer, with the widget open."""
    chat = Chat(browser.new_context(locale="en-GB").new_page())
    chat.page.goto(taught.url)
    chat.open()
    return chat


@pytest.fixture
def manager(taught: Stack, browser: Browser) -> Page:
    """Somebody who may teach, at the console. Questions whether they are sure they answer with yes."""
    page = browser.new_context(locale="en-GB").new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{taught.url}/console/login")
    page.fill("input[name=email]", "mia@example.com")
    page.fill("input[name=password]", PASSWORD)
    page.click("button.primary")
    return page


def test_a_correction_is_learned_goes_live_and_is_taken_back(
    taught: Stack, project: Path, chat: Chat, manager: Page
) -> None:
    learned = project / "data/nlu/ask_points_balance.yml"
    before = learned.read_text(encoding="utf-8")
    chat.say(SAID)
    expect(chat.bubbles).to_have_count(2, timeout=15_000)
    assert understood(taught) != "ask_points_balance"

    # Found, opened, corrected.
    manager.get_by_role("link", name="Conversations").click()
    manager.get_by_role("main").get_by_role("link", name="Visitor").first.click()
    message = manager.locator("#transcript > li", has_text=SAID)
    message.get_by_text("Correct", exact=True).first.click()
    message.get_by_label("What the customer meant").fill("ask_points_balance")
    message.get_by_label("What the customer meant").press("Enter")
    expect(message).to_contain_text("Meant: Asks how many points they have")

    # Accepted, and looked at as a change of the files.
    manager.get_by_role("link", name="Teaching").click()
    manager.get_by_role("button", name="Accept", exact=True).click()
    expect(manager.get_by_role("main")).to_contain_text("1 accepted correction waits for a training.")
    manager.get_by_role("link", name="To the training").click()
    expect(manager.locator(".diff .plus")).to_have_text(f"+    - {SAID}\n")

    # Trained; the page follows by itself, to the outcome.
    manager.get_by_role("button", name="Train").click()
    bar = manager.get_by_role("progressbar")
    expect(manager.get_by_role("status").last).to_have_text("Training", timeout=60_000)
    part = bar.evaluate("bar => bar.value")
    manager.wait_for_function("part => document.querySelector('progress').value > part", arg=part)
    manager.wait_for_url("**/console/teaching/runs/1", timeout=TRAINING_SECONDS * 1000)
    expect(manager.get_by_role("main")).to_contain_text("Went live")
    expect(manager.locator("main")).to_contain_text("✓ live")
    expect(manager.get_by_role("row", name=re.compile("^understood, English"))).to_contain_text(
        re.compile(r"\d%.*\d%", re.DOTALL)
    )
    lost = manager.locator("section", has=manager.get_by_role("heading", name="Right before and wrong now"))
    expect(lost).to_contain_text("None.")
    assert f"    - {SAID}\n" in learned.read_text(encoding="utf-8")

    # The same conversation goes on with the new model.
    chat.say(SAID)
    expect(chat.bubbles).to_have_count(4, timeout=15_000)
    assert understood(taught) == "ask_points_balance"

    # Back in one click, while somebody writes: the message waits for Rasa and is answered.
    old = taught.pid("Rasa")
    manager.get_by_role("button", name="Roll back").click()
    expect(manager.locator(".said")).to_contain_text("Rasa starts again with it")
    expect(manager.get_by_role("main")).to_contain_text("taken back")
    wait_until(lambda: restarted(taught, old), SWITCH_SECONDS, "Rasa with the model before")
    chat.say(SAID)
    chat.bubbles.nth(5).wait_for(timeout=SWITCH_SECONDS * 1000)
    assert understood(taught) != "ask_points_balance"
    assert learned.read_text(encoding="utf-8") == before


def restarted(stack: Stack, old: int) -> bool:
    state = json.loads((stack.folder / "run.json").read_text(encoding="utf-8"))
    return bool(state["parts"]["Rasa"] != old)


def understood(stack: Stack) -> str:
    """What the customer's last message was taken for."""
    ((intent,),) = stack.rows(
        "SELECT intent FROM message WHERE author = 'customer' ORDER BY sequence DESC LIMIT 1"
    )
    return str(intent)
