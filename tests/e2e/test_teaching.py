"""The whole loop of teaching with a real training: a message is not understood, staff say what it means, the
bot learns it and understands it, and forgets it again when that is taken back.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from rapport.cli import model
from rapport.kit.database import make_engine, session_scope
from rapport.kit.settings import ROOT
from rapport.staff import service
from rapport.teaching import files
from tests.console.client import PASSWORD, readable
from tests.stack import Stack, wait_until

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


class Manager:
    """Somebody who may teach, at the console."""

    def __init__(self, stack: Stack) -> None:
        self.url = f"{stack.url}/console"
        self.http = requests.Session()
        self.http.headers["Accept"] = "text/html"
        self.csrf = ""
        fields = {"email": "mia@example.com", "password": PASSWORD, "next": "/console/account"}
        self._read(self.http.post(f"{self.url}/login", data=fields, timeout=20))

    def page(self, path: str) -> str:
        return self._read(self.http.get(f"{self.url}/{path}", timeout=20))

    def post(self, path: str, **fields: str) -> str:
        data = {"csrf": self.csrf, **fields}
        return self._read(self.http.post(f"{self.url}/{path}", data=data, timeout=20))

    def _read(self, answer: requests.Response) -> str:
        assert answer.status_code == 200, answer.text
        found = re.search(r'<meta name="csrf" content="([0-9a-f]{64})">', answer.text)
        self.csrf = found[1] if found else self.csrf
        return answer.text


def test_a_correction_is_learned_goes_live_and_is_taken_back(taught: Stack, project: Path) -> None:
    before = (project / "data/nlu/ask_points_balance.yml").read_text(encoding="utf-8")
    first = model.live(Path(taught.environment["RAPPORT_MODELS_DIR"]))
    assert first is not None
    talk = taught.talk()
    talk.send(SAID)
    assert talk.intent() != "ask_points_balance"
    ((message,),) = taught.rows("SELECT id FROM message WHERE author = 'customer'")
    manager = Manager(taught)
    manager.post(f"conversations/{talk.id}/mark/{message}/intent", intent="ask_points_balance")
    ((annotation,),) = taught.rows("SELECT id FROM annotation")
    manager.post("teaching/decide", verdict=f"accept:{annotation}")
    assert f"+ - {SAID}" in readable(manager.page("teaching/training"))
    manager.post("teaching/training/start")
    old = taught.pid("Rasa")
    wait_until(lambda: ended(taught), TRAINING_SECONDS, "the training")
    ((state, told, output, after),) = taught.rows("SELECT state, told, output, after FROM training_run")
    assert state == "live", f"{told} {output} {after}"
    assert json.loads(after)["regressions"] == []
    assert taught.pid("Rasa") != old
    # The same conversation goes on with the new model.
    talk.send(SAID)
    assert talk.intent() == "ask_points_balance"
    assert f"    - {SAID}\n" in (project / "data/nlu/ask_points_balance.yml").read_text(encoding="utf-8")
    page = readable(manager.page("teaching/runs/1"))
    assert "✓ live" in page
    # Back in one click, while somebody writes: the message waits for Rasa and is answered.
    old = taught.pid("Rasa")
    manager.post("teaching/live", model=first.name)
    wait_until(lambda: restarted(taught, old), SWITCH_SECONDS, "Rasa with the model before")
    talk.post(SAID)
    wait_until(lambda: answered(taught), SWITCH_SECONDS, "the answer")
    assert talk.intent() != "ask_points_balance"
    assert (project / "data/nlu/ask_points_balance.yml").read_text(encoding="utf-8") == before
    assert "taken back by Mia" in readable(manager.page("teaching/runs/1"))


def ended(stack: Stack) -> bool:
    return stack.rows("SELECT state FROM training_run") != [("running",)]


def restarted(stack: Stack, old: int) -> bool:
    state = json.loads((stack.folder / "run.json").read_text(encoding="utf-8"))
    return bool(state["parts"]["Rasa"] != old)


def answered(stack: Stack) -> bool:
    return stack.rows("SELECT count(*) FROM message WHERE status = 'received'") == [(0,)]
