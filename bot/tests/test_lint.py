"""Mistakes in training data are found, and what is no mistake is left alone."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.evaluation.similar import near_pairs, vectors
from bot.lint import FEWEST, lint

SOUNDS = [first + second for first in "bdfgklmnprstv" for second in ("a", "ei", "o", "u", "y")]


def words(number: int, seed: object) -> list[str]:
    """Utterances without meaning, none like another."""
    chance = random.Random(str(seed))
    return [
        " ".join("".join(chance.choices(SOUNDS, k=chance.randint(2, 4))) for _ in range(5))
        for _ in range(number)
    ]


class Project:
    """A small one without mistakes: two intents, a form answer, two languages."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.held_out = folder, folder / "held_out.csv"
        self.examples = {
            (intent, language): words(FEWEST, (intent, language))
            for intent in ("greet", "track_order")
            for language in ("en", "nb")
        }
        self.examples["inform_code", "en"] = ["123456", "654321", "my code is 111111", "my code is 222222"]
        self.examples["inform_code", "nb"] = ["koden er 123456"]
        self.messages: list[tuple[str, str]] = []

    def lint(self, errors_only: bool = False) -> dict[str, Any]:
        domain = "intents: [greet, track_order, inform_code, nlu_fallback]\nentities: [product]\n"
        (self.folder / "domain.yml").write_text(f'version: "3.1"\n{domain}', encoding="utf-8")
        blocks = [
            f"- intent: {intent}\n"
            + (f"  metadata: {{language: {language}}}\n" if language else "")
            + "  examples: |\n"
            + "".join(f"    - {text}\n" for text in texts)
            for (intent, language), texts in self.examples.items()
        ]
        (self.folder / "data" / "nlu").mkdir(parents=True, exist_ok=True)
        (self.folder / "data" / "nlu" / "all.yml").write_text(
            'version: "3.1"\nnlu:\n' + "".join(blocks), encoding="utf-8"
        )
        rows = "".join(f"{intent},{text}\n" for intent, text in self.messages)
        self.held_out.write_text(f"intent,text\n{rows}", encoding="utf-8")
        return lint(self.folder, [self.held_out] if self.messages else [], errors_only)


@pytest.fixture
def small(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_nothing_to_find(small: Project) -> None:
    small.messages = [("greet", text) for text in words(20, "held out")]
    report = small.lint()
    assert (report["errors"], report["warnings"], report["near_duplicates"]) == ([], [], [])
    assert (report["examples"], report["held_out"]) == (4 * FEWEST + 5, 20)
    assert report["balance"]["intents"]["inform_code"] == {"en": 4, "nb": 1}
    assert report["balance"]["largest_to_smallest"] == 1.0


def test_one_utterance_under_two_intents_however_it_is_written(small: Project) -> None:
    small.examples["greet", "nb"].append("Hvor er Pakken, 10234?")
    small.examples["track_order", "nb"].append("hvor ér pakken 99999 ?")
    small.examples["track_order", "en"].append("654321")
    first, second = small.lint()["errors"]
    assert "«Hvor er Pakken, 10234?» (greet, nb) and «hvor ér pakken 99999 ?» (track_order, nb)" in first
    assert "(track_order, en)" in second and "(inform_code, en)" in second


def test_too_few_examples_in_a_language(small: Project) -> None:
    small.examples["greet", "nb"].pop()
    del small.examples["track_order", "en"]
    assert small.lint()["errors"] == [
        f"greet has {FEWEST - 1} examples in nb: at least {FEWEST} are needed",
        f"track_order has 0 examples in en: at least {FEWEST} are needed",
    ]
    assert small.lint()["balance"]["largest_to_smallest"] == pytest.approx((2 * FEWEST - 1) / FEWEST)


def test_an_entity_the_domain_does_not_have(small: Project) -> None:
    small.examples["greet", "en"] += ["kafano [tent](product) ludigu", "mi [Bo](person) balusoma"]
    assert small.lint()["errors"] == ["data/nlu marks person, which domain.yml does not list"]


def test_examples_that_do_not_tell_their_language(small: Project) -> None:
    small.examples["greet", ""] = words(3, "no language")
    assert small.lint()["warnings"] == ["3 examples of greet do not tell their language"]


def test_near_duplicates_are_counted_within_and_listed_across_intents(small: Project) -> None:
    text = "I would really like to know where my parcel stays"
    small.examples["track_order", "en"] += [text, text + "s"]
    report = small.lint()
    assert report["near_duplicates"] == [
        {"intent": "track_order", "pairs": 1, "examples": [[text, text + "s"]]}
    ]
    assert report["warnings"] == report["errors"] == []
    small.examples["greet", "en"].append(text + "!!! a")
    report = small.lint()
    assert len(report["warnings"]) == 2
    assert all("nearly the same" in line and "(greet, en)" in line for line in report["warnings"])
    assert small.lint(errors_only=True)["warnings"] == []


def test_a_held_out_message_that_was_seen(small: Project) -> None:
    known = small.examples["greet", "nb"][7]
    small.messages = [
        ("greet", known.upper()),
        ("track_order", known + "a"),
        ("inform_code", "333333"),
        *(("greet", text) for text in words(5, "held out")),
    ]
    errors = small.lint()["errors"]
    assert len(errors) == 2
    assert f"(1.00): «{known.upper()}» (greet) as «{known}» (greet, nb)" in errors[0]
    assert "(track_order)" in errors[1]


def test_a_project_without_examples(small: Project) -> None:
    small.examples = {}
    with pytest.raises(Exception, match="examples"):
        small.lint()


def near(texts: Sequence[str]) -> list[tuple[int, int]]:
    return [(one, two) for two, one, _ in near_pairs(vectors(texts))]


def test_texts_without_a_word_are_like_nothing() -> None:
    assert near(["", "...", "!"]) == []
    assert near(["", "hello", "Hello!", "..."]) == [(1, 2)]


def test_more_texts_than_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.evaluation.similar.ROWS_AT_ONCE", 3)
    texts = words(8, 1)
    assert near([*texts, texts[0], texts[7]]) == [(0, 8), (7, 9)]
