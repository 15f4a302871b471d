"""How many points a message names, in four languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.conversations.point_amounts import said, wanted
from rapport.kit.format import number
from rapport.kit.languages import LANGUAGES


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("use 300 points", 300),
        ("1.250 puntos", 1250),
        ("1 250 poeng", 1250),
        ("20 de puncte", 20),
        ("take 1,500 points on order FJ-10001", 1500),
        ("make it 200 instead", 200),
        ("all of them", "all"),
        ("todos", "all"),
        ("alle sammen", "all"),
        ("toate", "all"),
        ("la mitad", "half"),
        ("halvparten", "half"),
        ("jumătate din ele", "half"),
        ("half of them", "half"),
        ("use my points", None),
        ("canjear mis puntos", None),
        ("100 or 200?", None),
        ("FJ-10001", None),
        ("2.5 kg", None),
        ("", None),
    ],
)
def test_amounts(text: str, amount: int | str | None) -> None:
    assert wanted(text) == amount


@given(st.integers(0, 9_999_999), st.sampled_from(LANGUAGES))
def test_numbers_as_each_language_writes_them(value: int, language: str) -> None:
    assert wanted(f"{number(value, language)} points") == value


@given(st.text(max_size=200))
def test_any_text_is_taken(text: str) -> None:
    amount = said(text)
    assert amount is None or amount >= 0


def test_a_number_in_a_long_message_may_count_anything() -> None:
    assert said("200 please") == 200
    assert said("my sister and I ordered 3 of the tents you have") is None
    assert said("my sister and I would like to use 300 points of ours") == 300
