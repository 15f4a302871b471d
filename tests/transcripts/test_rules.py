"""How a text is cut into what is marked and what is hidden."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.kit import clock
from rapport.privacy.personal import HIDDEN, Span
from rapport.transcripts import rules
from rapport.transcripts.rules import Part, parts, veiled

TEXT = "order 10234 for ann@example.com"
ORDER: dict[str, Any] = {"entity": "order_number", "value": "10234", "start": 6, "end": 11}
MAIL: dict[str, Any] = {"entity": "email", "value": "ann@example.com", "start": 16, "end": 31}


def test_parts_mark_what_was_found() -> None:
    assert parts(TEXT, [ORDER, MAIL], []) == [
        Part("order "),
        Part("10234", "order_number", "10234"),
        Part(" for "),
        Part("ann@example.com", "email", "ann@example.com"),
    ]


def test_personal_entities_are_hidden_with_their_values() -> None:
    hidden = veiled([Span(16, 31, "email")], [ORDER, MAIL], len(TEXT))
    assert parts(TEXT, [ORDER, MAIL], hidden)[-1] == Part(HIDDEN, "email", HIDDEN)
    name = {"entity": "name", "value": "Bo", "start": 0, "end": 5}
    assert parts(TEXT, [name], veiled([], [name], len(TEXT)))[0].text == HIDDEN


@pytest.mark.parametrize(
    "broken",
    [
        {"entity": "x"},
        {"entity": "x", "start": 5, "end": 5},
        {"entity": "x", "start": -1, "end": 3},
        {"entity": "x", "start": 0, "end": 999},
        {"entity": "x", "start": "0", "end": 3},
    ],
)
def test_entities_without_a_place_mark_nothing(broken: dict[str, Any]) -> None:
    assert parts(TEXT, [broken], []) == [Part(TEXT)]


spans = st.tuples(st.integers(0, 12), st.integers(1, 6)).map(lambda one: (one[0], one[0] + one[1]))


@given(st.text("abcdef", max_size=12), st.lists(spans), st.lists(spans))
def test_nothing_is_lost_or_doubled(
    text: str, found: list[tuple[int, int]], hid: list[tuple[int, int]]
) -> None:
    entities = [{"entity": "thing", "value": "v", "start": a, "end": b} for a, b in found]
    assert "".join(part.text for part in parts(text, entities, [])) == text
    inside = [Span(a, b, "name") for a, b in hid if b <= len(text)]
    hidden = veiled(inside, entities, len(text))
    kept = "".join(
        sign for place, sign in enumerate(text) if not any(s.start <= place < s.end for s in hidden)
    )
    shown = "".join(part.text for part in parts(text, entities, hidden))
    assert shown.replace(HIDDEN, "") == kept
    assert shown.count(HIDDEN) == len(hidden)


@pytest.mark.parametrize(
    ("intent", "confidence", "expected"),
    [
        (None, None, None),
        ("nlu_fallback", 0.9, "none"),
        ("out_of_scope", 0.99, "none"),
        ("greet", 0.49, "unsure"),
        ("greet", 0.5, "sure"),
        ("greet", None, "sure"),
    ],
)
def test_understanding(intent: str | None, confidence: float | None, expected: str | None) -> None:
    assert rules.understanding(intent, confidence) == expected


def test_sent_state() -> None:
    now = clock.now()
    assert rules.sent_state("sending", None, None) == "queued"
    assert rules.sent_state("sent", None, None) == "sent"
    assert rules.sent_state("sent", now, None) == "delivered"
    assert rules.sent_state("sent", now, now) == "read"
    assert rules.sent_state("failed", None, None) == "failed"
