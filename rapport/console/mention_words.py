"""What mentions, where they stand and what becomes of them are called on the pages of staff."""

from __future__ import annotations

from rapport.console.desk import Desk
from rapport.console.i18n import mark

WORDS: dict[str, dict[str, str]] = {
    "kind": {
        "complaint": mark("Complaint"),
        "doubt": mark("Doubt"),
        "praise": mark("Praise"),
        "neutral": mark("Neither"),
    },
    "state": {
        "new": mark("New"),
        "case": mark("Has a case"),
        "answered": mark("Answered"),
        "noted": mark("Noted, no answer needed"),
        "gone": mark("Taken back by its author"),
    },
    "source": {"mastodon": "Mastodon", "facebook": "Facebook", "webhook": mark("Another service")},
    "sent": {
        "queued": mark("On its way"),
        "sending": mark("On its way"),
        "sent": mark("Sent"),
        "failed": mark("Not delivered"),
        "cancelled": mark("Not sent any more"),
        "unknown": mark("Perhaps sent"),
    },
    "told": {
        "email": mark("an e-mail address"),
        "phone": mark("a phone number"),
        "order": mark("an order number"),
        "number": mark("a number of four digits or more"),
        "code": mark("a code"),
        "amount": mark("a sum, percentage or points"),
        "address": mark("a postal address"),
        "name": mark("the name of the customer"),
    },
}
# What services say of a mistake in a form.
SENTENCES = (
    mark("There is no such mention."),
    mark("Choose what kind of mention it is."),
    mark("The answer is empty, or too long for this source."),
    mark("The answer says what must not stand in public."),
    mark("This cannot be answered there."),
    mark("That answer was decided already."),
    mark("There is a case already."),
    mark("Keep the note short."),
    mark("The mention changed meanwhile. Nothing of yours was stored."),
)


def word(desk: Desk, group: str, key: str) -> str:
    """What `key` is called; the key itself if nobody gave it a name."""
    return desk.gettext(WORDS[group][key]) if key in WORDS[group] else key
