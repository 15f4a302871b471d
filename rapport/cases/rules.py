"""Pure rules of cases: what may be done in which state, until when each is due, how an answer gets there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from rapport.kit.errors import ConflictError, InvalidInputError

KINDS = ("complaint", "request", "review", "mention", "callback")
# Those that people open themselves; the others come out of a conversation, or are opened by hand as well.
BY_HAND = ("callback", "mention", "complaint", "request")
PRIORITIES = ("high", "normal", "low")
STATES = ("open", "progress", "waiting", "resolved", "reopened")
_STAYS = ("assign", "due", "priority", "customer", "note")
ACTIONS = ("take", "answer", "ask", "heard", "resolve", "reopen", *_STAYS)

_UNRESOLVED = ("open", "progress", "waiting", "reopened")
# What becomes of a case by what is done with it. What does not stand here cannot be done.
TRANSITIONS: dict[tuple[str, str], str] = {
    **{(state, action): state for state in _UNRESOLVED for action in (*_STAYS, "heard")},
    **{(state, action): "progress" for state in _UNRESOLVED for action in ("take", "answer")},
    **{(state, "ask"): "waiting" for state in _UNRESOLVED},
    **{(state, "resolve"): "resolved" for state in _UNRESOLVED},
    ("waiting", "take"): "waiting",
    ("waiting", "heard"): "progress",
    ("resolved", "reopen"): "reopened",
    ("resolved", "note"): "resolved",
}

# How each kind may end. `done`, `accepted`: as the customer wished.
OUTCOMES = {
    "complaint": ("accepted", "partly", "refused", "withdrawn"),
    "request": ("done", "partly", "refused", "withdrawn"),
    "review": ("answered", "noted"),
    "mention": ("answered", "noted"),
    "callback": ("reached", "missed", "withdrawn"),
}
# With these the customer is told nothing unless something is written to them.
SILENT = frozenset({"noted", "answered", "reached", "missed", "withdrawn"})

# Working days until a case is due.
DAYS = {
    "complaint": {"high": 1, "normal": 2, "low": 4},
    "request": {"high": 1, "normal": 3, "low": 5},
    "review": {"high": 1, "normal": 5, "low": 10},
    "mention": {"high": 1, "normal": 2, "low": 5},
    "callback": {"high": 1, "normal": 1, "low": 3},
}
# Whose complaint was resolved and who says within this time that it is not, speaks of the same one.
REOPENS_WITHIN = timedelta(days=30)
# Who wrote in the web chat this long ago may have left it.
AWAY_AFTER = timedelta(minutes=10)

LONGEST_TEXT = 4000
LONGEST_CONTACT = 200
LONGEST_URL = 500
LONGEST_NUMBER = 60


def after(status: str, action: str) -> str:
    """The state a case is in after that. Raises ConflictError when it cannot be done in this one."""
    try:
        return TRANSITIONS[status, action]
    except KeyError:
        raise ConflictError("This cannot be done with the case as it is now.") from None


def can(status: str, action: str) -> bool:
    """Whether it may be done with a case in that state."""
    return (status, action) in TRANSITIONS


def is_own_doing(
    history: Sequence[tuple[str, int | None, object]], me: int, managers: Collection[int]
) -> bool:
    """Whether somebody said themselves whose case it is, so that having it shows them nothing of that
    customer: `history` is (what, who, to whom) in order. Not if a manager gave them the case since.
    """
    own = False
    for what, who, to in history:
        if what in {"opened", "customer"}:
            own = who == me
        elif what == "assigned" and to == me and who != me and who in managers:
            own = False
    return own


def first_priority(kind: str, rating: int | None = None) -> str:
    """How urgent a case is at first: an unhappy review is, the others wait their turn."""
    return "high" if kind == "review" and rating is not None and rating <= 2 else "normal"


def due_at(
    kind: str, priority: str, opened: datetime, zone: ZoneInfo, is_working: Callable[[date], bool]
) -> datetime:
    """Until when a case should be resolved: the same time of day (at the shop), some working days later."""
    local = opened.astimezone(zone)
    day, left = local.date(), DAYS[kind][priority]
    # A shop that is closed for weeks on end is due when it is open again, or then all the same.
    for _ in range(60):
        day += timedelta(days=1)
        left -= is_working(day)
        if not left:
            break
    return datetime.combine(day, local.time(), zone).astimezone(opened.tzinfo)


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The last minute of a day at the shop: what somebody means who names a day."""
    return datetime(day.year, day.month, day.day, 23, 59, tzinfo=zone)


def checked_text(text: str) -> str:
    """Raises InvalidInputError when there is none, or too much."""
    text = text.strip()
    if not text or len(text) > LONGEST_TEXT:
        raise InvalidInputError("Write 1 to 4000 characters.")
    return text


def checked_url(url: str) -> str | None:
    """A page's address, or None for nothing. Raises InvalidInputError for anything that is no web page's."""
    url = url.strip()
    if not url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if (
        parts.scheme not in {"http", "https"}
        or not parts.netloc
        or len(url) > LONGEST_URL
        or not url.isprintable()
    ):
        raise InvalidInputError("The link must begin with https:// or http://.")
    return url


def checked_outcome(kind: str, outcome: str) -> str:
    """Raises InvalidInputError."""
    if outcome not in OUTCOMES.get(kind, ()):
        raise InvalidInputError("Choose how it ended.")
    return outcome


@dataclass(frozen=True)
class Ways:
    """How what is written reaches the customer.

    `chat`: in the case's conversation. `mail`: to their own verified address. `away`: they are not in the web
    chat now. `refuses_mail`: they want no mails. `hindrance`: why nothing gets there on the channel: stopped
    (they said STOP), gone (the app takes no messages for them), window (they wrote too long ago for it),
    other (the conversation is another customer's by now).
    """

    channel: str | None = None
    chat: bool = False
    away: bool = False
    hindrance: str | None = None
    mail: bool = False
    refuses_mail: bool = False

    @property
    def reached(self) -> bool:
        """Whether anything gets there."""
        return self.chat or self.mail


def ways(
    channel: str | None,
    *,
    last_heard: datetime | None,
    now: datetime,
    hindrance: str | None = None,
    address: bool = False,
    refuses_mail: bool = False,
) -> Ways:
    """How to reach somebody whose conversation is on `channel` (None: there is none), who wrote last then.

    `address`: they have shown a mail address to be theirs. An answer to their own matter needs no consent to
    marketing, but who wants no mails at all gets none.
    """
    web = channel == "web"
    away = web and (last_heard is None or now - last_heard > AWAY_AFTER)
    chat = channel is not None and hindrance is None
    by_mail = address and not refuses_mail and channel != "email" and (away or not chat)
    return Ways(channel, chat, away, hindrance, by_mail, refuses_mail and address)
