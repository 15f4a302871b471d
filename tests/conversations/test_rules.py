"""The rules of conversations."""

from __future__ import annotations

import pytest

from rapport.conversations.rules import complaint_story

STORY = "The zip of the tent you sold me last week broke on the very first night"


@pytest.mark.parametrize(
    ("opening", "answer", "story"),
    [
        (None, "It broke", "It broke"),
        ("I want to make a complaint", "It broke", "It broke"),
        (STORY, "It was in the mountains", f"{STORY}\n\nIt was in the mountains"),
        (STORY, STORY, STORY),
        ("", "It broke", "It broke"),
    ],
)
def test_a_complaint_that_was_told_at_once_is_not_lost(opening: str | None, answer: str, story: str) -> None:
    assert complaint_story(opening, answer) == story
