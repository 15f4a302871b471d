"""How well mentions are sorted, beside counting words with naive Bayes, and what it costs.

    uv run python -m bench.mentions

Both learn from rapport/mentions/data/ and are asked about tests/mentions/held_out/, text by text and taking
turns, so that the times are those of the same minutes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from rapport.kit.languages import LANGUAGES
from rapport.mentions import rules
from rapport.mentions.classify import KINDS, classify, examples
from rapport.outreach.journeys.lift import wilson
from tests.mentions.examples import confusion, held_out, judged

SURE = 0.8


def main() -> None:
    """Print accuracy, confusion, calibration and time for each language."""
    for language in LANGUAGES:
        texts, kinds = zip(*examples(language), strict=True)
        reference = make_pipeline(CountVectorizer(), MultinomialNB()).fit(texts, kinds)
        unseen = held_out(language)
        began = time.perf_counter()
        classify("", language)
        learning = time.perf_counter() - began
        right = np.array([verdict.kind == kind for verdict, kind in judged(language)])
        confidence = np.array([verdict.confidence for verdict, _ in judged(language)])
        simple = np.mean([reference.predict([text])[0] == kind for text, kind in unseen])
        counts = confusion(language)
        print(f"{language}: {len(texts)} examples, learnt in {learning:.1f} s; {len(unseen)} held-out texts")
        low, high = wilson(int(right.sum()), len(right))
        print(f"  right {right.mean():.3f} ({low:.3f} to {high:.3f}), with naive Bayes on words {simple:.3f}")
        of_each = counts.diagonal() / counts.sum(axis=1)
        print(
            "  of each kind:", ", ".join(f"{k} {share:.2f}" for k, share in zip(KINDS, of_each, strict=True))
        )
        print(f"  confidence {confidence.mean():.3f} on average;", _when_sure(right, confidence))
        print("  meant (rows), taken for (columns):")
        for kind, row in zip(KINDS, counts, strict=True):
            print(f"    {kind:10}" + "".join(f"{count:5}" for count in row))
        ours, theirs = _times(
            [text for text, _ in unseen],
            lambda text, language=language: classify(text, language),
            lambda text, reference=reference: reference.predict([text]),
        )
        print(f"  a text takes {ours:.1f} ms, {ours / theirs:.1f} times as long as the reference")
    for sure in (SURE, rules.SURE):
        meant = [
            kind
            for language in LANGUAGES
            for verdict, kind in judged(language)
            if verdict.kind == "praise" and verdict.confidence >= sure
        ]
        print(f"praise with {sure} or more, all languages: {meant.count('praise')} of {len(meant)} is praise")


def _when_sure(right: np.ndarray, confidence: np.ndarray) -> str:
    sure = confidence >= SURE
    return f"at {SURE} and more ({sure.mean():.0%} of texts) right {right[sure].mean():.3f}"


def _times(texts: list[str], *ways: Callable[[str], object]) -> list[float]:
    """Milliseconds a text, the median, for each of the ways; they take turns."""
    taken: list[list[float]] = [[] for _ in ways]
    for text in texts:
        for times, way in zip(taken, ways, strict=True):
            began = time.perf_counter()
            way(text)
            times.append((time.perf_counter() - began) * 1000)
    return [statistics.median(times) for times in taken]


if __name__ == "__main__":
    main()
