"""Reviews: what customers think of products and shop, kept as cases for the shop's people to read."""

from __future__ import annotations

import re
from datetime import timedelta

from sqlalchemy.orm import Session

from rapport.cases import opening
from rapport.cases.models import Case
from rapport.conversations import repository, service
from rapport.conversations.models import Conversation
from rapport.kit import clock

KIND = "review"
MOST_STARS = 5
STARS = re.compile(
    r"[★⭐🌟]|\b(?:stars?|estrell(?:it)?as?|stjern\w*|ste(?:a|aua|le|lele|lu\w+)|ratings?|notas?|not[aă]|terningkast"
    r"|[1-5]\s*/\s*5|\w+ (?:out of|of|de|sobre|av|din) (?:5|five|cinco|fem|cinci))\b",
    re.IGNORECASE,
)
# Stars given later belong to no earlier review.
STARS_BELONG = timedelta(days=1)


def stars(said: str | None) -> int | None:
    """1 to 5, or None."""
    return int(said) if said and said.isascii() and said.isdigit() and 1 <= int(said) <= MOST_STARS else None


def stars_in(text: str) -> int | None:
    """The one number from 1 to 5 in an answer like "no, 4"; None when there is none or more than one."""
    found = re.findall(r"(?<![\w.,])[1-5](?![\w%]|[.,]\d|\s*%)", text)
    return int(found[0]) if len(found) == 1 else None


def speaks_of_stars(text: str) -> bool:
    """Whether a message says by itself that it gives stars: a number alone may mean anything."""
    return bool(STARS.search(text))


def take(
    session: Session, conversation: Conversation, text: str, given: int | None, message_key: str
) -> Case:
    """Keeps a review with its stars, if any; the same `message_key` gives the same one."""
    case = service.open_case(session, conversation, KIND, text, message_key)
    if given is not None:
        opening.rate(session, case, given)
    return case


def rate(session: Session, conversation: Conversation, given: int, message_key: str) -> bool:
    """Adds stars to this conversation's latest review; without one they are a review by themselves.

    Returns whether there is more to read than the stars.
    """
    repository.lock(session, conversation.id)
    since = clock.now() - STARS_BELONG
    case = repository.latest_case(session, conversation.id, KIND, since)
    if case is None:
        take(session, conversation, _written(given), given, message_key)
        return False
    only_stars = case.rating is not None and case.text == _written(case.rating)
    if only_stars:
        case.text = _written(given)
    opening.rate(session, case, given)
    return not only_stars


def _written(given: int) -> str:
    return f"{given}/{MOST_STARS}"
