"""What counts as the same address, and limits. Pure functions."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

import phonenumbers
from email_validator import EmailNotValidError, validate_email

Someone = TypeVar("Someone")

CODE_LENGTH = 6
CODE_LIFE = timedelta(minutes=10)
VERIFIED_FOR = timedelta(minutes=60)
MAX_TRIES = 5
# Only a known address costs the time of sending. That waits until the answer has gone out, so that the
# answer's time does not tell which it was.
MAIL_AFTER = timedelta(milliseconds=500)

# (how many codes, in what time): for one conversation, for one address whoever asks, and for one place on the
# network whatever it asks for: else it could try its luck with all customers, and fill their mailboxes.
CODES_PER_CONVERSATION = (3, timedelta(minutes=15))
CODES_PER_ADDRESS = (5, timedelta(hours=1))
CODES_PER_CLIENT = (30, timedelta(hours=1))
# For all of a channel on which anybody can write in as many names as they like.
CODES_PER_OPEN_CHANNEL = (60, timedelta(hours=1))

LONGEST_TIMEZONE = 60

# What may stand in a name beside letters.
IN_NAMES = str.maketrans("", "", "-'’")

CHANNELS = ("email", "sms", "whatsapp", "telegram", "messenger", "web")
# What people are called by their phone number.
BY_NUMBER = ("phone", "sms", "whatsapp")
REFUSABLE = (*CHANNELS, "phone")

# Unasked messages a month: for whoever said nothing, and the most that a mere "more" leads to.
DEFAULT_PER_MONTH = 4
MOST_BY_MORE = 8
MOST_PER_MONTH = 30
LONGEST_PAUSE_MONTHS = 24

# What somebody can agree to be sent unasked: news, offers and presents; thanks and tips for what they bought;
# reminders (time to refill, a cart left, points that expire); alerts they asked for (back in stock).
PURPOSES = ("newsletter", "tips", "reminders", "alerts")
NEWSLETTER = "newsletter"
# Another one whenever the bot's words about what the newsletter is change.
NEWSLETTER_WORDING = "chat-1"
# Of consents that a file of another system brought: what was said there is not known here.
IMPORTED_WORDING = "imported"


def first_name(name: str | None) -> str | None:
    """What to call somebody by; None when the name does not tell, as "A. Berg" or an address."""
    family, comma, given = (name or "").partition(",")  # "Berg, Ann" comes out of many a CRM
    words = (given if comma else family).split()
    if not words or len(words[0]) < 2 or not words[0].translate(IN_NAMES).isalpha():
        return None
    first = words[0]
    return first.title() if first.isupper() or first.islower() else first


def is_timezone(name: str) -> bool:
    """Whether this is an IANA time zone, as `Europe/Oslo`."""
    if len(name) > LONGEST_TIMEZONE:
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def normalise_email(text: str) -> str | None:
    """The address in the form it is stored in, or None when it is none.

    Lower case throughout: providers that tell `Ann@` from `ann@` are a curiosity, people who type either are
    not.
    """
    try:
        # NUL and line breaks never survive this check, so the result is safe in a header.
        valid = validate_email(text.strip().removeprefix("mailto:"), check_deliverability=False, strict=True)
    except EmailNotValidError:
        return None
    return valid.normalized.lower()


def normalise_phone(text: str, country: str | None) -> str | None:
    """The number as E.164 (`+4791234567`), or None when it is none. `country` (ISO 3166) reads national
    numbers.
    """
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalise_identity(kind: str, value: str, country: str | None = None) -> str | None:
    """An identity's value as it is stored, or None when it cannot be one of this kind."""
    if kind == "email":
        return normalise_email(value)
    if kind in BY_NUMBER:
        return normalise_phone(value, country)
    return value.strip() or None


def number_of(kind: str, address: str) -> str | None:
    """The phone number that an address of this kind is (WhatsApp leaves out the plus); None if it is none."""
    if kind not in BY_NUMBER:
        return None
    return normalise_phone(f"+{address}" if address.isdigit() else address, None)


def whose(
    named: bool, by_reference: Someone | None, by_address: Someone | None, may_join: bool
) -> Someone | None:
    """Whom another system means, None for somebody new: the owner of its reference, else of the address.

    An address may be typed by anyone, a reference (`named`) stands for an account of the other system. So who
    comes by a new reference is somebody new, whatever address they give; unless they `may_join` its owner.
    """
    if by_reference is not None:
        return by_reference
    return by_address if may_join or not named else None


def normalise_code(text: str) -> str:
    """The digits of a typed code: `123 456` and `123-456` are 123456."""
    return re.sub(r"[^0-9]", "", text)


def new_limit(wish: str, current: int | None) -> int | None:
    """Messages a month after a wish: a number, `less` or `more`. None when it is none of these.

    Less than once a month can't be promised: whoever wants that pauses or leaves.
    """
    now = DEFAULT_PER_MONTH if current is None else current
    if wish == "less":
        return max(now // 2, 1)
    if wish == "more":
        return max(now, min(now * 2, MOST_BY_MORE))
    if not (wish.isascii() and wish.isdigit() and len(wish) <= 3):
        return None
    return min(max(int(wish), 1), MOST_PER_MONTH)


def pause_end(period: str, now: datetime, timezone: str) -> datetime | None:
    """When a pause ends that lasts for an ISO 8601 duration (`P3M`) or until a date; None if neither is said.

    That is midnight in the shop's timezone. No pause is longer than `longest_pause`.
    """
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()
    if duration := re.fullmatch(r"P([0-9]{1,3})([DWMY])", period):
        day = _later(today, int(duration[1]), duration[2])
    else:
        try:
            day = date.fromisoformat(period)
        except ValueError:
            return None
    if day <= today:
        return None
    return min(_midnight(day, zone), longest_pause(now, timezone))


def longest_pause(now: datetime, timezone: str) -> datetime:
    """The end of the longest pause that can begin now."""
    zone = ZoneInfo(timezone)
    return _midnight(_in_months(now.astimezone(zone).date(), LONGEST_PAUSE_MONTHS), zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _later(day: date, count: int, unit: str) -> date:
    match unit:
        case "D":
            return day + timedelta(days=count)
        case "W":
            return day + timedelta(weeks=count)
        case "M":
            return _in_months(day, count)
        case _:
            return _in_months(day, 12 * count)


def _in_months(day: date, months: int) -> date:
    """The same day so many months later, or the last of that month."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
