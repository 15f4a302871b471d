"""Pure rules of journeys: who gets what, when each step is due, and how words are filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from rapport.kit.tokens import keyed_hash
from rapport.outreach.policy.rules import Decision
from rapport.shop import placeholders

CONTROL, A, B = "control", "a", "b"

# What may stand in braces in a journey's words.
# hello: a greeting with the first name, if there is one ("Hi Ann,"); name: the first name, which is left out
# with the comma or blank before it where nobody knows it; product, products: what it is about, in the
# person's language; tips: how to use and look after it; order: its number; code, off, minimum, expires: an
# offer's code, what it gives, from what sum on, and its last day; points, points_end: those that end, and
# when; link: to what it is about; preferences: the page where they say what they want to hear of.
PLACEHOLDERS = (
    *("hello", "name", "shop", "product", "products", "order", "code", "off", "minimum", "expires"),
    *("points", "points_end", "tier", "years", "tips", "link", "preferences"),
)
OF_A_CODE = frozenset({"code", "off", "minimum", "expires"})
# Triggers that bring a code with them: a present that was given.
PRESENTS = frozenset({"birthday", "anniversary", "surprise", "recovery"})

# Why a step is not sent, beside what the contact policy says: the exits, and these.
EXITS = ("bought", "lost_interest", "returned", "used")
NOT_FOR_THEM, NO_OFFER, NO_WORDS = "not_for_them", "no_offer", "no_words"
SWITCHED_OFF, TOO_LATE, LEFT = "switched_off", "too_late", "left"
# They said no before it left; it could not be decided because of a mistake of ours.
CALLED_BACK, FAILED = "called_back", "failed"
REASONS = (*EXITS, NOT_FOR_THEM, NO_OFFER, NO_WORDS, SWITCHED_OFF, TOO_LATE, LEFT, CALLED_BACK, FAILED)

# A step that could not be sent for so long after it was due is not worth it any more.
GIVE_UP_AFTER = timedelta(days=14)
# Somebody else is busy with what it needs.
SOON = timedelta(minutes=1)
# A person of ours has the conversation it would go into.
STAFF_AGAIN = timedelta(hours=1)
# It could not be decided because of a mistake of ours: the others come first, and it is tried again after
# this, then after twice as long; so often, which takes a day and a half.
AFTER_TROUBLE = timedelta(minutes=15)
MOST_FAILURES = 8

_NAME = re.compile(r"(?:,? )?\{name\}")


def variant_of(secret: str, journey: str, customer_id: int, control: float, compares: bool) -> str:
    """control, a or b, drawn by a keyed hash: the same whenever it is asked.

    Two draws: another share for the control group moves nobody between a and b.
    """
    if _drawn(secret, "journey-control", journey, customer_id) < control:
        return CONTROL
    if compares and _drawn(secret, "journey-words", journey, customer_id) < 0.5:
        return B
    return A


def _drawn(secret: str, what: str, journey: str, customer_id: int) -> float:
    """A number from 0 (included) to 1."""
    return float(int(keyed_hash(secret, what, f"{journey}:{customer_id}")[:12], 16) / 16**12)


def due_times(anchor_at: datetime, waits: Sequence[timedelta]) -> list[datetime]:
    """When each step is due: each so long after the one before it, the first after the anchor."""
    found, at = [], anchor_at
    for wait in waits:
        at += wait
        found.append(at)
    return found


def moved(decided_at: datetime, following: Sequence[tuple[datetime, timedelta]]) -> list[datetime]:
    """When the steps after one that was decided then are due: (due, its wait) of each; never earlier than
    they were, and never sooner after it than their wait says.
    """
    found, before = [], decided_at
    for due_at, wait in following:
        before = max(due_at, before + wait)
        found.append(before)
    return found


def may_enter_again(last_entered_at: datetime | None, again_days: int, now: datetime) -> bool:
    """Whether somebody may enter a journey who entered it last at that time."""
    return not again_days or last_entered_at is None or now - last_entered_at >= timedelta(days=again_days)


def is_too_late(planned_at: datetime, now: datetime) -> bool:
    """Whether a step that was to come then is not worth it any more."""
    return now - planned_at > GIVE_UP_AFTER


def in_time(decision: Decision, planned_at: datetime, now: datetime) -> Decision:
    """What is to come later: not before it can, and never if it would be too late then."""
    until = max(decision.until or now, now + SOON)
    if is_too_late(planned_at, until):
        return replace(decision, outcome="never", until=None)
    return replace(decision, until=until)


def after_failure(failures: int) -> timedelta | None:
    """How long after the last of so many failures a step is tried again; None if not any more."""
    return None if failures >= MOST_FAILURES else AFTER_TROUBLE * 2 ** (failures - 1)


def language(*wishes: str | None, of_shop: str) -> str:
    """The first language that is known: the customer's, the conversation's, the shop's."""
    return next((wish for wish in wishes if wish), of_shop)


def misplaced_name(text: str) -> str | None:
    """What is wrong about where {name} stands in a text; None when it can be left out without a trace."""
    for found in _NAME.finditer(text):
        if found.group().startswith("{"):
            return "{name} must follow a blank or a comma, so that it can be left out; or write {hello}"
    return None


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders replaced. Raises KeyError for one that has no value."""
    if "name" not in values:
        text = _NAME.sub("", text)
    return placeholders.fill(text, values)


def grant_key(
    occasion: str, offer: str, customer_id: int, entry_id: int, year: int, case_id: int | None
) -> str:
    """What makes a code be given once: for an occasion the same as where presents are given for it."""
    if occasion in {"birthday", "anniversary"}:
        return f"{occasion}:{customer_id}:{year}"
    if occasion == "recovery" and case_id is not None:
        return f"recovery:{case_id}"
    return f"journey:{entry_id}:{offer}"
