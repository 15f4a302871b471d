"""The bot's own tests run on the bot's own Python; here they take part in the whole run."""

import os
import subprocess
from pathlib import Path

import pytest

BOT = Path(__file__).resolve().parents[2] / "bot"
PYTHON = BOT / ".venv" / "bin" / "python"
LEFT_OUT = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PYTEST_ADDOPTS", "PYTHONWARNINGS"}


@pytest.mark.skipif(
    not PYTHON.exists(), reason="the bot's environment is not there: run `uv sync --directory bot`"
)
def test_the_bots_own_suite() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    done = subprocess.run(
        [str(PYTHON), "-m", "pytest", "-q"],
        cwd=BOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(done.stdout[-20_000:] + done.stderr[-5_000:], pytrace=False)
