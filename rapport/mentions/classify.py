"""Whether somebody complains, doubts, praises or only mentions the shop.

Models learnt from data/<language>.yml when they are first asked (a few seconds) and kept in memory: two for
each language, and one for all together that sees only how many cues of which group a text has. What the kinds
mean stands at the head of data/en.yml.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
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
# How much each of the three models counts. Cues carry over less well to texts of another time and hand: tried
# by learning from those written first and judging those written later, and the other way round.
SHARES = (2, 2, 1)
# The mean of several is less sure than it is right; by cross-validation this puts the two level.
SHARPNESS = 1.5
DATA = Path(__file__).with_name("data")


class Verdict(NamedTuple):
    """`kind` is one of KINDS; `confidence` (0 to 1): how often verdicts as sure as this one are right."""

    kind: str
    confidence: float


def classify(text: str, language: str) -> Verdict:
    """Which of KINDS a text is, and how sure. Any text gets one; of what tells nothing, confidence is low.

    A language other than ours is judged by all models together, which know its emoji at least.
    """
    return classify_all([text], language)[0]


def classify_all(texts: Sequence[str], language: str) -> list[Verdict]:
    """`classify` of each text, quicker than one by one."""
    asked = (language,) if language in LANGUAGES else LANGUAGES
    chances = np.mean([_sorter().chances(texts, one) for one in asked], axis=0)
    return [Verdict(KINDS[row.argmax()], float(row.max())) for row in chances]


def examples(language: str) -> list[tuple[str, str]]:
    """What the models learn from: texts of a language and their kinds."""
    content = _read(language)
    return [(text, kind) for kind in KINDS for text in content[kind].splitlines()]


class Sorter:
    """Gives each text a chance for each kind: a weighted mean, of logarithms, of three that err differently.

    A logistic regression leans on words, their beginnings (which inflection mostly leaves alike), letters and
    cues; naive Bayes knows words only. Both learn from texts of their language. Boosted trees learn from the
    cues of all languages together: one alone has too few texts to tell that praise beside a failure and a
    number of weeks is none.
    """

    def __init__(self, learnt: Mapping[str, Sequence[tuple[str, str]]]) -> None:
        """`learnt`: for each language texts and their kinds."""
        self._learnt = learnt
        self._cues = {language: Cues(_read(language)["cues"]) for language in learnt}
        self._of_words: dict[str, list[Any]] = {}  # by language, made when first asked for
        self._of_cues: Any = None
        self._learning = threading.Lock()

    def chances(self, texts: Sequence[str], language: str) -> np.ndarray:
        """A row for each text in the order of KINDS, adding up to 1. KeyError for a language not learnt."""
        # Imported when first needed: it takes seconds and 80 MB that a shop without mentions need not spend.
        import sklearn.ensemble  # noqa: F401 - before the limits, which hold for what is loaded by then
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):  # so small a task that several threads take twenty times as long
            with self._learning:  # two that ask at once must not both learn
                if self._of_cues is None:
                    self._of_cues = self._learn_cues()
                if language not in self._of_words:
                    self._of_words[language] = self._learn_words(language)
            all_chances = [model.predict_proba(texts) for model in self._of_words[language]]
            all_chances.append(self._of_cues.predict_proba(self._cues[language].rows(texts)))
        chances = np.exp(SHARPNESS * np.average(np.log(all_chances), axis=0, weights=SHARES))
        return np.asarray(chances / chances.sum(axis=1, keepdims=True))

    def _learn_words(self, language: str) -> list[Any]:
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
                ("cues", FunctionTransformer(self._cues[language].rows)),
            ],
            transformer_weights=WEIGHTS,
        )
        weighed = make_pipeline(features, LogisticRegression(tol=1e-3, max_iter=1000))
        counted = make_pipeline(
            TfidfVectorizer(analyzer=_words, sublinear_tf=True), MultinomialNB(alpha=SMOOTHING)
        )
        texts, kinds = zip(*self._learnt[language], strict=True)
        numbers = [KINDS.index(kind) for kind in kinds]
        return [model.fit(texts, numbers) for model in (weighed, counted)]

    def _learn_cues(self) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier

        trees = HistGradientBoostingClassifier(
            max_iter=100, learning_rate=0.08, max_leaf_nodes=12, l2_regularization=1.0, early_stopping=False
        )
        rows = [
            self._cues[language].rows([text for text, _ in learnt])
            for language, learnt in self._learnt.items()
        ]
        return trees.fit(
            np.vstack(rows), [KINDS.index(kind) for learnt in self._learnt.values() for _, kind in learnt]
        )


@cache
def _sorter() -> Sorter:
    return Sorter({language: examples(language) for language in LANGUAGES})


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
