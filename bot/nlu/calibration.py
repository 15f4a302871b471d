"""From scores to confidences that mean something, and the confidence below which it is better to ask."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize_scalar

# Of the messages that a shop can help with, at most this part may be turned away to catch the others. The
# examples they are counted among are varied on purpose: of ordinary messages it is a third of this.
REFUSED = 0.05
# A guess less sure than this is wrong more often than right: then it is better to ask, whatever part that is.
LEAST_SURE = 0.3
# In units of the SVM's margin; more would call the bot's own subjects out of scope.
BIASES = tuple(np.arange(0.0, 0.55, 0.05).round(2).tolist())
TINY = 1e-9


def softmax(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Confidences along the last axis; they sum to 1."""
    scaled = scores / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def fit_temperature(scores: np.ndarray, truth: np.ndarray) -> float:
    """The temperature with the highest likelihood of the true labels (numbers of columns) on held-out
    scores.
    """
    rows = np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        confidences = softmax(scores, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(confidences[rows, truth], 1e-12)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-5.0, 3.0), method="bounded").x))


@dataclass(frozen=True)
class Scope:
    """Where the bot says that it cannot help: `bias` is added to the score of "out of scope", and below the
    confidence `threshold` it says that it did not understand. `refused` and `caught` are the parts of the
    in-scope and the out-of-scope messages that this turns away, not counting those below LEAST_SURE.
    """

    bias: float
    threshold: float
    refused: float
    caught: float


def fit_scope(scores: np.ndarray, truth: np.ndarray, outside: int | None, temperature: float) -> Scope:
    """The bias and threshold that turn away most of what is out of scope, and at most REFUSED of the rest;
    but what is less sure than LEAST_SURE in any case.

    `scores` (messages x labels) and `truth` (numbers of labels) are of held-out messages, `outside` is the
    number of the label "out of scope", None where there is none.
    """
    inside = truth != outside if outside is not None else np.ones(len(truth), bool)
    tried = []
    for bias in BIASES if outside is not None else (0.0,):
        shifted = scores.copy()
        if outside is not None:
            shifted[:, outside] += bias
        confidence = softmax(shifted, temperature).max(axis=1)
        # What is called out of scope is turned away at any threshold.
        confidence[shifted.argmax(axis=1) == outside] = 0.0
        threshold = _highest(confidence[inside])
        away = confidence < max(threshold, TINY)
        tried.append(Scope(bias, threshold, _part(away[inside]), _part(away[~inside])))
    allowed = [scope for scope in tried if scope.refused <= REFUSED] or tried[:1]
    best = max(allowed, key=lambda scope: scope.caught)
    return replace(best, threshold=max(best.threshold, LEAST_SURE))


def _highest(confidence: np.ndarray) -> float:
    """The threshold that refuses REFUSED of these, as nearly as there are messages; 0 when there are none."""
    if not len(confidence):
        return 0.0
    return float(np.sort(confidence)[int(len(confidence) * REFUSED)])


def _part(chosen: np.ndarray) -> float:
    return float(chosen.mean()) if len(chosen) else 0.0
