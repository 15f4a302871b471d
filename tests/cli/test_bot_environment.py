"""Installing the bot's environment: what goes wrong is said in one clear line.

The script in the place of uv prints what uv 0.13 prints and ends as it does.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest

from rapport.cli import bot_environment
from rapport.kit.errors import ConfigurationError

NO_PYTHON = """error: Request failed after 3 retries in 11.2s
  cause: Failed to download `https://github.com/astral-sh/python-build-standalone/releases/download/x.tar.gz`
  cause: error resolving DNS"""
NO_DOWNLOAD = (
    "error: No interpreter found for Python ==3.10.* in virtual environments or managed installations"
)
WITH_A_HELPER = """
import subprocess, sys, time
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"])
print(helper.pid, flush=True)
time.sleep(20)
"""
OTHER = "error: The lockfile at `uv.lock` needs to be updated, but `--locked` was provided."


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script where `uv run` says that uv is."""
    script = tmp_path / "uv"
    script.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\ncat {tmp_path}/output\nexit $(cat {tmp_path}/code)\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("UV", str(script))
    return tmp_path


def answer(uv: Path, output: str, code: int) -> None:
    (uv / "output").write_text(output + "\n", encoding="utf-8")
    (uv / "code").write_text(str(code), encoding="utf-8")


@pytest.mark.parametrize("output", [NO_PYTHON, NO_DOWNLOAD])
def test_a_missing_python_is_named_with_what_to_do(uv: Path, output: str) -> None:
    answer(uv, output, 2)
    with pytest.raises(ConfigurationError, match=r"Python 3\.10.*uv python install 3\.10"):
        bot_environment.sync(lambda _: None)


def test_another_failure_shows_what_uv_said(uv: Path) -> None:
    answer(uv, OTHER, 2)
    with pytest.raises(ConfigurationError, match="needs to be updated"):
        bot_environment.sync(lambda _: None)


def test_progress_is_told_line_by_line(uv: Path) -> None:
    answer(uv, "Downloading rasa\nInstalled 164 packages", 0)
    said: list[str] = []
    bot_environment.sync(said.append)
    assert said == ["Downloading rasa", "Installed 164 packages"]
    assert "--locked" in (uv / "arguments").read_text(encoding="utf-8")


def test_a_missing_uv_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigurationError, match="uv is not installed"):
        bot_environment.sync(lambda _: None)


def test_our_own_environment_does_not_leak_into_the_bots(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in bot_environment.FOREIGN_VARIABLES:
        monkeypatch.setenv(name, "/ours")
    environment = bot_environment.clean_environment(EXTRA="1")
    assert environment["EXTRA"] == "1"
    assert not set(bot_environment.FOREIGN_VARIABLES) & environment.keys()


def test_what_is_stopped_ends_at_once_with_its_helpers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot_environment, "python", lambda: Path(sys.executable))
    helpers: list[psutil.Process] = []
    began = time.monotonic()
    code, _ = bot_environment.run(
        "train",
        ["-c", WITH_A_HELPER],
        tmp_path,
        lambda line: helpers.append(psutil.Process(int(line))),
        lambda: bool(helpers),
    )
    assert code == -9
    assert time.monotonic() - began < 10
    (helper,) = helpers
    helper.wait(5)
