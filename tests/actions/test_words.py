"""Words for the placeholders of responses."""

from __future__ import annotations

import pytest

from actions.words import language_name


@pytest.mark.parametrize(
    ("named", "language", "expected"),
    [
        ("en", "nb", "engelsk"),
        ("nb", "en", "Norwegian Bokmål"),
        ("es", "ro", "spaniolă"),
        ("ro", "es", "rumano"),
        ("xx", "en", "xx"),
    ],
)
def test_a_language_is_named_in_the_customers(named: str, language: str, expected: str) -> None:
    assert language_name(named, language) == expected
