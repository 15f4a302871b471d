"""Pure rules of teaching: what an example must be, what contradicts it, and when a model is not worse."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rapport.teaching.files import MARKED

KINDS = ("intent", "entity", "answer", "ignore")
ANSWERS = ("good", "bad")
FALLBACK = "nlu_fallback"
OUT_OF_SCOPE = "out_of_scope"
# Below this the bot was not sure of what it understood.
LOW_CONFIDENCE = 0.5
LONGEST_EXAMPLE = 300
# What answers a form's question has few wordings; the form tells them apart (bot/lint.py).
FORM_ANSWERS = frozenset(
    {"inform_code", "inform_email", "inform_order_number", "inform_rating", "resend_code"}
)

PHASES = ("prepare", "check", "train", "evaluate", "switch")
# How long each takes on two cores, in seconds, until a run here has shown it.
EXPECTED_SECONDS = {"prepare": 2.0, "check": 12.0, "train": 150.0, "evaluate": 45.0, "switch": 15.0}
# Who runs a training says so every few seconds; silent for so long it has gone.
GONE_AFTER = timedelta(seconds=45)

# A model is not worse when none of these is lost, in percentage points. One message of 365 is 0.3 points.
MOST_LOST = 0.5  # understood, of all messages
MOST_LOST_LANGUAGE = 1.0  # understood, of one language's
MOST_LOST_SCOPE = 3.0  # out of scope, caught
MOST_REFUSED = 1.0  # in scope, refused
PARITY = 5.0  # no language that is further behind English than this may fall further behind

# As bot/nlu/text.py: two messages are the same when their words are.
_EMAIL = re.compile(r"(?<!\S)[^\s@]+@[^\s@]+\.\w+")
_TOKEN = re.compile("[^\\W_]+|\\?|[\u2600-\u27bf\u2b50\U0001f300-\U0001f3fa\U0001f400-\U0001faff]")
_NOT_DECOMPOSED = {"ø": "o", "æ": "a", "ð": "d", "đ": "d", "ł": "l", "ß": "s", "ı": "i", "þ": "t", "œ": "o"}


def wording(text: str) -> str:
    """What makes two messages the same to the model and its linter: the words, however they are written."""
    folded = "".join(_fold(sign) for sign in unicodedata.normalize("NFC", text[:1500]))
    found = (token[:40] for token in _TOKEN.findall(_EMAIL.sub(" emailaddress ", folded)))
    return " ".join("0" * len(token) if token.isdigit() else token for token in found)


def _fold(sign: str) -> str:
    lower = unicodedata.normalize("NFKD", sign.lower()[0])[0]
    return _NOT_DECOMPOSED.get(lower, lower)


def as_example(text: str) -> str:
    """A message as one line that means nothing else to the format of the files; "" when nothing is left."""
    line = "".join(sign if sign.isprintable() else " " for sign in text)
    line = MARKED.sub(lambda match: match["words"], " ".join(line.split()))
    while line[:1] in {"/", "#", "-", " "} and line:
        line = line[1:]
    # What was cut may have brought two halves of a mark together.
    line = line.replace("[", "(").replace("]", ")") if MARKED.search(line) else line
    return line[:LONGEST_EXAMPLE].strip()


@dataclass(frozen=True)
class Example:
    """What is to be learned: `text` is what customers write, `intent` what they mean by it."""

    intent: str
    language: str
    text: str


class Known:
    """The examples there are and the messages the bot is measured with, by their wording."""

    def __init__(self, examples: Iterable[Example], held_out: Iterable[Example]) -> None:
        self._examples: dict[str, dict[str, Example]] = {}
        for example in examples:
            self._examples.setdefault(wording(example.text), {}).setdefault(example.intent, example)
        self._held_out = {wording(message.text): message for message in held_out}
        self._learned: dict[str, dict[str, Example]] = {}

    def fresh(self) -> Known:
        """One that knows as much and learns by itself; it is made at once."""
        other = Known((), ())
        other._examples, other._held_out = self._examples, self._held_out
        return other

    def problem(self, wanted: Example) -> tuple[str, Example | None] | None:
        """Why this cannot be an example (empty, known, conflict, held_out) and what stands against it."""
        words = wording(wanted.text)
        if not words:
            return "empty", None
        known = self._examples.get(words, {}) | self._learned.get(words, {})
        if wanted.intent in known:
            return "known", known[wanted.intent]
        for intent, other in known.items():
            if not {intent, wanted.intent} <= FORM_ANSWERS:
                return "conflict", other
        if words in self._held_out and wanted.intent not in FORM_ANSWERS:
            return "held_out", self._held_out[words]
        return None

    def learn(self, example: Example) -> None:
        """What is added counts for those after it."""
        self._learned.setdefault(wording(example.text), {}).setdefault(example.intent, example)


def figures(report: Mapping[str, Any]) -> dict[str, Any]:
    """Of an evaluation's report (bot/evaluate.py) what is compared and shown."""

    def of(summary: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: summary[name]
            for name in ("messages", "accuracy", "out_of_scope_caught", "in_scope_refused")
        }

    return {
        "overall": of(report["overall"]),
        "languages": {language: of(summary) for language, summary in sorted(report["languages"].items())},
        "parity": dict(report["parity"]),
    }


def worse(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """In what a model is worse than the one before, in points; nothing when it is not worse.

    Both are `figures`. A part that neither has messages of is not compared.
    """
    reasons: list[dict[str, Any]] = []

    def compare(what: str, language: str, old: float | None, new: float | None, most: float) -> None:
        if old is not None and new is not None and 100 * (old - new) > most + 1e-9:
            reasons.append({"what": what, "language": language, "before": old, "after": new, "most": most})

    def lost(name: str) -> tuple[float | None, float | None]:
        return before["overall"][name], after["overall"][name]

    compare("understood", "", *lost("accuracy"), MOST_LOST)
    for language, old in before["languages"].items():
        new = after["languages"].get(language, {"accuracy": 0.0})
        compare("understood", language, old["accuracy"], new["accuracy"], MOST_LOST_LANGUAGE)
    compare("scope", "", *lost("out_of_scope_caught"), MOST_LOST_SCOPE)
    refused, refuses = lost("in_scope_refused")
    compare("refused", "", _rest(refused), _rest(refuses), MOST_REFUSED)
    for language, behind in before["parity"].items():
        now = after["parity"].get(language, -100.0)
        if now < -PARITY and now < behind - 1e-9:
            gap = {"before": behind / 100, "after": now / 100, "most": PARITY}
            reasons.append({"what": "parity", "language": language, **gap})
    return reasons


def _rest(share: float | None) -> float | None:
    return None if share is None else 1 - share


Mistake = tuple[str, str, str, str]
"""(language, text, what was meant, what was understood)."""


def changed(before: Sequence[Mistake], after: Sequence[Mistake]) -> tuple[list[Mistake], list[Mistake]]:
    """(right before and wrong now, wrong before and right now) of two lists of mistakes."""
    were, are = ({mistake[:3] for mistake in some} for some in (before, after))
    return [one for one in after if one[:3] not in were], [one for one in before if one[:3] not in are]


def by_intent(
    meant: Mapping[str, int], before: Sequence[Mistake], after: Sequence[Mistake]
) -> list[dict[str, Any]]:
    """Intents that are understood better or worse than before, the worst first; `meant` counts messages."""
    old, new = (Counter(mistake[2] for mistake in some) for some in (before, after))
    rows = [
        {"intent": intent, "messages": count, "before": count - old[intent], "after": count - new[intent]}
        for intent, count in meant.items()
        if old[intent] != new[intent]
    ]
    return sorted(rows, key=lambda row: (row["after"] - row["before"], row["intent"]))


@dataclass(frozen=True)
class Step:
    """A run that went live: from which model to which."""

    run_id: int
    base: str | None
    model: str


def way(steps: Iterable[Step], live: str | None, target: str) -> tuple[list[int], list[int]]:
    """From the live model to another: (runs to take out, newest first; runs to put in, oldest first)."""
    made = {step.model: step for step in steps}

    def ancestry(model: str | None) -> list[str]:
        line: list[str] = []
        while model is not None and model not in line:
            line.append(model)
            model = made[model].base if model in made else None
        return line

    back, forth = ancestry(live), ancestry(target)
    shared = next((model for model in back if model in forth), None)
    out = back[: back.index(shared)] if shared is not None else back
    into = forth[: forth.index(shared)] if shared is not None else forth
    return (
        [made[model].run_id for model in out if model in made],
        [made[model].run_id for model in reversed(into) if model in made],
    )


def is_gone(seen_at: datetime, now: datetime) -> bool:
    """Whether who ran a training has ended without a word."""
    return now - seen_at > GONE_AFTER


def expected_seconds(phase: str, past: Mapping[str, float]) -> float:
    """How long a phase takes: as last time, or as it takes on two cores."""
    return past.get(phase, EXPECTED_SECONDS[phase])


def how_far(phase: str, in_phase: float, expected: Mapping[str, float]) -> tuple[float, float]:
    """(share that is done, seconds left), `in_phase` seconds after a phase began. A phase that takes longer
    than expected comes ever nearer to its end, but not there.
    """
    at = PHASES.index(phase)
    length = expected[phase]
    done = in_phase if in_phase < 0.9 * length else length * (1 - 0.1 * 0.9 * length / max(in_phase, 1e-9))
    behind = sum(expected[other] for other in PHASES[:at])
    ahead = sum(expected[other] for other in PHASES[at + 1 :])
    share = (behind + max(done, 0.0)) / (behind + length + ahead)
    return min(share, 0.99), max(length - in_phase, 0.0) + ahead
