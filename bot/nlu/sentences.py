"""Long messages: what somebody wants often stands in one sentence of several, and the others drown it."""

import re

import numpy as np

from bot.nlu.model import IntentModel
from bot.nlu.text import MAX_CHARS

# As sure as this of the whole message, nobody looks closer; less sure of a sentence, it proves nothing.
SURE = 0.6
# "Kind regards, Ann" or "hello," alone say nothing.
FEWEST_WORDS = 3
MOST_SENTENCES = 20
# What stands around a wish and is none.
SMALL_TALK = {"greet", "goodbye", "thank", "affirm", "deny", "ask_capabilities", "out_of_scope"}

_END = re.compile(r"(?<=[.!?…])\s+|\n+")


def judge(model: IntentModel, text: str) -> tuple[np.ndarray, bool]:
    """Like the model's own `confidences`; when it is unsure of several sentences together, those of the
    sentence it is surest of.
    """
    whole, known = model.confidences(text)
    if whole.max() >= SURE:
        return whole, known
    parts = [part for part in _END.split(text[:MAX_CHARS]) if len(part.split()) >= FEWEST_WORDS]
    if len(parts) < 2:
        return whole, known
    judged = [model.confidences(part)[0] for part in parts[:MOST_SENTENCES]]
    wishes = [
        sure for sure in judged if sure.max() >= SURE and model.intents[int(sure.argmax())] not in SMALL_TALK
    ]
    return max(wishes, key=lambda sure: float(sure.max()), default=whole), known
