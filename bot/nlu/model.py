"""The intent model itself: linear SVMs over TF-IDF, their calibration, and the two plain files it is kept
in.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from scipy.sparse import csr_matrix
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

from bot.nlu.calibration import fit_scope, fit_temperature, softmax
from bot.nlu.features import Vocabulary, features
from bot.nlu.text import tokens

OUT_OF_SCOPE = "out_of_scope"
FOLDS = 4
# Starting them takes seconds.
WORTH_PROCESSES = 5000
# How sure it is of what it knows word by word.
BY_HEART = 0.99
# Used when there are too few examples to hold any out.
DEFAULT_TEMPERATURE, DEFAULT_THRESHOLD = 0.3, 0.2


class IntentModel:
    """Says how sure it is of each intent. Make one with `train` or `load`."""

    def __init__(
        self, vocabulary: Vocabulary, weights: np.ndarray, bias: np.ndarray, facts: dict[str, Any]
    ) -> None:
        self._vocabulary = vocabulary
        self._weights = weights  # a row for each feature: a message needs few rows, and they lie together
        self._bias = bias
        self.facts = facts
        self.intents: list[str] = facts["intents"]
        self.threshold: float = facts["threshold"]
        self._by_heart: dict[str, int] = {
            words: self.intents.index(intent) for words, intent in facts["by_heart"].items()
        }

    def confidences(self, text: str) -> tuple[np.ndarray, bool]:
        """One confidence for each of `intents`, and whether anything in the text was known at all."""
        row = self._vocabulary.row(text)
        if row is None:
            return np.full(len(self.intents), 1 / len(self.intents)), False
        columns, values = row
        scores = values @ self._weights[columns] + self._bias
        sure = softmax(scores.astype(np.float64), self.facts["temperature"])
        learnt = self._by_heart.get(wording(text))
        if learnt is not None:
            sure *= 1 - BY_HEART
            sure[learnt] += BY_HEART
        return sure, True

    @classmethod
    def train(cls, texts: Sequence[str], labels: Sequence[str], c: float = 2.0) -> "IntentModel":
        """The same texts and labels in the same order give the same model.

        Raises ValueError with fewer than two labels.
        """
        intents = sorted(set(labels))
        if len(intents) < 2:
            raise ValueError("the intent classifier needs examples of at least two intents")
        truth = np.array([intents.index(label) for label in labels])
        counted = [Counter(features(text)) for text in texts]
        facts: dict[str, Any] = {"intents": intents, **calibrate(counted, truth, intents, c)}
        vocabulary = Vocabulary.of(counted)
        rows = vocabulary.matrix(counted)
        weights, bias = fit(rows, truth, len(intents), c)
        if OUT_OF_SCOPE in intents:
            bias[intents.index(OUT_OF_SCOPE)] += facts["bias"]
        sure = softmax(rows @ weights + bias, facts["temperature"])
        missed = (sure.argmax(axis=1) != truth) | (sure.max(axis=1) < facts["threshold"])
        facts["by_heart"] = exceptions(texts, labels, missed)
        return cls(vocabulary, weights, bias, facts)

    def save(self, folder: Path) -> None:
        """Two files without any code in them: arrays as .npz, the rest as JSON."""
        np.savez(
            folder / "arrays.npz", weights=self._weights, bias=self._bias, rarity=self._vocabulary.rarity
        )
        text = json.dumps({"features": self._vocabulary.names, **self.facts}, ensure_ascii=False)
        (folder / "model.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "IntentModel":
        facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
            vocabulary = Vocabulary(facts.pop("features"), arrays["rarity"])
            return cls(vocabulary, arrays["weights"], arrays["bias"], facts)


def fit(rows: csr_matrix, truth: np.ndarray, classes: int, c: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (features x classes) and bias; classes without an example get a score far below all others."""
    svm = LinearSVC(C=c, class_weight="balanced", random_state=0, max_iter=2000, tol=1e-3)
    svm.fit(rows, truth)
    coefficients, bias = svm.coef_, np.atleast_1d(svm.intercept_)
    if len(svm.classes_) == 2:
        coefficients, bias = np.vstack([-coefficients, coefficients]), np.concatenate([-bias, bias])
    weights = np.zeros((rows.shape[1], classes), dtype=np.float32)
    biases = np.full(classes, -10.0, dtype=np.float32)
    weights[:, svm.classes_] = coefficients.T
    biases[svm.classes_] = bias
    return weights, biases


def wording(text: str) -> str:
    """What makes two messages the same: the words, however they are written."""
    return " ".join(tokens(text))


def exceptions(texts: Sequence[str], labels: Sequence[str], missed: np.ndarray) -> dict[str, str]:
    """The few examples the fitted weights have `missed`, as wording and label, to be known by heart.

    One such is "cancel", which leaves a form, among hundreds of "cancel my order". A wording that stands
    under two labels (all six-digit codes are alike) stays with the weights.
    """
    meant: dict[str, set[str]] = {}
    for text, label in zip(texts, labels, strict=True):
        meant.setdefault(wording(text), set()).add(label)
    hard = [(wording(texts[number]), labels[number]) for number in np.flatnonzero(missed)]
    return {words: label for words, label in hard if len(meant[words]) == 1}


def calibrate(
    counted: Sequence[Counter[str]], truth: np.ndarray, intents: Sequence[str], c: float
) -> dict[str, float]:
    """Temperature and `Scope` from scores of messages the model had not seen (each is held out once)."""
    if np.bincount(truth).min() < FOLDS:
        return {"temperature": DEFAULT_TEMPERATURE, "threshold": DEFAULT_THRESHOLD, "bias": 0.0}
    scores = held_out_scores(counted, truth, len(intents), c)
    temperature = fit_temperature(scores, truth)
    facts = {
        "temperature": temperature,
        "held_out_accuracy": float((scores.argmax(axis=1) == truth).mean()),
    }
    outside = intents.index(OUT_OF_SCOPE) if OUT_OF_SCOPE in intents else None
    return {**facts, **asdict(fit_scope(scores, truth, outside, temperature))}


def held_out_scores(counted: Sequence[Counter[str]], truth: np.ndarray, classes: int, c: float) -> np.ndarray:
    """Scores (messages x classes), each message's by a model that has not seen it."""
    scores = np.zeros((len(truth), classes))
    folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(truth, truth))
    # Processes, because liblinear has one source of random numbers for all threads.
    run = Parallel(n_jobs=-1 if len(truth) >= WORTH_PROCESSES else 1)
    found = run(delayed(score_fold)(counted, truth, classes, c, *fold) for fold in folds)
    for (_, held_out), of_fold in zip(folds, found, strict=True):
        scores[held_out] = of_fold
    return scores


def score_fold(
    counted: Sequence[Counter[str]],
    truth: np.ndarray,
    classes: int,
    c: float,
    seen: np.ndarray,
    held_out: np.ndarray,
) -> np.ndarray:
    """The scores of the `held_out` messages by a model of the `seen` ones."""
    vocabulary = Vocabulary.of([counted[i] for i in seen])
    weights, bias = fit(vocabulary.matrix([counted[i] for i in seen]), truth[seen], classes, c)
    return vocabulary.matrix([counted[i] for i in held_out]) @ weights + bias
