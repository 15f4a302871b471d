"""What a preference page offers, what a form that came back means, and limits. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rapport.customers.rules import (
    CHANNELS,
    DEFAULT_PER_MONTH,
    MOST_BY_MORE,
    MOST_PER_MONTH,
    PURPOSES,
    REFUSABLE,
)
from rapport.kit.languages import LANGUAGES

Consent = tuple[str, str]  # purpose, channel
Fields = Mapping[str, Sequence[str]]

# Another one whenever the page's words about what somebody agrees to change; a test holds words and version
# together.
WORDING = "page-1"
PAUSES = (1, 3, 6)  # months
OFTEN = {"less": DEFAULT_PER_MONTH // 2, "normal": DEFAULT_PER_MONTH, "more": MOST_BY_MORE}
LONGEST_TOPIC = 80

# A mailbox gets so many mails that ask for a yes in that time, one only after so long again; a place on the
# network asks for so many.
MAILS_PER_MAILBOX = (3, timedelta(days=1))
AGAIN_AFTER = timedelta(minutes=1)
REQUESTS_PER_CLIENT = (20, timedelta(hours=1))


@dataclass(frozen=True)
class Shown:
    """The boxes of a form as they stood. `per_month` None: it says nothing that can be."""

    consents: frozenset[Consent] = frozenset()
    preferred: str | None = None
    refused: frozenset[str] = frozenset()
    per_month: int | None = DEFAULT_PER_MONTH
    interests: frozenset[str] = frozenset()
    language: str | None = None


@dataclass(frozen=True)
class Change:
    """What is different between two states of a form; None: that stayed. `preferred` "": none any more."""

    granted: tuple[Consent, ...] = ()
    withdrawn: tuple[Consent, ...] = ()
    refused: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    preferred: str | None = None
    per_month: int | None = None
    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    language: str | None = None


def offered_channels(reachable: Collection[str], consents: Collection[Consent]) -> tuple[str, ...]:
    """Where somebody can be written to, and where they once said they may be."""
    known = {*reachable, *(channel for _purpose, channel in consents)}
    return tuple(channel for channel in CHANNELS if channel in known and channel != "web")


def liked_or_refused(offered: Collection[str], refused: Collection[str], preferred: str | None) -> list[str]:
    """The channels somebody may like or refuse: also the phone, which nobody should have to answer."""
    known = {*offered, *refused, preferred, "phone"}
    return [channel for channel in REFUSABLE if channel in known]


def read(fields: Fields, prefix: str = "") -> Shown:
    """What a form says; `prefix` of the fields that repeat what was shown. What cannot be is passed over."""
    preferred = _one(fields, f"{prefix}prefer")
    language = _one(fields, f"{prefix}language")
    return Shown(
        consents=frozenset(
            (purpose, channel)
            for said in fields.get(f"{prefix}consent", ())
            for purpose, _, channel in [said.partition(":")]
            if purpose in PURPOSES and channel in CHANNELS
        ),
        preferred=preferred if preferred in REFUSABLE else None,
        refused=frozenset(c for c in fields.get(f"{prefix}refuse", ()) if c in REFUSABLE),
        per_month=_per_month(_one(fields, f"{prefix}often")),
        interests=frozenset(
            topic for topic in fields.get(f"{prefix}interest", ()) if 0 < len(topic) <= LONGEST_TOPIC
        ),
        language=language if language in LANGUAGES else None,
    )


def change(before: Shown, now: Shown) -> Change:
    """What somebody changed on a form, compared with what it showed them: not with how things stand by now,
    as they may have been changed elsewhere while it was open.

    A channel newly refused is refused for all. A box newly ticked counts more than an older refusal.
    """
    refused = now.refused - before.refused
    granted = {consent for consent in now.consents - before.consents if consent[1] not in refused}
    allowed = (before.refused - now.refused) | {c for _purpose, c in granted if c in now.refused}
    preferred = now.preferred if now.preferred not in refused else None
    if preferred in now.refused and preferred == before.preferred:
        preferred = None
    return Change(
        granted=_in_order(granted),
        withdrawn=_in_order(before.consents - now.consents),
        refused=tuple(channel for channel in REFUSABLE if channel in refused),
        allowed=tuple(channel for channel in REFUSABLE if channel in allowed),
        preferred=(preferred or "") if preferred != before.preferred else None,
        per_month=now.per_month if now.per_month != before.per_month else None,
        liked=tuple(sorted(now.interests - before.interests)),
        disliked=tuple(sorted(before.interests - now.interests)),
        language=now.language if now.language != before.language else None,
    )


def masked(address: str) -> str:
    """An address as its owner knows it again, and nobody else learns it: `a…@example.com`."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"


def may_ask_again(sent: int, asked_at: datetime, now: datetime) -> bool:
    """Whether a mailbox that was sent so many mails, the last one then, may be sent one more."""
    most, period = MAILS_PER_MAILBOX
    return now - asked_at >= (AGAIN_AFTER if sent < most else period)


def origin_of(header: str | None) -> str:
    """The site a form stood on, for the record; "" when a browser does not say, or something odd."""
    found = re.fullmatch(r"https?://([a-z0-9.:\-]{1,80})", header or "")
    return found[1] if found else ""


def _one(fields: Fields, name: str) -> str:
    values = fields.get(name, ())
    return values[-1] if values else ""


def _per_month(digits: str) -> int | None:
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 3):
        return None
    return int(digits) if 1 <= int(digits) <= MOST_PER_MONTH else None


def _in_order(consents: Collection[Consent]) -> tuple[Consent, ...]:
    return tuple(sorted(consents, key=lambda c: (PURPOSES.index(c[0]), CHANNELS.index(c[1]))))
