"""Pure rules of mentions: what needs people, what is answered by itself, what no public answer says."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rapport.kit.errors import InvalidInputError
from rapport.privacy import numbers, personal
from rapport.shop.phrases import fold

KINDS = ("complaint", "doubt", "praise", "neutral")
# A case is opened for these; there are words to answer these with.
NEED_PEOPLE = frozenset({"complaint", "doubt"})
ANSWERABLE = ("complaint", "doubt", "praise")
# `case`: one was opened; `gone`: its author took it back before anybody did anything.
STATES = ("new", "case", "answered", "noted", "gone")
PRIORITY = {"complaint": "high", "doubt": "normal"}
# The messaging channel on which an author has the same id as on that source.
CHANNEL_OF = {"facebook": "messenger"}

# Who answers by itself must be sure: of what is called praise with 0.8 one in twelve is none, with 0.95 one
# in thirty. And quick: thanks for a post of last week look odd.
SURE = 0.95
ANSWERS_WITHIN = timedelta(days=2)
# Two programs must not thank each other for ever.
QUIET_AFTER_ANSWER = timedelta(days=7)

# Longer than the slowest send, so that a lease only runs out when its process is gone.
LEASE = timedelta(minutes=2)
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=30), timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=24)

# How long, how often and how many at a time a mention is looked at again, where the source does not tell us.
WATCHED_FOR, LOOK_AGAIN_AFTER, LOOKED_AT = timedelta(days=14), timedelta(minutes=30), 10

LONGEST_TEXT = 10_000
LONGEST_NOTE = 2000


@dataclass(frozen=True)
class Circumstances:
    """What is known when a mention comes in. `answered_at`: when its author last got an answer of ours.

    `reachable`: its source takes public answers. `trouble`: something of this author's is not settled.
    """

    kind: str
    confidence: float
    addressed: bool
    at: datetime
    reachable: bool = True
    trouble: bool = False
    answered_at: datetime | None = None


def may_go_by_itself(it: Circumstances, allowed: Collection[str], now: datetime) -> bool:
    """Whether a mention is answered without anybody looking: only kinds the shop allows, only what we are
    sure of, only what was said to us just now, once in a while to one person; no thanks to the unhappy.
    """
    if it.kind not in ANSWERABLE or it.kind not in allowed or not (it.reachable and it.addressed):
        return False
    if it.confidence < SURE or not now - ANSWERS_WITHIN <= it.at <= now + ANSWERS_WITHIN:
        return False
    if it.answered_at is not None and now - it.answered_at < QUIET_AFTER_ANSWER:
        return False
    return not (it.kind == "praise" and it.trouble)


def turn_of(source_id: str, choices: int) -> int:
    """Which of so many wordings a mention gets."""
    return int.from_bytes(hashlib.sha256(source_id.encode()).digest()[:4], "big") % choices


def next_attempt(
    attempts: int, now: datetime, created_at: datetime, after: float | None = None
) -> datetime | None:
    """When to try an answer again after so many attempts; None when it would come too late.

    `after`: how many seconds the source asks us to wait.
    """
    delay: timedelta = min(FIRST_DELAY * 2 ** min(attempts - 1, 10), LONGEST_DELAY)
    at = now + max(delay, timedelta(seconds=after or 0))
    return at if at - created_at <= GIVE_UP_AFTER else None


def checked_kind(kind: str) -> str:
    """Raises InvalidInputError."""
    if kind not in KINDS:
        raise InvalidInputError("Choose what kind of mention it is.")
    return kind


def checked_answer(text: str, longest: int) -> str:
    """Raises InvalidInputError when there is none, or too much for the source."""
    text = text.strip()
    if not text or len(text) > longest:
        raise InvalidInputError("The answer is empty, or too long for this source.")
    return text


# --- what a public answer must not say ---------------------------------------------------------------------

# However they are written: "1 2 3 4", "12-34", "12.34", "1️⃣2️⃣3️⃣4️⃣".
_DIGITS = re.compile(r"\d(?:[\W_]{0,3}\d){3,}")
_PHONE_LIKE = re.compile(r"(?:\+|00)[\W_]{0,2}\d|\d(?:[\W_]{0,3}\d){6,}")
_AT = re.compile(r"[\w.+\-]@\s?\w|\w\s@\s\w")
_WRITTEN_AT = re.compile(r"\s*[(\[{<]\s*(?:at|arroba|a|alfa|krøllalfa|arond)\s*[)\]}>]\s*", re.IGNORECASE)
_WRITTEN_DOT = re.compile(r"\s*[(\[{<]\s*(?:dot|punto|punkt|punct|prikk)\s*[)\]}>]\s*", re.IGNORECASE)
_CURRENCY = (
    rf"(?:{numbers.CURRENCY}|dollars?|pounds?|dólares|libras|coroane|kronor|euro|sek|dkk|chf|points?|puntos?"
    r"|puncte|poeng|pct|percent|por ciento|prosent|la sută)"
)
_AMOUNT = re.compile(
    rf"(?<![^\W\d_]){_CURRENCY}[\s:]{{0,2}}\d|\d\s?{_CURRENCY}(?![^\W\d_])|[€$£¥%]\s?\d|\d\s?[€$£¥%]|\d,-",
    re.IGNORECASE,
)
_ORDER = re.compile(r"#\s?\w{0,4}-?\d|(?:\bnr|\bno|\bnúm|nº|№)\.?\s?\d{2,}", re.IGNORECASE)
# "WELCOME10", "AB12CD": letters and digits in one word, more of both than in "24h" or "2nd".
_MIXED = re.compile(r"(?<!\w)(?=\w*[^\W\d_]\w*[^\W\d_])(?=\w*\d\w*\d)\w{4,}(?!\w)")
_WORD = re.compile(r"[^\W\d_]+")
_SAID_AS = {"card": "number", "iban": "number", "coupon": "code", "order": "order", "phone": "phone"}


def gives_away(
    text: str, names: Iterable[str] = (), handle: str = "", common: Collection[str] = ()
) -> tuple[str, ...]:
    """What a public answer would give away: email, phone, order, code, amount, number, address, name.

    Empty when it may be sent. `names` are the customer's; `common` are words (folded) that are no name
    when they are written small. `handle` ("@ann@social.example") is public already. It is rather too strict:
    what is refused can be said in other words.
    """
    plain = _plain(text)
    if handle.startswith("@") and len(handle) > 1:
        plain = re.sub(rf"(?<![\w@.]){re.escape(_plain(handle))}(?![\w@])", " ", plain, flags=re.IGNORECASE)
    found = set(_numbers_in(plain))
    found |= {
        _SAID_AS.get(span.kind, span.kind) for span in personal.find(plain) if span.kind not in {"name"}
    }
    written = _WRITTEN_DOT.sub(".", _WRITTEN_AT.sub("@", plain))
    if _AT.search(written):
        found.add("email")
    if _names_somebody(plain, names, common):
        found.add("name")
    return tuple(sorted(found))


def _plain(text: str) -> str:
    """Without what is not seen, and with one form of each character: full-width digits are digits."""
    text = unicodedata.normalize("NFKC", text)
    return "".join(sign for sign in text if unicodedata.category(sign) != "Cf")


def _numbers_in(text: str) -> Iterable[str]:
    if _AMOUNT.search(text):
        yield "amount"
    if _ORDER.search(text):
        yield "order"
    if _PHONE_LIKE.search(text):
        yield "phone"
    if _MIXED.search(text):
        yield "code"
    if _DIGITS.search(text):
        yield "number"


def _names_somebody(text: str, names: Iterable[str], common: Collection[str]) -> bool:
    """Whether a part of a name stands in the text; in small letters only if it is no ordinary word."""
    parts = {fold(part) for name in names for part in _WORD.findall(_bare(name)) if len(part) > 1}
    for word in _WORD.findall(_bare(text)):
        plain = fold(word)
        if plain not in parts:
            continue
        ordinary = plain in common
        if (word != word.lower() and not (len(word) == 2 and ordinary)) or (len(word) > 2 and not ordinary):
            return True
    return False


def _bare(text: str) -> str:
    """Without accents; a letter that is written as two signs stays one."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in parts if not unicodedata.combining(sign))
