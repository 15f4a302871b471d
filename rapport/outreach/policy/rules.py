"""Whether, when and on which channel somebody may hear from us unasked. Pure.

Reasons, in the order in which they are told when there are several:

1. What stands in the way of every channel, where the reason told is that of the channel that came nearest:
   no_consent, refused_channel, no_channel (no address we may use), unreachable, window_closed (only a
   template may be sent now), too_costly. Such a touch is never sent.
2. open_complaint, bad_mention: nothing but what makes good again goes to somebody who is unhappy with us.
   Never, for it would come at the wrong time later as well.
3. paused, handled_by_staff, too_many, quiet_hours: later, at the first moment at which none of them is in
   the way, as far as is known now.

A refusal of a channel is not got round: whoever said "do not call me" gets the same on no other channel
unless they prefer that one or agreed to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from rapport.outreach.policy import quiet
from rapport.outreach.policy.quiet import Quiet

Cost = Literal["low", "medium", "high"]

# Why something is not sent, or not now; and "allowed". In the order in which they are told.
REASONS = (
    "allowed",
    "no_consent",
    "refused_channel",
    "no_channel",
    "unreachable",
    "window_closed",
    "too_costly",
    "open_complaint",
    "bad_mention",
    "paused",
    "handled_by_staff",
    "too_many",
    "quiet_hours",
)

PHONE = "phone"
# The cap counts what was sent in so many days.
CAP_DAYS = timedelta(days=30)
# A conversation that a person of ours has, or is to take, is left alone for so long after its last word.
STAFF_HAVE = timedelta(hours=24)
# A message takes its time to the provider, who looks at the window once more.
WINDOW_MARGIN = timedelta(minutes=15)
# Told of as soon as they can be, so no gap keeps them apart from what was said before.
WITHOUT_GAP = frozenset({"alerts"})


@dataclass(frozen=True)
class Touch:
    """Something we would like to say to somebody unasked.

    `purpose` is what they must have agreed to (`customers.rules.PURPOSES`), None for what needs no consent.
    `channels`: those it can go out on. `cost` of the touch: low, medium or high; who is worth little gets no
    costly one. `recovery`: it is part of making good again, so an open complaint does not stop it.
    `template`: it can be sent where only templates may.
    """

    journey: str
    step: str
    purpose: str | None
    channels: tuple[str, ...]
    cost: Cost = "low"
    recovery: bool = False
    template: bool = False


@dataclass(frozen=True)
class Decision:
    """Send it on `channel`, or later (not before `until`), or never; why; and the facts it rests on."""

    outcome: Literal["send", "later", "never"]
    reason: str
    channel: str | None = None
    until: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Consent:
    """The newest word of a customer on a purpose and channel; `id` of the event that holds it."""

    id: int
    granted: bool
    at: datetime


@dataclass(frozen=True)
class Reach:
    """An address on a channel. `usable` False: it bounced, blocked us or said STOP.

    `window_ends`: until when the person may be written to freely; None where that does not end.
    """

    usable: bool = True
    window_ends: datetime | None = None


@dataclass(frozen=True)
class Manners:
    """How the shop behaves: the fact `staying_in_touch` of shop.yml, with costs in minor units.

    `unknown_worth_minor` is what somebody not valued yet is taken to be worth.
    """

    quiet: Quiet
    gap: timedelta
    cost_minor: Mapping[str, int]
    unknown_worth_minor: int


@dataclass(frozen=True)
class Facts:
    """What is known of a customer at the moment of a decision.

    `consents` by (purpose, channel). `left_at`: when they last said that they want nothing unasked at all;
    what they agreed to since counts. `sent`: when they were written to within `CAP_DAYS`. `staff_until`:
    until when a person of ours has them, or None. `worth_minor`: their expected value (CLV), None if unknown.
    """

    manners: Manners
    zones: tuple[str, ...]
    consents: Mapping[tuple[str, str], Consent] = field(default_factory=dict)
    left_at: datetime | None = None
    preferred: str | None = None
    refused: frozenset[str] = frozenset()
    reach: Mapping[str, Reach] = field(default_factory=dict)
    paused_until: datetime | None = None
    per_month: int = 4
    sent: Sequence[datetime] = ()
    open_complaint: bool = False
    bad_mention: bool = False
    staff_until: datetime | None = None
    worth_minor: int | None = None


def decide(facts: Facts, touch: Touch, now: datetime) -> Decision:
    """What becomes of the touch, by the order of reasons above. A `later` has its `until` after now."""
    channel, reason = choose(facts, touch, now)
    if channel is None:
        return Decision("never", reason)
    if not touch.recovery and (facts.open_complaint or facts.bad_mention):
        return Decision("never", "open_complaint" if facts.open_complaint else "bad_mention")
    waits = [(why, until) for why, until in _waits(facts, touch) if until is not None and until > now]
    at = max((until for _, until in waits), default=now)
    free = quiet.over(facts.manners.quiet, facts.zones, at)
    if free > now:
        return Decision("later", waits[0][0] if waits else "quiet_hours", until=free)
    return Decision("send", "allowed", channel)


def choose(facts: Facts, touch: Touch, now: datetime) -> tuple[str | None, str]:
    """(channel, "allowed"), or None and why there is none: the reason of the one that came nearest."""
    nearest = "no_consent"
    for channel in _in_order(facts, touch):
        reason = _obstacle(facts, touch, channel, now)
        if reason is None:
            return channel, "allowed"
        nearest = max(nearest, reason, key=REASONS.index)
    return None, nearest


def barred(facts: Facts, touches: Sequence[Touch], now: datetime) -> str | None:
    """Why none of these touches can go out on any channel; None if one can."""
    found = [choose(facts, touch, now) for touch in touches]
    if any(channel is not None for channel, _ in found):
        return None
    return max((reason for _, reason in found), key=REASONS.index)


def agreed(facts: Facts, purpose: str | None, channel: str) -> Consent | None:
    """What lets us write for this purpose on this channel, where a consent is needed for that.

    Whoever prefers a channel agrees on it to what they agreed to on another, unless they said no to that.
    """
    own = facts.consents.get((purpose or "", channel))
    if own is not None:
        return own if counts(facts, own) else None
    if channel != facts.preferred:
        return None
    others = [one for (of, _), one in facts.consents.items() if of == purpose and counts(facts, one)]
    return max(others, key=lambda one: (one.at, one.id), default=None)


def counts(facts: Facts, consent: Consent) -> bool:
    """Whether it was given, and they did not take leave of everything since."""
    return consent.granted and (facts.left_at is None or consent.at >= facts.left_at)


def _in_order(facts: Facts, touch: Touch) -> list[str]:
    """The touch's channels, the preferred one first. Nobody is called who did not ask to be."""
    wished = [channel for channel in touch.channels if channel != PHONE or facts.preferred == PHONE]
    return sorted(wished, key=lambda channel: channel != facts.preferred)


def _obstacle(facts: Facts, touch: Touch, channel: str, now: datetime) -> str | None:
    """Why this touch cannot go out on this channel; None when it can."""
    if refusal := _unwanted(facts, touch.purpose, channel):
        return refusal
    reach = facts.reach.get(channel)
    if reach is None:
        return "no_channel"
    if not reach.usable:
        return "unreachable"
    closes = reach.window_ends
    if closes is not None and closes - WINDOW_MARGIN <= now and not touch.template:
        return "window_closed"
    return "too_costly" if _worth(facts) < cost_minor(facts, touch, channel) else None


def _unwanted(facts: Facts, purpose: str | None, channel: str) -> str | None:
    """What they said against it: no_consent or refused_channel."""
    if not (has_left(facts) if purpose is None else agreed(facts, purpose, channel) is None):
        return _refusal(facts, channel)
    return "no_consent"


def has_left(facts: Facts) -> bool:
    """Whether they want nothing unasked: they took leave, or withdrew all that they ever agreed to."""
    if any(counts(facts, consent) for consent in facts.consents.values()):
        return False
    return facts.left_at is not None or bool(facts.consents)


def _refusal(facts: Facts, channel: str) -> str | None:
    """refused_channel for one that they refused, and for one that would get round a refusal."""
    if channel in facts.refused:
        return "refused_channel"
    wanted = channel == facts.preferred or any(
        on == channel and counts(facts, one) for (_, on), one in facts.consents.items()
    )
    return "refused_channel" if facts.refused and not wanted else None


def basis(facts: Facts, touch: Touch, channel: str | None, now: datetime) -> dict[str, Any]:
    """What a decision rests on, as it is stored: ids, counts, limits and times; nobody's name."""
    consent = agreed(facts, touch.purpose, channel) if touch.purpose and channel else None
    found = {
        "purpose": touch.purpose,
        "consent": consent.id if consent else None,
        "sent": len(facts.sent),
        "per_month": facts.per_month,
        "refused": sorted(facts.refused),
        "preferred": facts.preferred,
        "paused_until": facts.paused_until.isoformat() if facts.paused_until else None,
        "zones": list(facts.zones[:1]),
        "hour": now.astimezone(ZoneInfo(facts.zones[0])).hour,
        "worth_minor": facts.worth_minor,
        "cost_minor": cost_minor(facts, touch, channel or ""),
    }
    return {name: value for name, value in found.items() if value not in (None, [])}


def cost_minor(facts: Facts, touch: Touch, channel: str) -> int:
    """What the touch costs the shop, in minor units. A call takes somebody's time: it costs much."""
    return facts.manners.cost_minor["high" if channel == PHONE else touch.cost]


def _worth(facts: Facts) -> int:
    return facts.manners.unknown_worth_minor if facts.worth_minor is None else facts.worth_minor


def _waits(facts: Facts, touch: Touch) -> list[tuple[str, datetime | None]]:
    """What may put it off, in the order in which it is told, and until when."""
    return [
        ("paused", facts.paused_until),
        ("handled_by_staff", facts.staff_until),
        ("too_many", _room_at(facts, touch.purpose)),
    ]


def _room_at(facts: Facts, purpose: str | None) -> datetime | None:
    """From when on another touch is neither above the cap nor too soon after the last."""
    sent = sorted(facts.sent, reverse=True)
    room = [sent[facts.per_month - 1] + CAP_DAYS] if len(sent) >= facts.per_month else []
    if sent and purpose not in WITHOUT_GAP:
        room.append(sent[0] + facts.manners.gap)
    return max(room, default=None)
