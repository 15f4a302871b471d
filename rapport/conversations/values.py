"""Values in a message that its words tell, whatever its language: how long, how often, how much, by which way
not.

Months, weekdays and the currencies' digits come from Babel. A library for dates (dateparser) was tried: it
takes 1 to 16 ms where this takes 0.02, and it misses "o lună" and half of "half a year".
"""

from __future__ import annotations

import re
from datetime import date

from rapport.conversations import amounts, frequencies, lexicon, periods, point_amounts, refusals
from rapport.conversations.lexicon import Said
from rapport.kit.languages import LANGUAGES

Entity = dict[str, str]
STARS = ("1", "2", "3", "4", "5")


def find(text: str, today: date, currency: str, prefix: str | None = None) -> list[Entity]:
    """The values in `text`, each with `entity`, `value` and `text` (as typed).

    `period`: ISO 8601, a duration (`P3M`), a day it ends (`2027-01-01`) or `P0D` (a pause is over).
    `frequency`: messages a month (0: less than one), or `less` or `more`. `refused_channel`: a channel's key.
    `amount`: minor units and currency (`25000 NOK`). `rating`: one to five, of a number's name alone.
    `points`: how many. `friend_code`: a code that begins with `prefix` and looks like those customers give to
    friends. `today`, `currency` and `prefix` are the shop's.
    """
    said = lexicon.read(text)
    found: list[Entity] = []
    frequency = frequencies.find(said)
    if frequency is not None and frequency.value is not None:
        found.append(_entity("frequency", frequency.value, said.original(frequency.start, frequency.end)))
    period = periods.find(said, today)
    # The month of "once a month" is no period.
    if period is not None and not (frequency and frequency.covers(period.start, period.end)):
        found.append(_entity("period", period.value, said.original(period.start, period.end)))
    found += [
        _entity("refused_channel", refused.channel, said.original(refused.start, refused.end))
        for refused in refusals.find(said)
    ]
    if (stars := _number_alone(said)) is not None:
        found.append(_entity("rating", stars, said.text.strip()))
    found += [_entity("amount", amount.value, amount.text) for amount in amounts.find(said.text, currency)]
    if (points := point_amounts.said(text)) is not None:
        found.append(_entity("points", str(points), text.strip()))
    if prefix and (code := friend_code(text, prefix)):
        found.append(_entity("friend_code", code, code))
    return found


def friend_code(text: str, prefix: str) -> str | None:
    """The first code of a friend in a text, `FJ-7KQMX2`; an order's number has only digits."""
    shape = rf"(?<![\w-]){re.escape(prefix)}[- ]?(?=[a-z0-9]*[a-z])[a-z0-9]{{6}}(?![\w-])"
    found = re.search(shape, text, re.IGNORECASE)
    return found[0] if found else None


def _number_alone(said: Said) -> str | None:
    """What "four" means when stars are asked for. (In more words data/nlu/entities.yml finds it.)"""
    word = said.line.strip(" |")
    numbers = (lexicon.words("numbers", language).get(word) for language in LANGUAGES)
    return next((number for number in numbers if number in STARS), None)


def _entity(name: str, value: str, text: str) -> Entity:
    return {"entity": name, "value": value, "text": text}


def warm_up() -> None:
    """Makes the expressions (a sixth of a second), so that the first message need not wait."""
    find("3 weeks, once a week, no calls, 10 kr", date(2000, 1, 1), "EUR")
