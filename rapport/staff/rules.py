"""Pure rules of staff: who may do what, whose data they see, how long a login lasts."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from email_validator import EmailNotValidError, validate_email

from rapport.kit.errors import InvalidInputError

# Long enough to need no rules about signs in it (NIST SP 800-63B-4, 3.1.1.2: at least 15 where it is the only
# factor is advised, 8 is the least; we take the middle and throttle).
SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 200
LONGEST_NAME = 120

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


def checked_email(email: str) -> str:
    """The address as accounts are known by it; raises InvalidInputError."""
    try:
        # Whether its domain takes mail is seen when mail is sent.
        address = validate_email(email.strip(), check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise InvalidInputError(f"That is not an e-mail address: {error}") from None
    return address.lower()


def checked_name(name: str) -> str:
    """The name, trimmed; raises InvalidInputError."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidInputError(f"A name needs 1 to {LONGEST_NAME} letters.")
    return name


def checked_role(role: str) -> str:
    """The role; raises InvalidInputError."""
    if role not in ROLES:
        raise InvalidInputError(f"The role is one of {', '.join(ROLES)}.")
    return role


def checked_password(password: str, email: str, name: str) -> str:
    """The password; raises InvalidInputError when it is too short or says who it belongs to."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidInputError(f"A password needs {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
    if len(set(password)) < 5:
        raise InvalidInputError("That password repeats a few characters; it is easily guessed.")
    if password.casefold() in {email.casefold(), name.casefold(), email.partition("@")[0].casefold()}:
        raise InvalidInputError("The password must not be your name or address.")
    return password
