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
from babel.numbers import (
    format_currency,
    format_decimal,
    get_currency_precision,
    get_currency_symbol,
    get_decimal_symbol,
    get_group_symbol,
)

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
# What an integer column holds.
LARGEST_AMOUNT = 2_147_483_647
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


def typed_money(minor: int, currency: str, language: str) -> str:
    """An amount as somebody would type it into a field, without its currency: `1249` or `49,90`."""
    digits = get_currency_precision(currency)
    amount = Decimal(minor).scaleb(-digits)
    if amount == amount.to_integral_value():
        return str(int(amount))
    return f"{amount:.{digits}f}".replace(".", get_decimal_symbol(LOCALES[language]))


def read_money(typed: str, currency: str, language: str) -> int:
    """The minor units of an amount that somebody typed: `49,90`, `1 249.5`, `1.249,50 kr`.

    Either sign may part the decimals where it can't be meant to group thousands. Raises ValueError.
    """
    digits = get_currency_precision(currency)
    symbol = re.escape(get_currency_symbol(currency, LOCALES[language]))
    text = re.sub(rf"(?i)[\s'’]|{symbol}|{currency}|\bkr\b\.?|[€$£]|\blei\b", "", typed)
    found = re.fullmatch(rf"([0-9.,]*?)(?:([.,])([0-9]{{1,{digits or 1}}}))?", text) if digits else None
    whole, mark, decimals = (found[1], found[2], found[3]) if found else (text, None, None)
    group = get_group_symbol(LOCALES[language])
    if mark == group and len(decimals or "") == 3:
        whole, mark, decimals = text, None, None
    # What groups thousands parts them all, and is not what parts the decimals.
    pattern = rf"[0-9]+|[0-9]{{1,3}}(?:[{'.' if mark == ',' else ',' if mark == '.' else '.,'}][0-9]{{3}})+"
    if not text or not re.fullmatch(pattern, whole) or len({sign for sign in whole if sign in ".,"}) > 1:
        raise ValueError("is no amount of money")
    amount = Decimal(re.sub(r"[.,]", "", whole)) + Decimal(f"0.{decimals or 0}")
    if (minor := int(amount.scaleb(digits))) > LARGEST_AMOUNT:
        raise ValueError("is more than any price")
    return minor


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
