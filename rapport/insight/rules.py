"""What is asked and counted, as pure functions: when to ask how the help was, what a talk is, when the bot
solved one by itself, days of the shop, and the periods of a page.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from rapport.kit.errors import InvalidInputError

# Whoever is silent for this long and writes again begins another talk (in a messaging app nothing else ends
# one).
GAP = timedelta(hours=4)

# --- how the help was --------------------------------------------------------------------------------------

BEST = 5
ASK_AGAIN = timedelta(days=30)
# Until then another tap corrects the first.
CORRECT_FOR = timedelta(days=1)

# What is said around a talk, or leaves somebody where they were: nobody was helped by an answer to it.
SMALL_TALK = frozenset(
    {
        *("greet", "goodbye", "thank", "affirm", "deny", "bot_challenge", "ask_capabilities"),
        *("change_language", "out_of_scope", "nlu_fallback", "inform_rating"),
    }
)
NOT_UNDERSTOOD = frozenset({"nlu_fallback", "out_of_scope"})
# Who wants to hear less of us is asked nothing.
REFUSALS = frozenset({"unsubscribe", "pause_contact", "set_contact_frequency", "delete_account"})
UNHAPPY = frozenset({"complaint", "payment_issue", "registration_problems", "contact_human_agent"})


@dataclass(frozen=True)
class Situation:
    """What is known when the bot could ask. `intents` are those of the talk up to now."""

    status: str
    stopped: bool
    complaint_open: bool
    in_form: bool
    asked_at: datetime | None
    intents: Collection[str]


def bot_may_ask(now: datetime, situation: Situation) -> bool:
    """Whether the bot may ask how its help was: it did help, nothing is open, and it did not ask of late."""
    said = set(situation.intents)
    return (
        situation.status == "bot"
        and not situation.in_form
        and person_may_ask(now, situation)
        and not said & (REFUSALS | UNHAPPY)
        and bool(said - SMALL_TALK)
    )


def person_may_ask(now: datetime, situation: Situation) -> bool:
    """Whether to ask when a person is done: not of late, and nobody who said STOP or is still waiting for
    their complaint to be settled.
    """
    late = situation.asked_at is not None and now - situation.asked_at < ASK_AGAIN
    return not (situation.stopped or situation.complaint_open or late)


def may_correct(first_tap: datetime | None, now: datetime) -> bool:
    """Whether a tap counts."""
    return first_tap is None or now - first_tap <= CORRECT_FOR


def score_in(text: str) -> int | None:
    """The score that a typed answer gives: `4`, `4/5`, `4 out of 5`. None when it says more."""
    found = re.fullmatch(r"\W*([1-5])(?:\s*(?:/|of|out of|de|av|din|sobre)\s*5)?\W*", text)
    return int(found[1]) if found else None


def checked_score(said: str | None) -> int | None:
    """1 to 5, or None."""
    return int(said) if said in {"1", "2", "3", "4", "5"} else None


# --- talks, and which of them the bot solved ----------------------------------------------------------------

# Whoever comes back within this time was not helped.
RETURN = timedelta(hours=48)
# A day is counted again and again until this long after its end: then all its talks are settled.
STILL_CHANGING = timedelta(days=7)
# Cases of these kinds mean work for people; a review or a mention needs nobody to solve anything.
CASES_FOR_PEOPLE = ("complaint", "request", "callback")

Outcome = Literal["open", "contained", "person", "returned", "not understood"]


@dataclass(frozen=True)
class Talk:
    """What a customer wrote from its first to its last message and the intent of the last."""

    started: datetime
    ended: datetime
    last_intent: str | None


def talks(said: Sequence[tuple[datetime, str | None]]) -> Iterator[Talk]:
    """The talks in a customer's messages in one conversation: (when, intent), in their order."""
    begun: int = 0
    for number, ((before, intent), (after, _)) in enumerate(pairwise(said), 1):
        if _seconds(after) - _seconds(before) >= GAP.total_seconds():
            yield Talk(said[begun][0], before, intent)
            begun = number
    if said:
        yield Talk(said[begun][0], *said[-1])


def outcome(talk: Talk, now: datetime, returned: Sequence[datetime], people: Sequence[datetime]) -> Outcome:
    """What came of a talk: contained if the bot solved it.

    `returned`: when the same customer wrote, here or in another conversation of theirs; `people`: when a
    person was asked for, wrote or got a case to work on, in this conversation.
    """
    latest = _seconds(talk.ended) + int(RETURN.total_seconds())
    if latest >= _seconds(now):
        return "open"
    if any(_seconds(talk.started) <= _seconds(at) <= latest for at in people):
        return "person"
    if any(_seconds(talk.ended) < _seconds(at) <= latest for at in returned):
        return "returned"
    return "not understood" if talk.last_intent in NOT_UNDERSTOOD else "contained"


def _seconds(at: datetime) -> int:
    return int(at.timestamp() // 1)


# --- days and periods ---------------------------------------------------------------------------------------

PRESETS = {"7": 7, "30": 30, "90": 90}
MONTH, CUSTOM = "month", "custom"
LONGEST = 731
MOST_DAYS, MOST_WEEKS = 45, 30


@dataclass(frozen=True)
class Period:
    """Whole days at the shop, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> Period:
        """The period of the same length that ends where this one begins."""
        return Period(self.first - timedelta(days=self.days), self.first - timedelta(days=1))

    def moments(self, timezone: str) -> tuple[datetime, datetime]:
        """From when until before when, in UTC."""
        return starts(self.first, timezone), starts(self.last + timedelta(days=1), timezone)

    def all_days(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range(self.days)]

    def split_by_months(self) -> tuple[Period, Period, Period]:
        """The days before the first whole month, the whole months, and the days after them. A part may have
        no days: it ends before it begins.
        """
        begin = self.first if self.first.day == 1 else next_month(self.first)
        after = self.last + timedelta(days=1)
        end = max(after.replace(day=1), begin)
        head_last = min(begin - timedelta(days=1), self.last)
        months = Period(begin, end - timedelta(days=1))
        return Period(self.first, head_last), months, Period(max(end, self.first), self.last)


def next_month(day: date) -> date:
    """The first day of the month after."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def starts(day: date, timezone: str) -> datetime:
    """When a day begins at the shop, in UTC."""
    return datetime.combine(day, time(), ZoneInfo(timezone)).astimezone(UTC)


def day_of(at: datetime, timezone: str) -> date:
    """Which day it is at the shop."""
    return at.astimezone(ZoneInfo(timezone)).date()


def period(name: str, first: str, last: str, today: date) -> Period:
    """The period somebody chose: a preset, this month, or two dates such as 2026-05-01.

    Raises InvalidInputError.
    """
    if name == MONTH:
        return Period(today.replace(day=1), today)
    if name != CUSTOM:
        return Period(today - timedelta(days=PRESETS.get(name, 30) - 1), today)
    try:
        chosen = Period(date.fromisoformat(first), date.fromisoformat(last))
    except ValueError:
        raise InvalidInputError("Give both dates.") from None
    if chosen.first > chosen.last:
        raise InvalidInputError("The first day comes after the last.")
    if chosen.days > LONGEST or chosen.first.year < 2000 or chosen.last > today:
        raise InvalidInputError("Choose two years at most, up to today.")
    return chosen


def parts(whole: Period) -> list[Period]:
    """A period in days, weeks (from Monday) or months, so that a chart has room for them."""
    if whole.days <= MOST_DAYS:
        return [Period(day, day) for day in whole.all_days()]
    weekly = whole.days <= MOST_WEEKS * 7
    found: list[Period] = []
    first = whole.first
    while first <= whole.last:
        if weekly:
            last = first + timedelta(days=6 - first.weekday())
        else:
            last = next_month(first) - timedelta(days=1)
        found.append(Period(first, min(last, whole.last)))
        first = found[-1].last + timedelta(days=1)
    return found


def share(part: float | None, whole: float | None) -> float | None:
    """A part from 0 to 1; None of nothing."""
    return part / whole if whole and part is not None else None


def rank(ordered: Sequence[int], percent: int) -> int | None:
    """What so many of a hundred stay within (nearest rank); None of nothing."""
    return ordered[(len(ordered) * percent + 99) // 100 - 1] if ordered else None


def change(now: float | None, before: float | None) -> float | None:
    """By which share something grew; None when there is nothing to compare with."""
    return (now - before) / before if now is not None and before else None
