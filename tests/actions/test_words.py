"""Words for the placeholders of responses, and the titles of buttons."""

from __future__ import annotations

import pytest

from actions.words import button_intents, intent_button, language_name
from tests.bot import project

LONGEST_TITLE = 24
# Said or answered, but nothing one would be offered to press.
NEVER_OFFERED = {
    "greet",
    "goodbye",
    "thank",
    "affirm",
    "deny",
    "bot_challenge",
    "out_of_scope",
    "nlu_fallback",
    "inform_email",
    "inform_code",
    "inform_order_number",
    "inform_rating",
    "resend_code",
}


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


def test_every_intent_to_be_offered_has_a_button() -> None:
    assert button_intents() == set(project.intents()) - NEVER_OFFERED


@pytest.mark.parametrize("language", project.LANGUAGES)
def test_buttons_are_short_and_told_apart(language: str) -> None:
    titles = {}
    for intent in sorted(button_intents()):
        title, payload = intent_button(intent, language)
        assert title == title.strip() and 0 < len(title) <= LONGEST_TITLE, title
        assert payload == f"/{intent}"
        assert titles.setdefault(title, intent) == intent
