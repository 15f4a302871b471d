"""Which language a customer's message is in. Pure: the same text gives the same answer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from py3langid.langid import MODEL_FILE, LanguageIdentifier

# Norwegian has two written forms; whoever writes nynorsk is answered in bokmål.
LABELS = {"en": "en", "es": "es", "no": "nb", "nn": "nb", "ro": "ro"}

# On one or two words no detector is right more than four times in five; these few are unmistakable. Words
# that people of any language write ("ok", "hello", "thanks") are left out.
UNMISTAKABLE = {
    "es": {"hola", "gracias", "buenas", "buenos", "adiós", "adios", "vale", "quiero", "ayuda"},
    "nb": {"hei", "heisann", "takk", "hallo", "nei", "hvor", "hva", "hjelp", "morn"},
    "ro": {"bună", "buna", "salut", "salutare", "mulțumesc", "multumesc", "mersi", "nu", "vreau", "ajutor"},
    "en": {"please", "what", "where"},
}
FEW_WORDS = 2
# From how many words, and how sure, another language than the conversation's is believed …
SURE = {3: 0.8, 4: 0.7, 5: 0.6}
# … and the same when the customer has asked for the conversation's language.
CHOSEN_WORDS, CHOSEN_SURE = 5, 0.97

_NOT_WORDS = re.compile(r"\S+@\S+|https?://\S+|www\.\S+|\S*\d\S*|[^\w\s'’-]|_")


def follow(text: str, current: str, chosen: bool = False, names: Iterable[str] = ()) -> str:
    """The language to answer `text` in, given the conversation's `current` one.

    `chosen`: the customer asked for the current one. `names` (of products) in the text say nothing of its
    language. When in doubt the current language stays.
    """
    for name in names:
        text = text.replace(name, " ")
    words = _NOT_WORDS.sub(" ", text).split()
    if len(words) <= FEW_WORDS:
        return current if chosen else _by_word(words) or current
    language, sure = _most_likely(" ".join(words))
    if language == current:
        return current
    if chosen:
        return language if len(words) >= CHOSEN_WORDS and sure >= CHOSEN_SURE else current
    return language if sure >= SURE[min(len(words), max(SURE))] else current


def _by_word(words: list[str]) -> str | None:
    """The only language whose unmistakable words occur."""
    said = {word.lower() for word in words}
    found = [language for language, known in UNMISTAKABLE.items() if said & known]
    return found[0] if len(found) == 1 else None


def _most_likely(text: str) -> tuple[str, float]:
    """The likeliest of our languages and how likely it is (0 to 1)."""
    likely: dict[str, float] = {}
    # Lower-case: a sentence in capitals is in the same language.
    for label, probability in _identifier().rank(text.lower()):
        language = LABELS[label]
        likely[language] = likely.get(language, 0.0) + float(probability)
    best = max(likely, key=lambda language: likely[language])
    return best, likely[best]


@cache
def _identifier() -> Any:
    identifier: Any = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)  # type: ignore[no-untyped-call]
    identifier.set_languages(list(LABELS))
    # It keeps the hundred other languages for a later `set_languages`: 28 MB that nobody here asks for.
    identifier._full_model = (identifier.nb_ptc, identifier.nb_pc, identifier.nb_classes)
    return identifier


def warm_up() -> None:
    """Loads the model (half a second), so that the first message need not wait."""
    _most_likely("hello")
