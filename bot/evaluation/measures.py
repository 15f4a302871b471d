"""Pure functions from answers to figures; shares are between 0 and 1, times in milliseconds."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.metrics import classification_report

OUT_OF_SCOPE = "out_of_scope"
FALLBACK = "nlu_fallback"
REFUSALS = (OUT_OF_SCOPE, FALLBACK)
BINS = 10
BASE_LANGUAGE = "en"


@dataclass(frozen=True)
class Answer:
    """What was meant and what a model made of it.

    `predicted` is what the bot acts on and may be `nlu_fallback`; `top` is the best intent whatever the
    threshold, and `confidence` that intent's.
    """

    text: str
    language: str
    intent: str
    predicted: str
    top: str
    confidence: float
    milliseconds: float

    @property
    def right(self) -> bool:
        """For an out-of-scope message, not being sure is right as well."""
        return self.predicted == self.intent or (self.intent == OUT_OF_SCOPE and self.predicted in REFUSALS)


def accepting(answers: Iterable[Answer], also: Mapping[str, Set[str]]) -> list[Answer]:
    """The answers, with those counted as right that `also` accepts for what was meant."""
    result = []
    for answer in answers:
        accepted = also.get(answer.intent, frozenset())
        result.append(
            replace(
                answer,
                predicted=answer.intent if answer.predicted in accepted else answer.predicted,
                top=answer.intent if answer.top in accepted else answer.top,
            )
        )
    return result


def report(answers: Sequence[Answer]) -> dict[str, Any]:
    """All figures: overall, for each language, and what is confused with what."""
    languages = by_language(answers)
    summaries = {language: summary(of_it) for language, of_it in languages.items()}
    return {
        "overall": summary(answers),
        "languages": summaries,
        "parity": parity(summaries),
        "worst_intents": worst_intents(answers),
        "confusions": confusions(answers),
        "calibration": bins(answers),
    }


def by_language(answers: Iterable[Answer]) -> dict[str, list[Answer]]:
    """Sorted; messages of an unknown language stand under "?"."""
    found: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        found[answer.language or "?"].append(answer)
    return dict(sorted(found.items()))


def summary(answers: Sequence[Answer]) -> dict[str, Any]:
    """The figures of some answers; those that have no messages to go by are None."""
    outside = [answer for answer in answers if answer.intent == OUT_OF_SCOPE]
    inside = [answer for answer in answers if answer.intent != OUT_OF_SCOPE]
    accuracy = share(answer.right for answer in answers)
    times = [answer.milliseconds for answer in answers]
    return {
        "messages": len(answers),
        "accuracy": accuracy,
        "margin": None if accuracy is None else margin(accuracy, len(answers)),
        "accuracy_without_threshold": share(answer.top == answer.intent for answer in answers),
        "macro_f1": macro_f1(answers),
        "out_of_scope_messages": len(outside),
        "out_of_scope_caught": share(answer.predicted in REFUSALS for answer in outside),
        "in_scope_messages": len(inside),
        "in_scope_refused": share(answer.predicted in REFUSALS for answer in inside),
        "calibration_error": calibration_error(answers),
        "parse_ms": {"p50": percentile(times, 50), "p95": percentile(times, 95)},
    }


def share(outcomes: Iterable[bool]) -> float | None:
    """The part that is true, or None of nothing."""
    listed = list(outcomes)
    return sum(listed) / len(listed) if listed else None


def percentile(values: Sequence[float], rank: float) -> float | None:
    return float(np.percentile(values, rank)) if values else None


def margin(proportion: float, count: int) -> float:
    """Half of Wilson's 95 % interval: by about this much another sample of as many messages would differ."""
    z = 1.96
    spread = math.sqrt(proportion * (1 - proportion) / count + z**2 / (4 * count**2))
    return z * spread / (1 + z**2 / count)


def macro_f1(answers: Sequence[Answer]) -> float | None:
    """The mean of the F1 scores of all intents that were meant, each counting alike."""
    if not answers:
        return None
    meant = [answer.intent for answer in answers]
    taken = [answer.intent if answer.right else answer.predicted for answer in answers]
    table = classification_report(meant, taken, labels=sorted(set(meant)), output_dict=True, zero_division=0)
    return float(table["macro avg"]["f1-score"])


def parity(languages: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """By how many percentage points each language's accuracy is above (or, negative, below) English."""
    if BASE_LANGUAGE not in languages:
        return {}
    base = languages[BASE_LANGUAGE]["accuracy"]
    return {
        language: 100 * (figures["accuracy"] - base)
        for language, figures in languages.items()
        if language != BASE_LANGUAGE
    }


def worst_intents(answers: Iterable[Answer]) -> list[dict[str, Any]]:
    """Intents that were missed at least once, the worst first, and what they were mostly taken for."""
    found: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        found[answer.intent].append(answer)
    rows = []
    for intent, of_it in found.items():
        wrong = Counter(answer.predicted for answer in of_it if not answer.right)
        if wrong:
            rows.append(
                {
                    "intent": intent,
                    "messages": len(of_it),
                    "understood": 1 - wrong.total() / len(of_it),
                    "taken_for": dict(wrong.most_common(3)),
                }
            )
    return sorted(rows, key=lambda row: (row["understood"], -row["messages"], row["intent"]))


def confusions(answers: Iterable[Answer]) -> list[dict[str, Any]]:
    """Intents taken for another, the most frequent pair first, each with its surest message; a message that
    the model was not sure of was not taken for anything.
    """
    pairs: dict[tuple[str, str], list[Answer]] = defaultdict(list)
    for answer in answers:
        if not answer.right and answer.predicted != FALLBACK:
            pairs[answer.intent, answer.predicted].append(answer)
    ordered = sorted(pairs.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [
        {
            "intent": intent,
            "predicted": predicted,
            "times": len(wrong),
            "example": max(wrong, key=lambda answer: answer.confidence).text,
        }
        for (intent, predicted), wrong in ordered
    ]


def bins(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """Ten equal steps of confidence: how sure the best intent was there, and how often it was right."""
    found: dict[int, list[Answer]] = defaultdict(list)
    for answer in answers:
        found[min(int(answer.confidence * BINS), BINS - 1)].append(answer)
    return [
        {
            "from": number / BINS,
            "messages": len(of_it),
            "confidence": sum(answer.confidence for answer in of_it) / len(of_it),
            "right": share(answer.top == answer.intent for answer in of_it),
        }
        for number, of_it in sorted(found.items())
    ]


def calibration_error(answers: Sequence[Answer]) -> float | None:
    """Expected calibration error: by how much confidence and being right differ, over the ten bins."""
    if not answers:
        return None
    gaps = (row["messages"] * abs(row["confidence"] - row["right"]) for row in bins(answers))
    return sum(gaps) / len(answers)
