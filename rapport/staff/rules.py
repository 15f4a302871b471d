"""Pure rules of staff: who may do what, whose data they see, how long a login lasts."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from email_validator import EmailNotValidError, validate_email

from rapport.kit.errors import ConflictError, ForbiddenError, InvalidInputError

# What staff read; rapport/console/words.py has each of them marked for translation.
NO_ADDRESS = "That is not an e-mail address."
NO_NAME = "A name needs 1 to 120 letters."
NO_ROLE = "There is no such role."
TOO_SHORT_OR_LONG = "A password needs 12 to 200 characters."
REPEATS = "That password repeats a few characters; it is easily guessed."
IS_NAME = "The password must not be your name or address."
OWN_ROLE = "Nobody changes their own role. Another administrator can."
OWN_SWITCH = "Nobody switches off their own account. Another administrator can."
LAST_ADMIN = "This is the last administrator. Make somebody else one first."
SWITCHED_OFF = "This account is switched off. Switch it on first."
TAKEN = "This address has an account already."
NO_LONGER_ADMIN = "You are no administrator any more."

# Long enough to need no rules about signs in it (NIST SP 800-63B-4, 3.1.1.2: at least 15 where it is the only
# factor is advised, 8 is the least; we take the middle and throttle).
SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 200
LONGEST_NAME = 120

# How long a link to choose a password is good: handed over by an administrator, or asked for by oneself; and
# the one that makes the very first account.
INVITATION_LIFE = timedelta(days=7)
RESET_LIFE = timedelta(hours=1)
WELCOME_LIFE = timedelta(hours=2)

# A browser nobody used for this long is logged out; and each is after the longer time.
IDLE = timedelta(hours=12)
LONGEST_SESSION = timedelta(days=7)
# So that not every page writes that it was looked at.
SEEN_EXACT_TO = timedelta(minutes=5)


class May(StrEnum):
    """What somebody may do in the console."""

    READ = "read"  # conversations, cases and customers, personal data masked
    ANSWER = "answer"  # take over, answer, work on cases, notes, tags, mark answers
    PEOPLE = "people"  # see anybody's personal data
    TEACH = "teach"  # turn corrections into training examples, train, switch models
    INSIGHT = "insight"  # figures
    SETTINGS = "settings"  # the shop's facts, canned replies, offers
    STAFF = "staff"  # accounts
    AUDIT = "audit"  # who looked at what


AGENT = frozenset({May.READ, May.ANSWER})
MANAGER = AGENT | {May.PEOPLE, May.TEACH, May.INSIGHT, May.SETTINGS}
ADMIN = frozenset(May)
ROLES: dict[str, frozenset[May]] = {"agent": AGENT, "manager": MANAGER, "admin": ADMIN}


class Account(Protocol):
    """What `state` looks at."""

    @property
    def disabled_at(self) -> datetime | None: ...
    @property
    def password_hash(self) -> str | None: ...
    @property
    def oidc_subject(self) -> str | None: ...


def may(role: str, what: May) -> bool:
    """Whether somebody in this role may do that; an unknown role may nothing."""
    return what in ROLES.get(role, frozenset())


def sees_person(role: str, mine: bool) -> bool:
    """Whether personal data are shown as they are: to those who answer for all, else only where a
    conversation or case is in their own hands (`mine`).
    """
    return may(role, May.PEOPLE) or (mine and may(role, May.ANSWER))


def is_over(created_at: datetime, seen_at: datetime, now: datetime) -> bool:
    """Whether a login has ended by time."""
    return now - seen_at > IDLE or now - created_at > LONGEST_SESSION


def state(staff: Account) -> str:
    """active, invited (no way in was used yet) or off."""
    if staff.disabled_at is not None:
        return "off"
    return "active" if staff.password_hash or staff.oidc_subject else "invited"


def checked_email(email: str) -> str:
    """The address as accounts are known by it; raises InvalidInputError."""
    try:
        # Whether its domain takes mail is seen when mail is sent.
        address = validate_email(email.strip(), check_deliverability=False).normalized
    except EmailNotValidError:
        raise InvalidInputError(NO_ADDRESS) from None
    return address.lower()


def checked_name(name: str) -> str:
    """The name, trimmed; raises InvalidInputError."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidInputError(NO_NAME)
    return name


def checked_role(role: str) -> str:
    """The role; raises InvalidInputError."""
    if role not in ROLES:
        raise InvalidInputError(NO_ROLE)
    return role


def checked_password(password: str, email: str, name: str) -> str:
    """The password; raises InvalidInputError when it is too short or says who it belongs to."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidInputError(TOO_SHORT_OR_LONG)
    if len(set(password)) < 5:
        raise InvalidInputError(REPEATS)
    if password.casefold() in {email.casefold(), name.casefold(), email.partition("@")[0].casefold()}:
        raise InvalidInputError(IS_NAME)
    return password


def check_role_change(actor_id: int | None, staff_id: int, role: str, active_admins: Collection[int]) -> None:
    """Whether `actor_id` (None: the command line) may give somebody this role, given who is an active
    administrator. Raises ForbiddenError and ConflictError.
    """
    _check_actor(actor_id, active_admins)
    if actor_id == staff_id:
        raise ForbiddenError(OWN_ROLE)
    if role != "admin" and set(active_admins) == {staff_id}:
        raise ConflictError(LAST_ADMIN)


def check_switch_off(actor_id: int | None, staff_id: int, active_admins: Collection[int]) -> None:
    """Whether `actor_id` may switch off an account. Raises ForbiddenError and ConflictError."""
    _check_actor(actor_id, active_admins)
    if actor_id == staff_id:
        raise ForbiddenError(OWN_SWITCH)
    if set(active_admins) == {staff_id}:
        raise ConflictError(LAST_ADMIN)


def _check_actor(actor_id: int | None, active_admins: Collection[int]) -> None:
    # Their request may have waited for one that took the role from them.
    if actor_id is not None and actor_id not in active_admins:
        raise ForbiddenError(NO_LONGER_ADMIN)
