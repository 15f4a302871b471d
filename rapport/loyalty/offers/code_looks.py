"""What looks like one of the shop's codes in a text, in whatever pieces it stands there. Pure.

Some of it can be nothing else ("FJ-7KQM-X2PA"). Of some only the ledger can tell: "FJELLJAKKE" is a jacket's
name and could be a code, "7KQM-X2PA" a code without its beginning. Such a text is doubtful: it promises
something only if a code like it was issued.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from rapport.loyalty.offers.rules import ALPHABET, CODE_GROUP_LENGTH, CODE_GROUPS

COUPON_LENGTH = CODE_GROUPS * CODE_GROUP_LENGTH
REFERRAL_LENGTH = 6

_ISSUED = frozenset(ALPHABET)
_END = re.compile(r"[.!?]\s")
_NEXT = re.compile(r"[\W_]{0,4}([A-Za-z0-9])")
# A code of the ledger's alphabet without the shop's prefix.
_BARE = re.compile(
    rf"(?<![A-Za-z0-9])(?:[{ALPHABET}]{{4}}[ _./|-]?[{ALPHABET}]{{4}}|[{ALPHABET.lower()}2-9]{{4}}-"
    rf"[{ALPHABET.lower()}]{{4}})(?![A-Za-z0-9])"
)
_DIGIT = re.compile(r"[2-9]")


class Look(NamedTuple):
    """A code in plain letters, as it stands in the text, and whether it may be something else."""

    code: str
    text: str
    doubtful: bool


def find(text: str, folded: str, prefix: str) -> Iterator[Look]:
    """What looks like a code, each once. `folded` is the text in small letters."""
    seen: list[tuple[int, int]] = []
    for start in _prefixes(text, folded, prefix):
        led = [_led(text, start, length) for length in (COUPON_LENGTH, REFERRAL_LENGTH)]
        looks = [one for one in led if one is not None]
        certain = [one for one in looks if not one[2].doubtful]
        for begin, end, look in certain[:1] or looks:
            seen.append((begin, end))
            yield look
    if not _DIGIT.search(text) and "-" not in text:
        return
    for match in _BARE.finditer(text):
        body = re.sub(r"[^A-Za-z0-9]", "", match[0]).upper()
        inside = any(begin <= match.start() < end for begin, end in seen)
        word = body.isalpha() and not (match[0].isupper() and "-" in match[0])
        if not inside and not body.isdigit() and not word:
            yield Look(prefix.upper() + body, match[0], True)


@lru_cache(maxsize=8)
def _prefix_pattern(prefix: str) -> re.Pattern[str]:
    spaced = r"[\W_]{0,3}".join(re.escape(letter) for letter in prefix)
    return re.compile(rf"(?<![A-Za-z0-9]){spaced}", re.IGNORECASE)


def _prefixes(text: str, folded: str, prefix: str) -> list[re.Match[str]]:
    first = prefix[0].lower()
    if first not in folded:
        return []
    return list(_prefix_pattern(prefix).finditer(text))


def _led(text: str, start: re.Match[str], length: int) -> tuple[int, int, Look] | None:
    """The code of so many letters and digits behind the prefix, if one ends there."""
    groups, gaps = [""], [""]
    position = start.end()
    for _ in range(length):
        match = _NEXT.match(text, position)
        if match is None:
            return None
        gap = text[position : match.start(1)]
        if _END.match(gap):
            return None  # "FJ-99999. A …": another sentence
        if not groups[0]:
            gaps[0] = gap
        elif gap:
            groups.append("")
            gaps.append(gap)
        groups[-1] += match[1]
        position = match.end()
    if text[position : position + 1].isalnum():
        return None
    body = "".join(groups)
    if body.isdigit():
        return None  # an order's number
    shown = text[start.start() : position]
    plain = re.sub(r"[\W_]", "", shown).upper()
    if _certain(start[0], groups, gaps, length):
        return start.start(), position, Look(plain, shown, False)
    if _doubtful(start[0], body):
        return start.start(), position, Look(plain, shown, True)
    return None


def _certain(prefix: str, groups: list[str], gaps: list[str], length: int) -> bool:
    """Whether it can be nothing else: in the shop's groups, with a dash or another sign between them; or in
    letters and digits no number or word has.
    """
    body = "".join(groups)
    sizes = [len(group) for group in groups]
    spelled = all(gaps) and sizes == [1] * length
    usual = [CODE_GROUP_LENGTH] * CODE_GROUPS if length == COUPON_LENGTH else [REFERRAL_LENGTH]
    if spelled or (sizes == usual and all("-" in gap for gap in gaps)):
        return True
    loud = body == body.upper() and prefix == prefix.upper()
    if loud and sizes == [CODE_GROUP_LENGTH] * CODE_GROUPS and all(gaps):
        return True
    # A number and then a word ("FJ-99999, med") are two things.
    mixed = set(body.upper()) <= _ISSUED and any(
        _DIGIT.search(group) and not group.isdigit() for group in groups
    )
    if not mixed or (sizes not in (usual, [length]) and not all(gap.strip() for gap in gaps)):
        return False
    if loud:
        return True
    # "FJ-B5UQ6B, de 90 kr" is a friend's code and a word.
    one_case = body == body.lower() and prefix == prefix.lower()
    return (
        one_case
        and length == COUPON_LENGTH
        and all(
            any(letter.isdigit() for letter in half) for half in (body[: length // 2], body[length // 2 :])
        )
    )


def _doubtful(prefix: str, body: str) -> bool:
    """Whether the ledger could have issued it: in one case throughout, and no word in small letters."""
    if not set(body.upper()) <= _ISSUED:
        return False
    if body == body.upper():
        return True
    return body == body.lower() and prefix == prefix.lower() and not body.isalpha()


def stored(code: str, prefix: str) -> str:
    """A code in plain letters as the ledger writes it."""
    body = code[len(prefix) :]
    size = CODE_GROUP_LENGTH if len(body) == COUPON_LENGTH else REFERRAL_LENGTH
    return "-".join([prefix, *(body[first : first + size] for first in range(0, len(body), size))])
