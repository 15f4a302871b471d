"""What may stand in a canned reply, and how it is filled in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.kit.errors import InvalidInputError
from rapport.replies import rules


@pytest.mark.parametrize(
    "text",
    [
        "{price}",
        "{name.__class__}",
        "{name!r}",
        "{name:>99999999}",
        "{0}",
        "{}",
        "{{name}}",
        "{name",
        "name}",
        "{na{name}me}",
        "a" * 2001,
        "\0",
    ],
)
def test_hostile_and_broken_texts_are_refused(text: str) -> None:
    with pytest.raises((InvalidInputError, ValueError)):
        rules.checked_text(text)


def test_a_text_needs_one_language_and_says_which_are_missing() -> None:
    texts = rules.checked_texts({"en": " Hi {name} ", "nb": "", "xx": "Hi"})
    assert texts == {"en": "Hi {name}"}
    assert rules.missing(texts) == ("es", "nb", "ro")
    with pytest.raises(InvalidInputError):
        rules.checked_texts({"en": "  "})


def test_what_is_known_is_filled_in_and_the_rest_stays_visible() -> None:
    filled = rules.fill("Hi {name}, order {order}", {"name": "{order}", "order": None})
    assert filled == "Hi {order}, order {order}", "a name is never read as a placeholder"
    assert rules.unfilled("Hi Ann, order {order}") == ("order",)
    assert rules.unfilled("a {set} of") == ()


@given(st.text(alphabet="{}name!.:_ ", max_size=30))
def test_whatever_passes_can_be_filled(text: str) -> None:
    try:
        kept = rules.checked_text(text)
    except (InvalidInputError, ValueError):
        return
    assert "{" not in rules.fill(kept, dict.fromkeys(rules.PLACEHOLDERS, "x"))


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("/Hello", "hello"), ("a-1", "a-1"), (" x ", "x"), ("", None), ("-a", None), ("é", None)],
)
def test_shortcuts(typed: str, kept: str | None) -> None:
    if kept:
        assert rules.checked_shortcut(typed) == kept
        return
    with pytest.raises(InvalidInputError):
        rules.checked_shortcut(typed)
