"""The bot's own tests run on the bot's own Python; here they take part in the whole run."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from rapport.cli import bot_environment


def test_the_bots_own_suite() -> None:
    uv = os.environ.get("UV") or shutil.which("uv")
    # `uv run` also installs what only the tests need; without uv, what is there has to do.
    runner = [uv, "run", "--locked", "--directory", str(bot_environment.BOT), "python"]
    command = runner if uv else [str(bot_environment.python())]
    done = subprocess.run(
        [*command, "-m", "pytest", "-q"],
        # uv changes the folder itself; started there, pyenv would look for a uv of Python 3.10.
        cwd=None if uv else bot_environment.BOT,
        env=bot_environment.clean_environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(done.stdout[-20_000:] + done.stderr[-5_000:], pytrace=False)
