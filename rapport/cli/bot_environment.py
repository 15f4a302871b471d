"""The bot's own environment: Python 3.10 with Rasa, in bot/.venv, made by uv."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import ROOT

BOT = ROOT / "bot"
# Left in place, each of these would make uv or Python look at our environment instead of the bot's.
FOREIGN_VARIABLES = ("VIRTUAL_ENV", "PYENV_VERSION", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT", "PYTHONPATH")


def clean_environment(**extra: str) -> dict[str, str]:
    """This process's environment without what ties it to our own Python, plus `extra`."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN_VARIABLES}
    return kept | extra


def python() -> Path:
    """The bot's Python; it exists only after `sync`."""
    folder = "Scripts" if os.name == "nt" else "bin"
    return BOT / ".venv" / folder / "python"


def run(
    name: str,
    arguments: Sequence[str | Path],
    folder: Path,
    say: Callable[[str], None],
    stopped: Callable[[], bool] | None = None,
) -> tuple[int, list[str]]:
    """Run the bot's Python in `folder`: its exit code and all lines, each given to `say` as it comes.

    `name` is what the script puts before each of its lines; it is taken off. It ends when this process goes,
    and when `stopped` says so, which is asked twice a second.
    """
    lines: list[str] = []
    ours, theirs = os.pipe()
    try:
        with subprocess.Popen(
            [python(), *arguments],
            cwd=folder,
            env=clean_environment(PYTHONUNBUFFERED="1", RAPPORT_PARENT_PIPE=str(ours)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=(ours,),
            # Training has helpers, which must end with it.
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            ended = threading.Event()
            try:
                if stopped is not None:
                    threading.Thread(target=_watch, args=(process, stopped, ended), daemon=True).start()
                for line in process.stdout:
                    if words := line.strip().removeprefix(f"{name}: "):
                        lines.append(words)
                        say(words)
            except BaseException:
                _end(process)
                raise
            finally:
                ended.set()
    finally:
        os.close(ours)
        os.close(theirs)
    return process.returncode, lines


def _watch(process: subprocess.Popen[str], stopped: Callable[[], bool], ended: threading.Event) -> None:
    while not ended.wait(0.5):
        if stopped():
            _end(process)
            return


def _end(process: subprocess.Popen[str]) -> None:
    """Ends it and its helpers, which keep its output open."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def sync(say: Callable[[str], None]) -> None:
    """Install what bot/uv.lock names; takes a fraction of a second when all is there.

    Raises ConfigurationError when uv or a Python 3.10 is missing or the installation fails.
    """
    # `uv run` says in UV where uv itself is.
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise ConfigurationError("uv is not installed: https://docs.astral.sh/uv/ (or: pip install uv)")
    lines: list[str] = []
    with subprocess.Popen(
        # --inexact: what the tests added to the environment stays.
        [uv, "sync", "--locked", "--no-dev", "--inexact", "--directory", str(BOT)],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            say(line.strip())
    if process.returncode == 0:
        return
    output = "\n".join(lines)
    if "python-build-standalone" in output or "No interpreter found" in output:
        raise ConfigurationError(
            "Rasa needs Python 3.10 and uv could neither find nor download one. "
            "Install it (e.g. `uv python install 3.10` or `pyenv install 3.10`) and try again."
        )
    raise ConfigurationError(f"The bot's environment could not be installed:\n{output[-2000:]}")
