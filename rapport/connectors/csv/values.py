"""Reading numbers, amounts, dates and yes or no as people in many places write them. Pure functions.

Each raises ValueError when the text is none of what it should be; its words go into the report.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from types import TracebackType
from zoneinfo import ZoneInfo

from babel import Locale

from rapport.kit.format import LOCALES

# What a 32-bit column holds.
LARGEST = 2_147_483_647
EARLIEST_YEAR, LATEST_YEAR = 1970, 2100
CACHED = 20_000

NOTHING = {"", "-", "–", "nan", "null", "none", "n/a", "na", "nil", "#n/a"}
YES = {
    "1",
    "y",
    "yes",
    "true",
    "t",
    "x",
    "ja",
    "j",
    "si",
    "sí",
    "s",
    "da",
    "d",
    "on",
    "granted",
    "opt-in",
    "optin",
}
YES |= {
    "subscribed",
    "accepted",
    "accepts",
    "suscrito",
    "abonat",
    "samtykke",
    "samtykket",
    "verdadero",
    "sann",
}
NO = {"0", "n", "no", "false", "f", "nei", "nu", "off", "denied", "opt-out", "optout", "unsubscribed"}
NO |= {"withdrawn", "refused", "rechazado", "dezabonat", "avmeldt", "falso", "usann"}

_AMOUNT = re.compile(r"[-+−]?\d[\d.,\s'’]*")
_NO_CENTS = re.compile(r"[.,]\s*[-–—]$")
_FLOAT_ID = re.compile(r"\d+[.,]0+")
_DATE = re.compile(r"(\d{1,4})[-./](\d{1,2})[-./](\d{1,4})")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[T ]?(\d{2})(\d{2})(\d{2})?)?")
_TIME = re.compile(
    r"[T\s]*(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:[.,]\d+)?)?\s*([ap]\.?m\.?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)


class SaidOf:
    """Names the field in the ValueErrors raised inside its block."""

    def __init__(self, field: str) -> None:
        self._field = field

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, ValueError):
            raise ValueError(f"{self._field}: {error}") from None


# A file says the same things again and again: reading each only once halves the time.
@lru_cache(CACHED)
def clean(text: str) -> str:
    """The text without outer and doubled spaces and without NUL; nothing for `nan`, `NULL` and the like."""
    text = " ".join(text.replace("\0", "").split())
    return "" if text.lower() in NOTHING else text


@lru_cache(CACHED)
def reference(text: str) -> str:
    """A customer's or order's id; spreadsheets make `17850.0` of 17850."""
    text = clean(text)
    return re.split("[.,]", text)[0] if _FLOAT_ID.fullmatch(text) else text


@lru_cache(CACHED)
def amount(text: str, decimal: str, precision: int) -> int:
    """An amount in minor units (`precision` digits), halves rounded up; `decimal` is the decimal sign."""
    number = _number(text, decimal)
    minor = int(number.scaleb(precision).quantize(Decimal(1), ROUND_HALF_UP))
    if abs(minor) > LARGEST:
        raise ValueError("amount too large")
    return minor


@lru_cache(CACHED)
def whole(text: str, decimal: str) -> int:
    """A whole number; `6.0` is one, `2.5` is none."""
    number = _number(text, decimal)
    if number != number.to_integral_value():
        raise ValueError("not a whole number")
    if abs(number) > LARGEST:
        raise ValueError("number too large")
    return int(number)


def _number(text: str, decimal: str) -> Decimal:
    # `99,-` is how Scandinavians write 99.00.
    text = _NO_CENTS.sub("", text.replace("\0", "").strip())
    found = _AMOUNT.findall(text)
    if len(found) != 1:
        raise ValueError("not a number")
    digits = found[0]
    rest = text.replace(digits, "", 1)
    # Bookkeepers write (5.00) or 5.00- for less than nothing.
    negative = (
        digits[0] in "-−" or (rest.startswith("(") and rest.endswith(")")) or "-" in rest or "−" in rest
    )
    if sum(letter.isdigit() for letter in rest):
        raise ValueError("not a number")
    grouping = "," if decimal == "." else "."
    plain = re.sub(rf"[\s'’+\-−{re.escape(grouping)}]", "", digits)
    if plain.count(decimal) > 1:
        raise ValueError("not a number")
    number = Decimal(plain.replace(decimal, ".").rstrip("."))
    return -number if negative else number


def decimal_sign(texts: list[str]) -> str | None:
    """The decimal sign these amounts are written with, or None when they do not show it."""
    votes = {",": 0, ".": 0}
    for text in texts:
        match = _AMOUNT.search(text)
        signs = re.findall(r"[.,]", match.group()) if match else []
        if not match or not signs:
            continue
        last, tail = signs[-1], re.split(r"[.,]", match.group().strip())[-1]
        # 1.234 may be either; 1.23, 0.001 and 1,234.5 may not.
        if len(set(signs)) == 2 or (len(signs) == 1 and (len(tail) != 3 or match.group().startswith("0"))):
            votes[last] += 1
        elif len(signs) > 1:
            votes["." if last == "," else ","] += 1
    if votes[","] == votes["."]:
        return None
    return max(votes, key=lambda sign: votes[sign])


def date_order(text: str) -> str | None:
    """`ymd`, `dmy` or `mdy` as far as this one date tells, else None."""
    match = _DATE.search(text)
    if match is None:
        return "ymd" if _COMPACT.fullmatch(text.strip()) else None
    first, second = match.group(1), match.group(2)
    if len(first) == 4:
        return "ymd"
    if int(first) > 12:
        return "dmy"
    if int(second) > 12:
        return "mdy"
    # Nobody writes 12.31.2025.
    return "dmy" if "." in match.group() else None


@lru_cache(CACHED)
def moment(text: str, order: str, zone: ZoneInfo) -> datetime:
    """A time in UTC. What has no offset is in `zone`; a day alone means its noon, the same day everywhere."""
    text = text.strip()
    if compact := _COMPACT.fullmatch(text):
        year, month, day = (int(part) for part in compact.groups()[:3])
        clock = [int(part or 0) for part in compact.groups()[3:]]
        return _at(_day(year, month, day), clock if compact.group(4) else None, zone)
    found = _DATE.match(text)
    if found is None:
        raise ValueError("not a date")
    rest = text[found.end() :].strip()
    parsed = _TIME.fullmatch(rest) if rest else None
    if rest and parsed is None:
        raise ValueError("not a date")
    day_ = _day(*_in_order(found.groups(), order))
    if parsed is None:
        return _at(day_, None, zone)
    hour, minute, second, half, offset = parsed.groups()
    return _at(day_, [_hour(int(hour), half), int(minute), int(second or 0)], _offset(offset) or zone)


def calendar_day(text: str, order: str) -> date:
    """A date without a time, such as a birthday (any year from 1900)."""
    text = text.strip()
    if compact := _COMPACT.fullmatch(text):
        return date(int(compact.group(1)), int(compact.group(2)), int(compact.group(3)))
    found = _DATE.match(text)
    if found is None:
        raise ValueError("not a date")
    year, month, day = _in_order(found.groups(), order)
    if not 1900 <= year <= LATEST_YEAR:
        raise ValueError("date out of range")
    return date(year, month, day)


def _in_order(parts: tuple[str, ...], order: str) -> tuple[int, int, int]:
    first, second, third = (int(part) for part in parts)
    if len(parts[0]) == 4:
        return first, second, third
    if len(parts[0]) > 2:
        raise ValueError("not a date")
    year = (
        third + 2000 if len(parts[2]) == 2 and third < 70 else third + 1900 if len(parts[2]) == 2 else third
    )
    return (year, first, second) if order == "mdy" else (year, second, first)


def _day(year: int, month: int, day: int) -> date:
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        raise ValueError("date out of range")
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError("not a date") from None


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError("not a date")
    return hour % 12 + (12 if half.lower().startswith("p") else 0)


def _offset(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text.upper() in {"Z", "UTC"}:
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    if minutes >= 24 * 60:
        raise ValueError("not a date")
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _at(day: date, clock: list[int] | None, zone: ZoneInfo | timezone) -> datetime:
    try:
        at = time(clock[0], clock[1], clock[2]) if clock else time(12)
    except ValueError:
        raise ValueError("not a date") from None
    return datetime.combine(day, at, zone).astimezone(UTC)


def yes_or_no(text: str) -> bool | None:
    """Whether the text means yes or no; None when it is empty.

    Raises ValueError for other words: agreement is never guessed.
    """
    word = clean(text).lower()
    if not word:
        return None
    if word in YES:
        return True
    if word in NO:
        return False
    raise ValueError("neither yes nor no")


@lru_cache(1)
def _country_codes() -> dict[str, str]:
    codes: dict[str, str] = {}
    for locale in ("en", *LOCALES.values()):
        for code, name in Locale.parse(locale).territories.items():
            if len(code) == 2 and code.isalpha():
                codes.setdefault(name.lower(), code)
                codes.setdefault(code.lower(), code)
    return codes | {"uk": "GB", "usa": "US", "eire": "IE", "great britain": "GB", "england": "GB"}


@lru_cache(CACHED)
def country(text: str) -> str | None:
    """The ISO 3166 code of a country named in one of our languages; another name stays as it is."""
    name = clean(text)
    return _country_codes().get(name.lower(), name[:60]) if name else None


@lru_cache(1)
def _language_names() -> dict[str, str]:
    names = {}
    for spoken in LOCALES.values():
        for language in LOCALES:
            names[Locale.parse(spoken).languages[language].lower()] = language
    return names | {"norsk": "nb", "norwegian": "nb", "noruego": "nb", "norvegiană": "nb", "castellano": "es"}


def language(text: str) -> str | None:
    """One of our languages by its name in any of them (`Español`, `norsk bokmål`), or None."""
    return _language_names().get(clean(text).lower())
