"""The command line beside a running installation."""

from __future__ import annotations

import subprocess
import sys

from tests.stack import Stack


def test_a_running_installation_is_healthy_and_chats_in_the_terminal(stack: Stack) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "rapport.cli", "doctor"],
        env=stack.environment | {"RAPPORT_PORT": str(stack.port)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    assert "yes, on" in checked.stdout
    chatted = subprocess.run(
        [sys.executable, "-m", "rapport.cli", "chat", "--url", stack.url, "--language", "nb"],
        input="hei\nhva kan du gjøre?\n1\n\n",
        env=stack.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert chatted.stdout.count("bot ") >= 3
