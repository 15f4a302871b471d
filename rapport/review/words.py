"""Words as they are searched: without accents, alike in texts, in queries and in both databases. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

# Letters that do not come apart into a base letter and an accent. The migration that makes the search tables
# writes them in the same way, and a test holds the two together.
LETTERS = {
    "ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ß": "ss", "þ": "th", "ı": "i",
}  # fmt: skip
_PLAIN = str.maketrans({**LETTERS, **{k.upper(): v for k, v in LETTERS.items() if k not in "ßı"}, "ẞ": "ss"})
_WORD = re.compile(r"[^\W_]+")
_PART = re.compile(r'"([^"]*)"?|([^\s"]+)')

LONGEST_QUERY = 200
MOST_WORDS = 12
SNIPPET = 180


@dataclass(frozen=True)
class Term:
    """Words that follow each other; with `begins`, the last may go on."""

    words: tuple[str, ...]
    begins: bool = False


@dataclass(frozen=True)
class Query:
    """What somebody looks for: texts that have every term."""

    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Piece:
    """A part of a text; `hit`: it is what was looked for."""

    text: str
    hit: bool = False


@dataclass(frozen=True)
class _Token:
    start: int
    end: int
    word: str


@lru_cache(maxsize=20_000)
def folded(word: str) -> str:
    """A word without accents, in small letters."""
    apart = unicodedata.normalize("NFD", word)
    bare = "".join(sign for sign in apart if not unicodedata.combining(sign))
    return bare.translate(_PLAIN).lower()


def words(text: str) -> list[str]:
    """The words of a text as they are searched."""
    return [token.word for token in _tokens(_composed(text))]


def parse(text: str) -> Query:
    """What a line of search says: all words, in any order; those in quotes as they follow each other. The
    last one may be the beginning of a word. Nothing in it is an error.
    """
    terms: list[Term] = []
    room = MOST_WORDS
    for part in _PART.finditer(text[:LONGEST_QUERY]):
        quoted = part[2] is None
        found = tuple(words(part[1] if quoted else part[2]))[:room]
        room -= len(found)
        if found:
            terms.append(Term(found, begins=not quoted and not text[part.end() : LONGEST_QUERY].strip()))
    return Query(tuple(terms))


def matches(text: str, query: Query) -> bool:
    """Whether a text is found by a query. One without a word finds nothing."""
    tokens = _tokens(_composed(text))
    return bool(query.terms) and all(next(_places(tokens, term), None) is not None for term in query.terms)


def snippet(text: str, query: Query | None = None, longest: int = SNIPPET) -> list[Piece]:
    """The part of a text around what was looked for, or its beginning, in one line."""
    text = " ".join(_composed(text).split())
    tokens = _tokens(text)
    spans = sorted(span for term in (query.terms if query else ()) for span in _places(tokens, term))
    start = _start(text, spans[0][0] if spans else 0, longest)
    end = min(len(text), start + longest)
    pieces = [Piece("… ")] if start else []
    at = start
    for low, high in spans:
        if low < at or high > end:
            continue
        pieces += [Piece(text[at:low]), Piece(text[low:high], hit=True)]
        at = high
    pieces.append(Piece(text[at:end] + (" …" if end < len(text) else "")))
    return [piece for piece in pieces if piece.text]


def _start(text: str, hit: int, longest: int) -> int:
    """Where a snippet begins: at a word, with a few before the hit."""
    if len(text) <= longest or hit < longest // 2:
        return 0
    return text.rfind(" ", 0, max(hit - longest // 4, 1)) + 1


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _tokens(text: str) -> list[_Token]:
    return [_Token(found.start(), found.end(), folded(found[0])) for found in _WORD.finditer(text)]


def _places(tokens: list[_Token], term: Term) -> Iterator[tuple[int, int]]:
    """Where in the text a term stands: (start, end)."""
    count = len(term.words)
    *firsts, last = term.words
    for at in range(len(tokens) - count + 1):
        some = tokens[at : at + count]
        ends = some[-1].word
        if (ends == last or (term.begins and ends.startswith(last))) and all(
            token.word == word for token, word in zip(some, firsts, strict=False)
        ):
            yield some[0].start, some[-1].end
