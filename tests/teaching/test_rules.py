"""What may become an example, and when a model is not worse."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapport.kit.settings import ROOT
from rapport.privacy.personal import find
from rapport.teaching import rules
from rapport.teaching.files import MARKED, check_line
from rapport.teaching.rules import Example, Known, Step
from rapport.teaching.stand_ins import without_personal_data

SAMPLES = [
    "Where's my ORDER??",
    "¿Dónde está?",
    "Før jul, æøå",
    "mail me: a.b@c.example!",
    "12345 ok",
    "👍🏽",
    "",
    "ș ț",
]


def test_wording_is_the_models_own() -> None:
    """bot/nlu/text.py is plain Python, so it can be asked here, in a process of its own."""
    script = "import json, sys\nfrom bot.nlu.text import tokens\n"
    script += "print(json.dumps([' '.join(tokens(text)) for text in json.loads(sys.argv[1])]))"
    import json

    asked = subprocess.run(
        [sys.executable, "-c", script, json.dumps(SAMPLES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [rules.wording(text) for text in SAMPLES] == json.loads(asked.stdout)


@given(st.text(max_size=200))
def test_any_message_becomes_a_line_or_nothing(text: str) -> None:
    line = rules.as_example(text)
    if line:
        check_line(line)
    assert rules.as_example(line) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("where is\n my  order\t?", "where is my order ?"),
        ("/restart", "restart"),
        ("- - a list", "a list"),
        ("a [tent](category) please", "a tent please"),
        ("  ", ""),
        ("[a] (b)", "[a] (b)"),
    ],
)
def test_as_example(text: str, line: str) -> None:
    assert rules.as_example(text) == line
    assert not MARKED.search(line)


@pytest.mark.parametrize(
    ("text", "language", "learned"),
    [
        ("mail ola.nordmann@firma.no", "nb", r"mail \S+@example\.\w+"),
        ("where is FJ-10234", "en", "where is FJ-12345"),
        ("536365 is late", "en", "123456 is late"),
        ("call +47 412 34 567", "en", r"call \+47 123 45 678"),
        ("my name is john smith and i wait", "en", "my name is (emma|tom|lucy brown) and i wait"),
        ("code FJ-AAAA-BBBB fails", "en", "code FJ-2345-7KQM fails"),
        ("vivo en Calle Mayor 5", "es", "vivo en (Calle Mayor 12|Plaza Nueva 4)"),
        ("boots in 42", "en", "boots in 42"),
    ],
)
def test_stand_ins_have_the_shape_of_what_they_replace(text: str, language: str, learned: str) -> None:
    import re

    example = without_personal_data(text, language)
    assert re.fullmatch(learned, example)
    assert [span.kind for span in find(example)] == [span.kind for span in find(text)]
    assert without_personal_data(example, language) == example


KNOWN = [Example("track_order", "en", "Where is my order?"), Example("inform_code", "en", "123456")]


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (Example("track_order", "en", "where is MY order ?"), "known"),
        (Example("get_refund", "en", "where is my order?"), "conflict"),
        (Example("inform_order_number", "en", "654321"), None),
        (Example("get_refund", "en", "654321"), "conflict"),
        (Example("greet", "en", "good day to you"), "held_out"),
        (Example("greet", "en", "!!"), "empty"),
        (Example("greet", "en", "good day"), None),
    ],
)
def test_what_stands_against_an_example(wanted: Example, problem: str | None) -> None:
    known = Known(KNOWN, [Example("greet", "en", "Good day to you")])
    found = known.problem(wanted)
    assert (found[0] if found else None) == problem


def figures(overall: float, parity: float = 0.0, **languages: float) -> dict[str, Any]:
    def of(accuracy: float) -> dict[str, Any]:
        return {"messages": 100, "accuracy": accuracy, "out_of_scope_caught": 0.9, "in_scope_refused": 0.02}

    return {
        "overall": of(overall),
        "languages": {language: of(accuracy) for language, accuracy in languages.items()},
        "parity": {"nb": parity},
    }


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        (figures(0.94, en=0.95), figures(0.94, en=0.95), []),
        (figures(0.94, en=0.95), figures(0.96, en=0.95), []),
        (figures(0.94), figures(0.935), []),
        (figures(0.94), figures(0.934), ["understood"]),
        (figures(0.94, en=0.95, es=0.93), figures(0.95, en=0.97, es=0.919), ["understood es"]),
        (figures(0.94, en=0.95), figures(0.95), ["understood en"]),
        (figures(0.94, parity=-5.5), figures(0.95, parity=-5.6), ["parity nb"]),
        (figures(0.94, parity=-2), figures(0.95, parity=-4.9), []),
        (figures(0.94, parity=-7), figures(0.95, parity=-6), []),
    ],
)
def test_a_model_goes_live_only_if_it_is_not_worse(
    before: dict[str, Any], after: dict[str, Any], worse: list[str]
) -> None:
    reasons = rules.worse(before, after)
    assert [f"{reason['what']} {reason['language']}".strip() for reason in reasons] == worse


def test_out_of_scope_and_refusals_count_as_well() -> None:
    before, after = figures(0.94), figures(0.94)
    after["overall"] |= {"out_of_scope_caught": 0.86, "in_scope_refused": 0.031}
    assert [reason["what"] for reason in rules.worse(before, after)] == ["scope", "refused"]
    before["overall"]["out_of_scope_caught"] = None
    assert [reason["what"] for reason in rules.worse(before, after)] == ["refused"]


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_same_or_better_is_never_worse(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert rules.worse(figures(low, en=low), figures(high, en=high)) == []


def test_what_a_model_understands_otherwise() -> None:
    before = [("en", "a", "greet", "deny"), ("en", "b", "greet", "deny")]
    after = [("en", "b", "greet", "thank"), ("es", "c", "thank", "nlu_fallback")]
    assert rules.changed(before, after) == ([after[1]], [before[0]])
    assert rules.by_intent({"greet": 5, "thank": 2, "deny": 1}, before, after) == [
        {"intent": "thank", "messages": 2, "before": 2, "after": 1},
        {"intent": "greet", "messages": 5, "before": 3, "after": 4},
    ]


STEPS = [Step(1, "a", "b"), Step(2, "b", "c"), Step(3, "a", "d")]


@pytest.mark.parametrize(
    ("live", "target", "out", "into"),
    [
        ("c", "a", [2, 1], []),
        ("c", "b", [2], []),
        ("a", "c", [], [1, 2]),
        ("c", "d", [2, 1], [3]),
        ("c", "c", [], []),
        (None, "b", [], [1]),
        ("x", "a", [], []),
    ],
)
def test_the_way_to_another_model(live: str | None, target: str, out: list[int], into: list[int]) -> None:
    assert rules.way(STEPS, live, target) == (out, into)
