"""A tiny trained model for the whole run, and a loaded bot over a fresh tracker database for each test."""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
os.environ.update(RASA_TELEMETRY_ENABLED="false", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

from bot import logs, speedups  # noqa: E402

logs.configure()
speedups.apply()

from rasa.core.agent import Agent  # noqa: E402

from bot.actions_client import ActionEndpoint  # noqa: E402
from bot.messages import read_turn  # noqa: E402
from bot.serve import load  # noqa: E402
from bot.tests.fake_actions import SECRET, FakeActions  # noqa: E402
from bot.trackers import RapportTrackerStore  # noqa: E402
from bot.train import train  # noqa: E402
from bot.turn import Turns  # noqa: E402

CONVERSATION = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny project with the real config.yml."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(Path(__file__).parent / "project", folder, dirs_exist_ok=True)
    shutil.copy(ROOT / "config.yml", folder)
    return folder


@pytest.fixture(scope="session")
def model(project: Path) -> Path:
    os.environ["RASA_CACHE_DIRECTORY"] = str(project / "cache")
    return train(project, project / "models", "tiny")


@pytest.fixture
def actions() -> Iterator[FakeActions]:
    fake = FakeActions()
    yield fake
    fake.stop()


@pytest.fixture(scope="session")
def agent(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Agent:
    """Loaded as the start script does it, once: that takes longer than most tests."""
    database = tmp_path_factory.mktemp("unused") / "tracker.db"
    os.environ.update(RAPPORT_ACTIONS_URL="http://127.0.0.1:9", RAPPORT_BOT_SECRET=SECRET)
    os.environ["RAPPORT_TRACKER_URL"] = f"sqlite:///{database}"
    return load(model)[1]


class Bot:
    """Rasa with our channel's turns, without HTTP. Each `take` has only the database of the one before."""

    def __init__(self, agent: Agent, actions: FakeActions, database: Path) -> None:
        self.agent, self.actions, self.database = agent, actions, database

    def take(self, *bodies: dict[str, Any]) -> list[dict[str, Any]]:
        """The answers to `bodies`; each needs only what differs from an ordinary message."""
        return self.run(lambda turns: self._each(turns, bodies))

    def run(self, use: Callable[[Turns], Awaitable[Any]], secret: str = SECRET) -> Any:
        endpoint = ActionEndpoint(
            self.actions.url, headers={"X-Rapport-Secret": secret}, enable_selective_domain=True
        )
        self.agent.processor.action_endpoint = endpoint
        store = RapportTrackerStore(self.agent.domain, host=f"sqlite:///{self.database}")

        async def once() -> Any:
            try:
                return await use(Turns(self.agent, store))
            finally:
                await endpoint.close()
                store.engine.dispose()

        return asyncio.run(once())

    @staticmethod
    async def _each(turns: Turns, bodies: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
        answers = []
        for number, body in enumerate(bodies):
            full = {"conversation_id": CONVERSATION, "message_id": f"m{number}", **body}
            answers.append(await turns.take(read_turn(full)))
        return answers


@pytest.fixture
def bot(agent: Agent, actions: FakeActions, tmp_path: Path) -> Bot:
    return Bot(agent, actions, tmp_path / "tracker.db")
