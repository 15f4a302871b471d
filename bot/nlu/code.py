"""Messages that are no language: markup, queries, commands. No shop's customer wants anything by them."""

import re

from bot.messages import SLASH_LOOKALIKE
from bot.nlu.text import MAX_CHARS

_COMMAND = re.compile(rf"\s*[/{SLASH_LOOKALIKE}][a-z]+_[a-z_]+")
_QUERY = re.compile(
    r"\bSELECT\b[^\n]{1,80}\bFROM\b|\bUNION\s+SELECT\b|\bDROP\s+TABLE\b|\bINSERT\s+INTO\b|\bDELETE\s+FROM\b"
    r"|\bUPDATE\s+\w+\s+SET\b|(?i:\bselect\s+\*\s+from\b|\bdrop\s+table\b|\b(?:function|def)\s+\w*\()"
)
# A message pasted from a mail or a page may bring these; what is between them is said.
_MARKUP = re.compile(r"</?(?:b|i|u|p|a|br|em|strong|span|div|li|ul)\b[^<>]*>", re.IGNORECASE)
_SMILEY = re.compile(r"[;:=]['-]?[()DPp]|<3")
_SIGNS = re.compile(r"[{}<>=;$_\\|\[\]`]")
# A rule of thumb: prose has a hundredth of such signs, code a fifth.
FEWEST_SIGNS, SHARE = 4, 0.08


def is_code(text: str) -> bool:
    """Whether `text` is rather code than something a person says."""
    text = text[:MAX_CHARS]
    if _COMMAND.match(text) or _QUERY.search(text):
        return True
    rest = _SMILEY.sub("", _MARKUP.sub(" ", text))
    signs = len(_SIGNS.findall(rest))
    return signs >= FEWEST_SIGNS and signs >= SHARE * len(rest)
