"""Whether spaCy's tokenisers understand more than our own regular expression.

    uv run --group bench python -m bench.tokenisers

The same classifier (bot/nlu/) learns from words cut by ours and by spaCy's blank tokenisers for the four
languages, each told the right language, which the bot itself would have to guess. Words are folded alike.
Accuracy is that of the best intent, on five folds of data/nlu/ and on the held-out messages; the time is that
of cutting one message and scoring it, the two taking turns. What came out: docs/adr/0007-no-spacy.md.
"""

from __future__ import annotations

import csv
import re
import statistics
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from unittest import mock

import numpy as np
import spacy
from sklearn.model_selection import StratifiedKFold
from spacy.language import Language

from bot.nlu import features
from bot.nlu.features import Vocabulary
from bot.nlu.model import fit
from bot.nlu.text import MAX_CHARS, MAX_WORD, fold, tokens
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import ROOT
from tests.bot.project import examples

C = 2.0
FOLDS = 5
ROUNDS = 5
Cut = Callable[[str], list[str]]
Labelled = tuple[str, str, str]  # text, intent, language
Classifier = tuple[Vocabulary, np.ndarray, np.ndarray]
_MARKED = re.compile(r"\[([^\]]+)\](?:\([^)]*\)|\{[^}]*\})")


class SpacyTokens:
    """Cuts as spaCy does; which language a text is in has been told before."""

    def __init__(self, messages: Sequence[Labelled]) -> None:
        self._language_of = {text: language for text, _, language in messages}
        self._pipelines: dict[str, Language] = {language: spacy.blank(language) for language in LANGUAGES}

    def __call__(self, text: str) -> list[str]:
        cut = self._pipelines[self._language_of[text]].tokenizer(
            unicodedata.normalize("NFC", text[:MAX_CHARS])
        )
        kept = (token for token in cut if not token.is_space and (not token.is_punct or token.text == "?"))
        return ["emailaddress" if t.like_email else re.sub(r"\d", "0", fold(t.text)[:MAX_WORD]) for t in kept]


def training() -> list[Labelled]:
    """The project's examples, without their marks of entities."""
    return [
        (_MARKED.sub(r"\1", text), intent, language)
        for (intent, language), texts in examples().items()
        for text in texts
    ]


def held_out() -> list[Labelled]:
    """The messages that nobody learns from."""
    found = []
    for language in LANGUAGES:
        with (ROOT / "tests" / "nlu" / "held_out" / f"{language}.csv").open(encoding="utf-8") as lines:
            found += [(row["text"], row["intent"], language) for row in csv.DictReader(lines)]
    return found


def learn(counted: Sequence[Counter], intents: Sequence[str], names: Sequence[str]) -> Classifier:
    vocabulary = Vocabulary.of(counted)
    truth = np.array([names.index(intent) for intent in intents])
    return vocabulary, *fit(vocabulary.matrix(counted), truth, len(names), C)


def right(classifier: Classifier, counted: Sequence[Counter], truth: np.ndarray) -> np.ndarray:
    """Which of some messages are understood."""
    vocabulary, weights, bias = classifier
    return np.asarray((vocabulary.matrix(counted) @ weights + bias).argmax(axis=1) == truth)


def score(cut: Cut, classifier: Classifier, text: str) -> float:
    """Seconds for one message."""
    vocabulary, weights, bias = classifier
    with mock.patch.object(features, "tokens", cut):
        began = time.perf_counter()
        row = vocabulary.row(text)
        if row is not None:
            columns, values = row
            (values @ weights[columns] + bias).argmax()
        return time.perf_counter() - began


def measure(
    cut: Cut, known: Sequence[Labelled], unseen: Sequence[Labelled]
) -> tuple[dict[str, float], Classifier]:
    """Accuracies by what they were measured on, and the classifier that learnt from all of `known`."""
    names = sorted({intent for _, intent, _ in known})
    intents = [intent for _, intent, _ in known]
    truth = np.array([names.index(intent) for intent in intents])
    features._in_training.cache_clear()
    with mock.patch.object(features, "tokens", cut):
        counted = [Counter(features.features(text)) for text, _, _ in known]
        counted_unseen = [Counter(features.features(text)) for text, _, _ in unseen]
    understood = np.zeros(len(known), dtype=bool)
    for seen, left in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(truth, truth):
        part = learn([counted[i] for i in seen], [intents[i] for i in seen], names)
        understood[left] = right(part, [counted[i] for i in left], truth[left])
    whole = learn(counted, intents, names)
    meant = np.array([names.index(intent) if intent in names else -1 for _, intent, _ in unseen])
    of_unseen = right(whole, counted_unseen, meant)
    languages = np.array([language for _, _, language in unseen])
    result = {"five folds": float(understood.mean()), "held out": float(of_unseen.mean())}
    for language in LANGUAGES:
        of_it = np.array([known_language == language for _, _, known_language in known])
        result[f"five folds, {language}"] = float(understood[of_it].mean())
        result[f"held out, {language}"] = float(of_unseen[languages == language].mean())
    return result, whole


def main() -> None:
    known, unseen = training(), held_out()
    print(f"{len(known)} examples, {len(unseen)} held-out messages, spaCy {spacy.__version__}")
    cuts: list[Cut] = [tokens, SpacyTokens([*known, *unseen])]
    (ours, our_classifier), (theirs, their_classifier) = (measure(cut, known, unseen) for cut in cuts)
    print(f"{'':<16}{'ours':>8}{'spaCy':>8}{'points':>8}")
    for name in sorted(ours):
        print(f"{name:<16}{ours[name]:>8.3f}{theirs[name]:>8.3f}{100 * (theirs[name] - ours[name]):>+8.1f}")
    takes = [partial(score, cuts[0], our_classifier), partial(score, cuts[1], their_classifier)]
    times: list[list[float]] = [[], []]
    for text, _, _ in unseen:
        for take, of_it in zip(takes, times, strict=True):
            of_it.append(min(take(text) for _ in range(ROUNDS)))
    medians = [statistics.median(of_it) * 1e6 for of_it in times]
    print(f"a message, µs   {medians[0]:>8.0f}{medians[1]:>8.0f}{medians[1] / medians[0]:>7.1f}x")


if __name__ == "__main__":
    main()
