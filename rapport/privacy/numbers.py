"""Which numbers are about somebody and which are prices, sizes, dates and the like."""

from __future__ import annotations

import itertools
import re

CURRENCY = r"(?:kr\.?|nok|€|eur|euros?|\$|usd|£|gbp|lei|ron|kroner|bani|øre)"
UNIT = (
    rf"(?:{CURRENCY}|km|m|cm|mm|kg|g|gr|gram\w*|l|ml|liter|litre|litros?|litri|steps|pasos|skritt|points?|puntos"
    r"|puncte|poeng|stk|pcs|%|mah|watts?|w|lumens?|lm)"
)
_BEFORE = re.compile(rf"(?:(?<!\w){CURRENCY}|[€$£])\s?$", re.IGNORECASE)
_AFTER = re.compile(rf"^(?:[.,]\d\d?)?\s?(?:{UNIT}(?!\w)|[€$£%]|,-)", re.IGNORECASE)
_DATE = re.compile(
    r"(?:\d{1,2}[./-]\s?\d{1,2}[./-]\s?\d{2,4}|\d{4}[./-]\d{1,2}[./-]\d{1,2})(?:[ -]\d{1,2}(?:[ .]?\d\d)?)?"
)
_YEARS = re.compile(r"(?:19|20)\d\d ?[-/] ?(?:19|20)\d\d(?: ?[-/] ?(?:19|20)\d\d)*")
_THOUSANDS = re.compile(r"\d{1,3}(?:[ .]000)+")
_SIZES = 2


def is_phone(number: str, before: str = "", after: str = "") -> bool:
    """Whether digits with separators are a phone number rather than a date, a price or a row of sizes."""
    digits = re.sub(r"\D", "", number)
    if number.lstrip("(").startswith(("+", "00")):
        return 8 <= len(digits) <= 15
    if not 8 <= len(digits) <= 15 and not (len(digits) == 7 and re.search(r"\d[ -]\d", number)):
        return False
    if _DATE.fullmatch(number) or _YEARS.fullmatch(number) or _THOUSANDS.fullmatch(number):
        return False
    return not is_amount(before, after) and not _is_row_of_sizes(number)


def _is_row_of_sizes(number: str) -> bool:
    """38 39 40 41: each a little more than the one before."""
    groups = [int(group) for group in re.findall(r"\d+", number)]
    steps = [later - earlier for earlier, later in itertools.pairwise(groups)]
    return len(groups) > _SIZES and all(0 < step <= _SIZES for step in steps)


def is_amount(before: str, after: str) -> bool:
    """Whether a number is one of something, by what stands beside it: a price, a length, a weight."""
    return bool(_BEFORE.search(before) or _AFTER.search(after))


def is_measure_name(words: str) -> bool:
    """Whether letters with a number are a norm, a size or a model year rather than an order."""
    letters = re.sub(r"[^A-Za-z]", "", words).lower()
    return letters in {"eu", "uk", "us", "iso", "en", "din", "ip", "spf", "utc", "gmt", "no", "nr", "covid"}


def is_card(number: str) -> bool:
    """Luhn's check."""
    digits = [int(sign) for sign in number if sign.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(words: str) -> bool:
    """The check of ISO 13616: letters are numbers from 10, the rest by 97 is 1."""
    packed = words.replace(" ", "").upper()
    if not 15 <= len(packed) <= 34:
        return False
    return int("".join(str(int(sign, 36)) for sign in packed[4:] + packed[:4])) % 97 == 1
