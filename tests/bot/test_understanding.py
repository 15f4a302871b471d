"""How well the real model understands messages it has never seen, in each language: the bars it must reach.

The messages in tests/nlu/held_out/ were written without sight of the training data, and nobody tunes to them:
when a bar is missed, more examples are written from docs/intents.md, not from these messages.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from rapport.kit.languages import DEFAULT_LANGUAGE, LANGUAGES
from tests.stack import Stack

Figures = dict[str, Any]

FEWEST_MESSAGES = 300
LEAST_UNDERSTOOD = 0.88
MOST_POINTS_BEHIND_ENGLISH = 5.0
LEAST_OUT_OF_SCOPE_CAUGHT = 0.85
MOST_IN_SCOPE_REFUSED = 0.03


def nlu(stack: Stack, *arguments: str) -> Figures:
    """The JSON that a `rapport nlu` command prints, also when it ends with mistakes found."""
    done = subprocess.run(
        [sys.executable, "-m", "rapport.cli", "nlu", *arguments, "--json"],
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout, done.stderr
    report: Figures = json.loads(done.stdout)
    return report


@pytest.fixture(scope="module")
def report(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Figures:
    """What the model that `rapport up` trained makes of the held-out messages."""
    return nlu(stack, "evaluate", "--out", str(tmp_path_factory.mktemp("nlu")))


@pytest.fixture(scope="module")
def found(stack: Stack) -> Figures:
    """What is wrong with the training data."""
    return nlu(stack, "lint")


def test_each_language_is_held_to_as_many_messages(report: Figures) -> None:
    assert sorted(report["languages"]) == sorted(LANGUAGES)
    assert [
        language
        for language, figures in report["languages"].items()
        if figures["messages"] < FEWEST_MESSAGES or not figures["out_of_scope_messages"]
    ] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_most_messages_are_understood(report: Figures, language: str) -> None:
    assert report["languages"][language]["accuracy"] >= LEAST_UNDERSTOOD


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != DEFAULT_LANGUAGE])
def test_no_language_trails_english(report: Figures, language: str) -> None:
    assert report["parity"][language] >= -MOST_POINTS_BEHIND_ENGLISH


def test_out_of_scope_is_caught_and_little_else_refused(report: Figures) -> None:
    assert report["overall"]["out_of_scope_caught"] >= LEAST_OUT_OF_SCOPE_CAUGHT
    assert report["overall"]["in_scope_refused"] <= MOST_IN_SCOPE_REFUSED


def test_the_training_data_has_no_mistakes_and_nothing_of_the_held_out_set(
    found: Figures, report: Figures
) -> None:
    assert found["held_out"] == report["overall"]["messages"]
    assert found["errors"] == []
