"""Whether somebody complains, doubts, praises or only mentions the shop.

One linear model for each language, learnt from data/<language>.yml when it is first asked (a second or two)
and kept in memory. What the kinds mean stands at the head of data/en.yml.
"""

from __future__ import annotations

import threading
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from rapport.kit.languages import LANGUAGES
from rapport.mentions.cues import Cues
from rapport.mentions.social import tokens

KINDS = ("complaint", "doubt", "praise", "neutral")
# How much a step in each kind of feature may count.
WEIGHTS = {"words": 3.0, "beginnings": 3.0, "letters": 2.0, "cues": 1.2}
SMOOTHING = 0.3
BEGINNING = 5  # letters
# The mean of two is less sure than it is right; by cross-validation this puts the two level.
SHARPNESS = 1.75
DATA = Path(__file__).with_name("data")

_learning = threading.Lock()


class Verdict(NamedTuple):
    """`kind` is one of KINDS; `confidence` (0 to 1): how often verdicts as sure as this one are right."""

    kind: str
    confidence: float


def classify(text: str, language: str) -> Verdict:
    """Which of KINDS a text is, and how sure. Any text gets one; of what tells nothing, confidence is low.

    A language other than ours is judged by all models together, which know its emoji at least.
    """
    asked = (language,) if language in LANGUAGES else LANGUAGES
    chances = np.mean([_model(one).predict_proba([text])[0] for one in asked], axis=0) ** SHARPNESS
    chances /= chances.sum()
    best = int(chances.argmax())
    return Verdict(KINDS[best], float(chances[best]))


def examples(language: str) -> list[tuple[str, str]]:
    """What the model of a language learns from: texts and their kinds."""
    content = _read(language)
    return [(text, kind) for kind in KINDS for text in content[kind].splitlines()]


def make(language: str) -> Any:
    """An untrained model: takes texts and numbers of KINDS, gives a chance for each kind.

    Two that err differently, and their mean: a logistic regression that leans on cues, beside words, their
    beginnings (which inflection mostly leaves alike) and letters; and naive Bayes, which knows words only.
    """
    # Imported when first needed: it takes seconds and 80 MB that a shop without mentions need not spend.
    from sklearn.ensemble import VotingClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import FeatureUnion, make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    letters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(3, 5), preprocessor=_joined, sublinear_tf=True, min_df=2
    )
    features = FeatureUnion(
        [
            ("words", TfidfVectorizer(analyzer=_words, sublinear_tf=True)),
            ("beginnings", TfidfVectorizer(analyzer=_beginnings, sublinear_tf=True)),
            ("letters", letters),
            ("cues", FunctionTransformer(Cues(_read(language)["cues"]).rows)),
        ],
        transformer_weights=WEIGHTS,
    )
    weighed = make_pipeline(features, LogisticRegression(max_iter=1000))
    counted = make_pipeline(
        TfidfVectorizer(analyzer=_words, sublinear_tf=True), MultinomialNB(alpha=SMOOTHING)
    )
    return VotingClassifier([("weighed", weighed), ("counted", counted)], voting="soft")


def _read(language: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DATA / f"{language}.yml").read_text(encoding="utf-8"))
    return content


def _words(text: str) -> list[str]:
    return _with_pairs(tokens(text))


def _beginnings(text: str) -> list[str]:
    return _with_pairs([token[:BEGINNING] for token in tokens(text)])


def _with_pairs(found: list[str]) -> list[str]:
    return found + [f"{one} {other}" for one, other in pairwise(found)]


def _joined(text: str) -> str:
    return " ".join(tokens(text))


def _model(language: str) -> Any:
    with _learning:  # two that ask at once must not both learn
        return _learn(language)


@cache
def _learn(language: str) -> Any:
    from threadpoolctl import threadpool_limits

    texts, kinds = zip(*examples(language), strict=True)
    with threadpool_limits(1):  # so small a task that several threads take twenty times as long
        return make(language).fit(texts, [KINDS.index(kind) for kind in kinds])
