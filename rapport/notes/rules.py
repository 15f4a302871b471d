"""Pure rules of notes, tags and of what counts as another look."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta

from rapport.kit.errors import InvalidInputError
from rapport.privacy import personal

LONGEST_NOTE = 4000
LONGEST_TAG = 40
MOST_TAGS = 20
# Who comes back to a page within this time is still looking.
ONE_LOOK = timedelta(minutes=5)


def note(text: str) -> str:
    """A note, trimmed. Raises InvalidInputError."""
    text = text.strip()
    if not text or len(text) > LONGEST_NOTE:
        raise InvalidInputError(f"A note needs 1 to {LONGEST_NOTE} characters.")
    return text


def tag(text: str) -> str:
    """A tag as all write it: small letters, single spaces, nothing around it. Raises InvalidInputError.

    Tags are seen by everybody and stay: a person's address or number is none.
    """
    small = unicodedata.normalize("NFKC", text).lower().lstrip("#")
    small = " ".join(re.sub(r"[^\w\s&+.'’-]", " ", small).split()).strip(" -.")
    if not small or len(small) > LONGEST_TAG:
        raise InvalidInputError(f"A tag needs 1 to {LONGEST_TAG} letters or digits.")
    if any(span.kind != "order" for written in (small, text) for span in personal.find(written)):
        raise InvalidInputError("A tag must not hold an address or a number of somebody.")
    return small


def is_new_look(last: tuple[datetime, bool] | None, now: datetime, full: bool) -> bool:
    """Whether this look goes into the audit log; `last` is their last one: (when, whether all was shown).

    Who sees more than at the last look looks anew.
    """
    if last is None:
        return True
    at, saw_all = last
    return now - at >= ONE_LOOK or (full and not saw_all)
