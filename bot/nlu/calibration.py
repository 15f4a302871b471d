"""From scores to confidences that mean something, and the confidence below which it is better to ask."""

import numpy as np
from scipy.optimize import minimize_scalar

# Of the messages understood rightly, at most this part may be refused to catch those understood wrongly.
REFUSED_OF_RIGHT = 0.03


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


def fit_threshold(
    confidence: np.ndarray, right: np.ndarray, in_scope: np.ndarray
) -> tuple[float, float, float]:
    """The threshold, the part of right in-scope messages it refuses, and the part of wrong ones it catches.

    `confidence` is that of the best label, `right` whether it is the true one, both on held-out messages.
    """
    good, wrong = np.sort(confidence[right & in_scope]), confidence[~right]
    if not len(good):
        return 0.0, 0.0, 0.0
    threshold = float(good[int(len(good) * REFUSED_OF_RIGHT)])
    if len(wrong):
        # Not higher than the surest mistake: above that only right ones are refused.
        threshold = min(threshold, float(np.nextafter(wrong.max(), 1.0)))
    caught = float((wrong < threshold).mean()) if len(wrong) else 0.0
    return threshold, float((good < threshold).mean()), caught
