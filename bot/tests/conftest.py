"""A tiny trained model for the whole run, and a loaded bot over a fresh tracker database for each test."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
os.environ.update(RASA_TELEMETRY_ENABLED="false", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

from bot import logs, speedups  # noqa: E402

logs.configure()
speedups.apply()

from bot.messages import read_turn  # noqa: E402
from bot.serve import load  # noqa: E402
from bot.tests.fake_actions import SECRET, FakeActions  # noqa: E402
from bot.train import train  # noqa: E402

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


class Bot:
    """Rasa with our channel's turns, without HTTP. Each `take` loads everything anew, like a restarted process."""

    def __init__(self, model: Path, actions: FakeActions, database: Path) -> None:
        self.model, self.actions = model, actions
        self.url = f"sqlite:///{database}"
        self.database = database

    def take(self, *bodies: dict[str, Any]) -> list[dict[str, Any]]:
        """The answers to `bodies`; each needs only what differs from an ordinary message."""
        return self.run(lambda turns: self._each(turns, bodies))

    def run(self, use: Any) -> Any:
        os.environ.update(
            RAPPORT_ACTIONS_URL=self.actions.url, RAPPORT_BOT_SECRET=SECRET, RAPPORT_TRACKER_URL=self.url
        )

        async def once() -> Any:
            turns, agent = load(self.model)
            try:
                return await use(turns)
            finally:
                await agent.action_endpoint.close()

        return asyncio.run(once())

    @staticmethod
    async def _each(turns: Any, bodies: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
        answers = []
        for number, body in enumerate(bodies):
            full = {"conversation_id": CONVERSATION, "message_id": f"m{number}", **body}
            answers.append(await turns.take(read_turn(full)))
        return answers


@pytest.fixture
def bot(model: Path, actions: FakeActions, tmp_path: Path) -> Bot:
    return Bot(model, actions, tmp_path / "tracker.db")
