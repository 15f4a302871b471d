"""Long messages: what somebody wants often stands in one sentence of several, and the others drown it."""

import re

import numpy as np

from bot.nlu.model import IntentModel
from bot.nlu.text import MAX_CHARS

# As sure as this of the whole message, nobody looks closer; less sure of a sentence, it proves nothing.
SURE = 0.6
VERY_SURE = 0.8
# "Kind regards, Ann" or "hello," alone say nothing.
FEWEST_WORDS = 3
MOST_SENTENCES = 20
# What stands around a wish and is none.
SMALL_TALK = {"greet", "goodbye", "thank", "affirm", "deny", "ask_capabilities", "out_of_scope"}

# "Hello, about the delivery costs" is no greeting.
POLITE = {"greet", "goodbye", "thank"}

_END = re.compile(r"(?<=[.!?…])\s+|\n+")
_PAUSE = re.compile(r"(?<=[.!?…,;])\s+|\n+")


def judge(model: IntentModel, text: str) -> tuple[np.ndarray, bool]:
    """Like the model's own `confidences`; when it is unsure of several sentences together, or hears only the
    hello in them, those of the sentence it is surest of.
    """
    if len(text) > MAX_CHARS and (asked := _asked_last(model, text)) is not None:
        return asked, True
    whole, known = model.confidences(text)
    polite = model.intents[int(whole.argmax())] in POLITE
    if whole.max() >= SURE and not polite:
        return whole, known
    parts = (_PAUSE if polite else _END).split(text[:MAX_CHARS])
    parts = [part for part in parts if len(part.split()) >= FEWEST_WORDS and part != text]
    if len(parts) < (1 if polite else 2):
        return whole, known
    judged = [model.confidences(part)[0] for part in parts[:MOST_SENTENCES]]
    wishes = [
        sure for sure in judged if sure.max() >= SURE and model.intents[int(sure.argmax())] not in SMALL_TALK
    ]
    return max(wishes, key=lambda sure: float(sure.max()), default=whole), known


def _asked_last(model: IntentModel, text: str) -> np.ndarray | None:
    """What the last sentence of a very long message wants, if that is sure: after a page of story comes the
    question, and the model reads only the page's beginning.
    """
    parts = [part for part in _END.split(text.strip()) if len(part.split()) >= FEWEST_WORDS]
    if len(parts) < 2:
        return None
    sure = model.confidences(parts[-1])[0]
    is_wish = model.intents[int(sure.argmax())] not in SMALL_TALK
    return sure if is_wish and sure.max() >= VERY_SURE else None
