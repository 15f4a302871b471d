"""Money, dates and numbers as people of each language write them (CLDR data, through Babel)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_currency, format_decimal, get_currency_precision

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
LOCALES = {"en": "en_GB", "es": "es_ES", "nb": "nb_NO", "ro": "ro_RO"}


def money(minor: int, currency: str, language: str) -> str:
    """An amount of minor units (øre, cents) with its currency, e.g. `1 249 kr` or `1 249,50 kr`."""
    amount = Decimal(minor).scaleb(-get_currency_precision(currency))
    locale = Locale.parse(LOCALES[language])
    pattern = locale.currency_formats["standard"].pattern
    if amount == amount.to_integral_value():
        pattern = pattern.replace(".00", "")  # nobody writes the zeros of a price
        text = format_currency(amount, currency, pattern, locale=locale, currency_digits=False)
    else:
        text = format_currency(amount, currency, pattern, locale=locale)
    # CLDR puts a space between a code in letters and the number; Babel leaves it out.
    return re.sub(r"(?<=[A-Z])(?=\d)", NO_BREAK_SPACE, text)


def day(at: datetime, language: str, timezone: str) -> str:
    """A date without the time in the shop's timezone, e.g. `3 May 2026`."""
    return format_date(at.astimezone(ZoneInfo(timezone)), format="long", locale=LOCALES[language])


def short_day(at: datetime, language: str, timezone: str) -> str:
    """The same where there is little room, as on a button, e.g. `3 May 2026` or `3 nov 2026`."""
    return format_date(at.astimezone(ZoneInfo(timezone)), format="medium", locale=LOCALES[language])


def number(value: int, language: str) -> str:
    """A whole number with the language's grouping."""
    return format_decimal(value, locale=LOCALES[language])


def counted(value: int, language: str) -> str:
    """A whole number as it stands before the word it counts: in Romanian `5 zile`, but `30 de zile`."""
    of = language == "ro" and value and not 1 <= value % 100 <= 19
    return f"{number(value, language)} de" if of else number(value, language)


def listed(items: Sequence[str], language: str) -> str:
    """Several things in a row, as in a sentence: `a, b and c`."""
    return format_list(list(items), locale=LOCALES[language])
