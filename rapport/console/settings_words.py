"""What is said about mistakes and changes in settings, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rapport.console import settings_audience as audience
from rapport.console.desk import Desk
from rapport.console.i18n import mark
from rapport.console.settings_reader import shown_share
from rapport.edits.rules import Change
from rapport.kit import languages
from rapport.kit.format import money
from rapport.shop.facts import get_facts
from rapport.shop.placeholders import PlaceholderError

CHANGED = mark("Somebody else has changed this meanwhile; nothing was saved. Load the page again.")
MISFIT = mark("That version doesn't fit any more: %(why)s")
# By the kind pydantic gives a mistake; what it is about stands in braces there.
MISTAKES = {
    "missing": mark("This is missing."),
    "string_too_short": mark("This is missing."),
    "string_too_long": mark("This is too long: at most %(max_length)s characters."),
    "string_pattern_mismatch": mark("This can't be read."),
    "float_parsing": mark("Write a number, such as 2.5."),
    "int_type": mark("Write a whole number."),
    "int_parsing": mark("Write a whole number."),
    "int_parsing_size": mark("This is too large."),
    "int_from_float": mark("Write a whole number."),
    "greater_than_equal": mark("At least %(ge)s."),
    "greater_than": mark("More than %(gt)s."),
    "less_than_equal": mark("At most %(le)s."),
    "too_short": mark("At least one is needed."),
    "date_from_datetime_parsing": mark("Choose a date."),
    "date_parsing": mark("Choose a date."),
    "date_type": mark("Choose a date."),
}
# What our own models say.
SAID = {
    "max_days is below min_days": mark("The second number of days is below the first."),
    "a text tells {free_from}, but there is no free_from_minor": mark(
        "A text tells from which sum delivery is free, but there is no such sum."
    ),
    "is no e-mail address": mark("This is no e-mail address."),
    "write hours as 9:00-17:30": mark("Give both times, or none."),
    "hours end after they begin, on the same day (at 24:00 at the latest)": mark(
        "Hours end after they begin, at midnight at the latest."
    ),
    "one time of a day must end before the next begins": mark(
        "The first time of a day must end before the second begins."
    ),
    "the last day is before the first": mark("The last day is before the first."),
    "so long a time can't come back every year": mark("So long a time can't come back every year."),
    "must be in the years from 2000 to 2199": mark("Choose a day of this century or the next."),
    "ends is not after starts": mark("The end is not after the start."),
    "a budget for percent needs max_discount_minor: the most one code can cost": mark(
        "A budget for a percentage needs the most that one code can cost."
    ),
    "max_discount_minor is for percent; an amount is its own limit": mark(
        "The most one code can cost is for percentages only."
    ),
    "keep_margin is for discounts, not for presents": mark("Keeping the margin is for discounts only."),
    "a surprise needs a chance (0 to 1, per customer and month) and a budget_minor": mark(
        "A surprise needs a budget."
    ),
    "give exactly one of percent, amount_minor and gift": mark(
        "Exactly one of percent, amount and present is needed."
    ),
    "the first must begin at 0 points": mark("The first level must begin at 0 points."),
    "each must ask for more points than the one before it": mark(
        "Each level must ask for more points than the one before it."
    ),
    "max_orders is below min_orders": mark("The most is below the least."),
}
# Kept as a share of 1, typed and told as a percentage.
SHARES = ("control", "chance")
LABELS = {
    "title": mark("Title"),
    "shortcut": mark("Shortcut"),
    "email": mark("E-mail"),
    "phone": mark("Phone"),
    "price_minor": mark("Price"),
    "free_from_minor": mark("Free from"),
    "min_days": mark("Working days, at least"),
    "max_days": mark("Working days, at most"),
    "text": mark("Text"),
    "name": mark("Name"),
    "days": mark("Days to send something back"),
    "how": mark("How it is done"),
    "key": mark("Key"),
    "mon": mark("Monday"),
    "tue": mark("Tuesday"),
    "wed": mark("Wednesday"),
    "thu": mark("Thursday"),
    "fri": mark("Friday"),
    "sat": mark("Saturday"),
    "sun": mark("Sunday"),
    "closed": mark("Closed"),
    "first": mark("First day"),
    "last": mark("Last day"),
    "yearly": mark("Every year"),
    "percent": mark("Percent"),
    "amount_minor": mark("Amount"),
    "minimum_minor": mark("For orders from"),
    "max_discount_minor": mark("Most that one code can cost"),
    "starts": mark("From"),
    "ends": mark("Until"),
    "valid_days": mark("Days a code is good"),
    "cap": mark("Most codes in all"),
    "per_customer": mark("Codes per customer"),
    "budget_minor": mark("Budget"),
    "keep_margin": mark("Never below what the goods cost"),
    "active": mark("Switched on"),
    "control": mark("Share that gets nothing"),
    "audience": mark("For whom"),
    "stages": mark("Stages"),
    "segments": mark("Segments"),
    "points": mark("Points"),
    "per_minor": mark("For each full"),
    "point_value_minor": mark("What a point is worth"),
    "expires_after_days": mark("Days a point can be spent"),
    "grace_days": mark("Days more for points that come back"),
    "tier_days": mark("Days whose points count for a level"),
    "from_points": mark("From so many points on"),
    "tiers": mark("Levels"),
    "interests": mark("Interests"),
    "gift": mark("Present"),
    "chance": mark("Chance"),
    "min_orders": mark("Orders, at least"),
    "max_orders": mark("Orders, at most"),
    "trigger": mark("Beginning"),
    "minutes": mark("Minutes"),
    "a_day": mark("People a day"),
    "only": mark("Only what of these was bought"),
    "steps": mark("Steps"),
    "offer": mark("Offer"),
    "after_days": mark("Days to wait"),
    "words": mark("Words"),
    "b": mark("Second wording"),
    "subject": mark("Subject"),
    "short": mark("Short"),
}


@dataclass(frozen=True)
class Line:
    """A change as it is read."""

    what: str
    before: str | None
    after: str | None


def problems(desk: Desk, errors: Iterable[Mapping[str, Any]], skip: int = 1) -> dict[str, str]:
    """What is wrong, by the field it is wrong in; the first `skip` steps of each place are not the form's."""
    found: dict[str, str] = {}
    for error in errors:
        loc = [str(part) for part in error["loc"][skip:]]
        found.setdefault(_field(loc), told(desk, error))
    return found


def _field(loc: list[str]) -> str:
    """The hours of a day are one field, and so are the closed days of a row; levels are rows."""
    if loc and loc[0] in {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}:
        return loc[0]
    if loc and loc[0] == "closed":
        return ".".join(loc[1:2])
    if loc and loc[0] == "tiers":
        loc = loc[1:]
    return ".".join(loc)


def told(desk: Desk, error: Mapping[str, Any]) -> str:
    """One mistake in words."""
    context = error.get("ctx", {})
    raised = context.get("error")
    if isinstance(raised, PlaceholderError):
        return placeholder(desk, raised)
    if raised is not None:
        said = str(raised)
        return desk.gettext(SAID[said]) if said in SAID else said
    if error["type"] in MISTAKES:
        sentence = MISTAKES[error["type"]]
        return str(desk.gettext(sentence) % context)
    return str(error["msg"])


def placeholder(desk: Desk, error: PlaceholderError) -> str:
    """What is wrong with braces."""
    if error.name is None:
        return desk.gettext("A brace stands without its other half.")
    if not error.known:
        return desk.gettext("No braces here: nothing is filled in.")
    return desk.gettext(
        "There is no placeholder {%(name)s}; there are %(known)s.",
        name=error.name[:40],
        known=", ".join(f"{{{name}}}" for name in error.known),
    )


def lines(desk: Desk, changes: Iterable[Change]) -> list[Line]:
    """Changes as they are read."""
    return [
        Line(
            " · ".join(_label(desk, step) for step in change.path) or desk.gettext("All"),
            _value(desk, change.path, change.before),
            _value(desk, change.path, change.after),
        )
        for change in changes
    ]


def _label(desk: Desk, step: str | int) -> str:
    if isinstance(step, str) and step in languages.NAMES:
        return languages.NAMES[step]
    if isinstance(step, str) and step in LABELS:
        return desk.gettext(LABELS[step])
    return str(step)


def _value(desk: Desk, path: tuple[str | int, ...], value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return desk.gettext("yes") if value else desk.gettext("no")
    if path and str(path[-1]).endswith("_minor") and isinstance(value, int):
        return money(value, get_facts().currency, desk.staff.language)
    if path and path[-1] in SHARES and isinstance(value, float):
        return f"{shown_share(value)} %"
    if path and (called := audience.names(desk.staff.language).get(str(path[-1]))) is not None:
        return ", ".join(called.get(one, one) for one in str(value).split(", "))
    return str(value)
