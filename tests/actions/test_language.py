"""Which of the languages named in a message is the one asked for."""

from __future__ import annotations

import re

import pytest

from actions.language import wanted

WORDS = {
    **dict.fromkeys(("english", "inglés", "engelsk", "engleză"), "en"),
    **dict.fromkeys(("spanish", "español", "spansk", "spaniolă"), "es"),
    **dict.fromkeys(("norwegian", "noruego", "norsk", "norvegiană"), "nb"),
    **dict.fromkeys(("romanian", "rumano", "rumensk", "română"), "ro"),
}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("can we speak Spanish?", "es"),
        ("Spanish please, not Norwegian", "es"),
        ("not Norwegian, English please", "en"),
        ("I'd rather have Romanian instead of English", "ro"),
        ("kan vi ta det på spansk? kona mi snakker ikke norsk", "es"),
        ("jeg vil snakke engelsk, ikke norsk", "en"),
        ("beklager, jeg vil snakke norsk, ikke spansk", "nb"),
        ("heller engelsk i stedet for norsk", "en"),
        ("prefiero inglés, no español", "en"),
        ("en vez de español mejor inglés", "en"),
        ("hai pe română, nu engleză", "ro"),
        ("în loc de engleză aș vrea română", "ro"),
        ("I don't speak Norwegian", None),
        ("what did you say", None),
    ],
)
def test_wanted(text: str, language: str | None) -> None:
    found = [
        {"entity": "requested_language", "value": WORDS[match[0].lower()], "start": match.start()}
        for match in re.finditer("|".join(WORDS), text, re.IGNORECASE)
    ]
    assert wanted(text, found) == language
