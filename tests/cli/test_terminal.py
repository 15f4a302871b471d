"""What customers wrote cannot steer the terminal of who reads the log."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rapport.cli import log
from rapport.cli.terminal import plain
from rapport.conversations.log import Entry, Summary, Transcript

AT = datetime(2026, 11, 22, tzinfo=UTC)


def test_control_characters_are_shown_as_such() -> None:
    assert plain("a\x1b[2J\x9b1mb\rc\bd\te\n👩‍🚀é") == "a�[2J�1mb�c�d\te\n👩‍🚀é"


def test_the_log_lets_no_escape_sequence_through(capsys: pytest.CaptureFixture[str]) -> None:
    said = "[bold]\x1b]0;owned\x07\x1b[2J hello"
    entities = [{"entity": "product", "value": said}]
    entry = Entry(1, AT, "customer", "answered", said, "en", "greet", 1, entities, [], 1, None, [], None)
    log.show(Transcript(Summary("0" * 32, "web", "en", "bot", None, 1, 0, 1, AT, AT), [entry]))
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert shown.count("[bold]�]0;owned��[2J hello") == 2
