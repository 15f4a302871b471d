"""Complaint, doubt, praise, neutral: how often the classifier is right, and what it learns from."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz import fuzz, process

from rapport.kit.languages import LANGUAGES
from rapport.mentions.classify import DATA, KINDS, classify, classify_all, examples
from rapport.mentions.social import tokens
from tests.mentions.examples import confusion, held_out, judged

BAR = 0.80
PER_KIND = 130
# Percent of likeness at which two texts are the same with a word or two changed.
TOO_ALIKE = 85


@pytest.mark.parametrize("language", LANGUAGES)
def test_four_of_five_unseen_texts_are_taken_for_what_they_are(language: str) -> None:
    counts = confusion(language)
    right = counts.trace() / counts.sum()
    assert right >= BAR, f"{right:.3f}\n{counts}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_confidence_is_how_often_it_is_right(language: str) -> None:
    sure = [verdict.kind == kind for verdict, kind in judged(language) if verdict.confidence >= 0.8]
    unsure = [verdict.kind == kind for verdict, kind in judged(language) if verdict.confidence < 0.6]
    assert len(sure) > len(held_out(language)) / 4
    assert sum(sure) / len(sure) > 0.80 > 0.75 > sum(unsure) / len(unsure)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_it_learns_from_is_enough_and_even(language: str) -> None:
    learnt = examples(language)
    counts = Counter(kind for _, kind in learnt)
    assert set(counts) == set(KINDS)
    assert min(counts.values()) >= PER_KIND
    assert max(counts.values()) <= 2 * min(counts.values())
    twice = [text for text, times in Counter(_plain(text) for text, _ in learnt).items() if times > 1]
    assert twice == []  # not under two kinds, and not twice under one
    assert [text for text, _ in learnt if not tokens(text)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_unseen_text_is_like_a_learnt_one(language: str) -> None:
    # Thanks, hearts and the like come alike from everybody; what is longer does not.
    learnt = [_plain(text) for text, _ in examples(language)]
    unseen = [_plain(text) for text, _ in held_out(language) if len(text) > 20]
    likeness = process.cdist(unseen, learnt, scorer=fuzz.ratio, score_cutoff=TOO_ALIKE).max(axis=1)
    assert [number for number, alike in enumerate(likeness) if alike] == []  # without showing the texts


@settings(max_examples=25, deadline=None)  # the first waits until the models have learnt
@given(texts=st.lists(st.text(max_size=300), min_size=1), language=st.sampled_from([*LANGUAGES, "de", ""]))
def test_any_text_has_a_verdict(texts: list[str], language: str) -> None:
    verdicts = classify_all(texts, language)
    assert len(verdicts) == len(texts)
    for kind, confidence in verdicts:
        assert kind in KINDS
        assert 1 / len(KINDS) - 1e-9 <= confidence <= 1


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("https://example.com/a?b=1 hi", "www.example.org hi"),
        ("@fjordly@mastodon.example hi", "@other hi"),
        ("#WheresMyOrder", "wheres my order"),
        ("sooooooo good", "soo good"),
        ("AȘTEPT DE 20 DE ZILE", "astept de 5 de zile"),
        ("don’t!!!!!!", "don't!!"),
    ],
)
def test_ways_of_writing_the_same(text: str, same: str) -> None:
    assert tokens(text) == tokens(same)


def test_an_emoji_tells_its_mood_in_any_language() -> None:
    assert {classify("😡🤬", language).kind for language in (*LANGUAGES, "de")} == {"complaint"}
    assert {classify("❤️👏", language).kind for language in (*LANGUAGES, "de")} == {"praise"}


def test_every_language_has_its_file() -> None:
    assert {file.stem for file in DATA.glob("*.yml")} == set(LANGUAGES)


def _plain(text: str) -> str:
    return " ".join(tokens(text))
