"""The conversations of tests/bot/stories/, with the real system."""

from __future__ import annotations

from collections import Counter

import pytest

from rapport.kit.languages import LANGUAGES
from tests.bot.story import Cast, Story, Telling, stories
from tests.stack import Stack

ALL = list(stories())


@pytest.fixture(scope="module")
def cast(stack: Stack) -> Cast:
    return Cast(stack)


@pytest.mark.parametrize("story", ALL, ids=[f"{story.file}: {story.name}" for story in ALL])
def test_story(stack: Stack, cast: Cast, story: Story) -> None:
    Telling(stack, cast, story).run()


def test_there_are_enough_in_each_language() -> None:
    told = Counter(story.language for story in ALL)
    assert sum(told.values()) >= 60
    assert min(told[language] for language in LANGUAGES) >= 12


def test_names_are_unique() -> None:
    assert [name for name, times in Counter((s.file, s.name) for s in ALL).items() if times > 1] == []
