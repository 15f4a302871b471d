"""Counting the words that tell a mood."""

from __future__ import annotations

import math

import pytest

from rapport.mentions.cues import Cues

GROUPS = {
    "not": "not, never",
    "good": "good, very good, recommend*, worth it",
    "bad": "bad, fell apart, no refund*",
}
ONCE = math.log1p(1)


@pytest.mark.parametrize(
    ("text", "good", "not_good", "bad"),
    [
        ("A good shop", ONCE, 0, 0),
        ("Very GOOD!", ONCE, 0, 0),  # the longer one, once
        ("good, very good", math.log1p(2), 0, 0),
        ("recommended", ONCE, 0, 0),
        ("worth-it", ONCE, 0, 0),
        ("worth nothing", 0, 0, 0),
        ("not a very good one", 0, ONCE, 0),
        ("not in the least, they say, good", ONCE, 0, 0),  # too far away
        ("good, or not", ONCE, 0, 0),  # it turns what stands behind it
        ("It fell apart, and no refunds", 0, 0, math.log1p(2)),
        ("fell over", 0, 0, 0),
        ("", 0, 0, 0),
    ],
)
def test_words_and_phrases_are_counted_and_turned_round(
    text: str, good: float, not_good: float, bad: float
) -> None:
    assert Cues(GROUPS).row(text)[:4] == [good, not_good, bad, 0]


def test_every_text_has_a_row_as_long_as_the_others() -> None:
    rows = Cues(GROUPS).rows(
        ["", "Good?", 'my "premium" jacket 😡 100 % LOST... @shop https://a.example #no']
    )
    assert rows.shape[0] == 3
    assert (rows[0] == 0).all()
    assert len({tuple(row) for row in rows}) == 3


def test_what_turns_round_must_be_told() -> None:
    with pytest.raises(KeyError):
        Cues({"good": "good"})
