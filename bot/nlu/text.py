"""How text is brought into one shape: without case and diacritics, because customers often leave the
diacritics out.
"""

import re
import unicodedata
from functools import lru_cache

# Longer messages are cut: what somebody wants stands at the beginning, and time should not grow with the
# length.
MAX_CHARS = 1500
MAX_WORD = 40
# Only from the beginning of a word and with one @: else its time grows with the cube of the length.
_EMAIL = re.compile(r"(?<!\S)[^\s@]+@[^\s@]+\.\w+")
# Of emoji each is a word, but not what only changes the skin's colour (U+1F3FB to U+1F3FF).
_TOKEN = re.compile("[^\\W_]+|\\?|[\u2600-\u27bf\u2b50\U0001f300-\U0001f3fa\U0001f400-\U0001faff]")
_NOT_DECOMPOSED = {"ø": "o", "æ": "a", "ð": "d", "đ": "d", "ł": "l", "ß": "s", "ı": "i", "þ": "t", "œ": "o"}


def fold(text: str) -> str:
    """Lower case without diacritics; one character for each, so positions are those of `text`."""
    return "".join(map(_fold_character, text))


@lru_cache(maxsize=4096)
def _fold_character(character: str) -> str:
    lower = unicodedata.normalize("NFKD", character.lower()[0])[0]
    return _NOT_DECOMPOSED.get(lower, lower)


def tokens(text: str) -> list[str]:
    """The folded words, question marks and emoji; digits become 0 and addresses one word, since only
    their presence matters.
    """
    folded = fold(unicodedata.normalize("NFC", text[:MAX_CHARS]))
    folded = _EMAIL.sub(" emailaddress ", folded)
    found = (token[:MAX_WORD] for token in _TOKEN.findall(folded))
    return ["0" * len(token) if token.isdigit() else token for token in found]
