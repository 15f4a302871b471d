"""The shop's facts: from `shop.yml`, read once and checked whole, and from what was edited in the console."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, time
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import yaml
from babel.numbers import list_currencies
from email_validator import EmailNotValidError, validate_email
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from rapport.edits import rules as edit_rules
from rapport.edits.source import NOTHING, Edits, get_edits
from rapport.kit.errors import ConfigurationError
from rapport.kit.format import money
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import get_settings
from rapport.shop import placeholders
from rapport.shop.hours import MINUTES_A_DAY, OpeningHours
from rapport.shop.hours_words import in_words

# A hundred years: no day that is counted from today is beyond all calendars.
LONGEST_DAYS = 36_500
MOST_POINTS = 1_000_000
# Of the day; the rest is when people may be written to.
LONGEST_QUIET_MINUTES = 20 * 60

log = logging.getLogger(__name__)

Text = Annotated[str, Field(min_length=1)]
Minor = Annotated[int, Field(ge=0)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Facts(BaseModel):
    """Base of all parts: nothing unknown, nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Texts(Facts):
    """One text in every language."""

    en: Text
    es: Text
    nb: Text
    ro: Text

    def of(self, language: str) -> str:
        """The text in `language` (one of ours)."""
        return str(getattr(self, language))


class Words(Facts):
    """Words for one thing in every language; the first is its name."""

    en: Annotated[list[Text], Field(min_length=1)]
    es: Annotated[list[Text], Field(min_length=1)]
    nb: Annotated[list[Text], Field(min_length=1)]
    ro: Annotated[list[Text], Field(min_length=1)]

    def of(self, language: str) -> list[str]:
        """The words in `language` (one of ours)."""
        words: list[str] = getattr(self, language)
        return words

    def all(self) -> list[str]:
        """The words of all languages."""
        return [word for language in LANGUAGES for word in self.of(language)]


class PlainTexts(Texts):
    """Texts that nothing is filled into."""

    @field_validator(*LANGUAGES)
    @classmethod
    def _no_braces(cls, text: str) -> str:
        return placeholders.check(text, ())


class DeliveryTexts(Texts):
    """Texts that the price, the days and the sum for free delivery are filled into."""

    @field_validator(*LANGUAGES)
    @classmethod
    def _known_placeholders(cls, text: str) -> str:
        return placeholders.check(text, ("price", "days", "free_from"))


class DeliveryOption(Facts):
    """A way to get an order: price in minor units, time in working days."""

    key: Text
    price_minor: Minor
    free_from_minor: Minor | None = None
    min_days: Annotated[int, Field(ge=0)]
    max_days: Annotated[int, Field(ge=0)]
    text: DeliveryTexts

    @model_validator(mode="after")
    def _makes_sense(self) -> DeliveryOption:
        if self.max_days < self.min_days:
            raise ValueError("max_days is below min_days")
        told = any("free_from" in placeholders.used(self.text.of(language)) for language in LANGUAGES)
        if told and self.free_from_minor is None:
            raise ValueError("a text tells {free_from}, but there is no free_from_minor")
        return self

    def describe(self, language: str, currency: str) -> str:
        """The option in words, with its price and days filled in."""
        values = {
            "price": money(self.price_minor, currency, language),
            "days": _span(self.min_days, self.max_days),
            "free_from": money(self.free_from_minor or 0, currency, language),
        }
        return placeholders.fill(self.text.of(language), values)


class PaymentMethod(Facts):
    """A way to pay."""

    key: Text
    name: PlainTexts


class RefundPolicy(Facts):
    """Days to send something back, and how it is done."""

    days: Annotated[int, Field(ge=0, le=LONGEST_DAYS)]
    how: PlainTexts


class Contact(Facts):
    """How to reach the shop's people."""

    email: Text
    phone: Annotated[str, Field(pattern=r"^[+(]?[0-9][0-9 ()./-]{0,29}$")]

    @field_validator("email")
    @classmethod
    def _an_address(cls, value: str) -> str:
        try:
            return validate_email(value, check_deliverability=False).normalized
        except EmailNotValidError:
            raise ValueError("is no e-mail address") from None


class Tier(Facts):
    """A level of the club, reached with `from_points` points earned within the club's `tier_days`."""

    key: Annotated[str, Field(pattern="^[a-z0-9_]{1,30}$")]
    from_points: Annotated[int, Field(ge=0, le=MOST_POINTS)]
    name: Texts


class Club(Facts):
    """`points` points for every full `per_minor` of an order; a point is worth `point_value_minor`.

    Points can be spent for `expires_after_days` from the day they became spendable, without it for ever.
    Points that come back with a refund after their end are good for `grace_days` more.
    """

    points: Annotated[int, Field(ge=0, le=MOST_POINTS)]
    per_minor: Annotated[int, Field(gt=0)]
    point_value_minor: Minor
    expires_after_days: Annotated[int, Field(gt=0, le=LONGEST_DAYS)] | None = None
    grace_days: Annotated[int, Field(gt=0, le=LONGEST_DAYS)] = 30
    tier_days: Annotated[int, Field(gt=0, le=LONGEST_DAYS)] = 365
    tiers: Annotated[list[Tier], Field(min_length=1)]

    @field_validator("tiers")
    @classmethod
    def _rising_from_zero(cls, value: list[Tier]) -> list[Tier]:
        if value[0].from_points != 0:
            raise ValueError("the first must begin at 0 points")
        if any(low.from_points >= high.from_points for low, high in pairwise(value)):
            raise ValueError("each must ask for more points than the one before it")
        if len({tier.key for tier in value}) < len(value):
            raise ValueError("two have the same key")
        return value


class Valuation(Facts):
    """How customers are valued: how far ahead, money of next year against today's, what "soon" means."""

    horizon_months: Annotated[int, Field(ge=1, le=60)] = 12
    discount_rate: Annotated[float, Field(ge=0, le=1)] = 0.1
    again_days: Annotated[int, Field(ge=1, le=730)] = 90


class TouchCosts(Facts):
    """What writing to somebody costs, in minor units: low a mail, high a call or a present."""

    low: Minor = 0
    medium: Minor = 0
    high: Minor = 0

    @model_validator(mode="after")
    def _rising(self) -> TouchCosts:
        if not self.low <= self.medium <= self.high:
            raise ValueError("medium costs at least as much as low, and high as medium")
        return self


class StayingInTouch(Facts):
    """When and to whom the shop writes unasked (rapport/outreach/policy).

    `quiet_hours` and `quiet_days` are on the customer's clock; `gap_days` lie between two messages. Who is
    worth less than a message costs does not get it: `new_worth_minor` is what somebody counts as who is not
    valued yet.
    """

    quiet_hours: Annotated[str, Field(pattern=r"^\d{1,2}:\d\d-\d{1,2}:\d\d$")] | None = "21:00-9:00"
    quiet_days: Annotated[tuple[Weekday, ...], Field(max_length=5)] = ("sun",)
    gap_days: Annotated[float, Field(ge=0, le=30)] = 2
    cost_minor: TouchCosts = TouchCosts()
    new_worth_minor: Minor = 0

    @field_validator("quiet_hours")
    @classmethod
    def _leaves_time(cls, value: str | None) -> str | None:
        if value is not None:
            begins, ends = clock_minutes(value)
            if not 0 < (ends - begins) % MINUTES_A_DAY <= LONGEST_QUIET_MINUTES:
                raise ValueError("leave at least four hours in which people may be written to")
        return value

    def quiet_minutes(self) -> tuple[int, int]:
        """From which minute of the day until which it is quiet, over midnight or not; equal: never."""
        return clock_minutes(self.quiet_hours) if self.quiet_hours is not None else (0, 0)


def clock_minutes(hours: str) -> tuple[int, int]:
    """Hours as `21:00-9:00` in minutes of the day. Raises ValueError."""
    begins, ends = (time.fromisoformat(clock.rjust(5, "0")) for clock in hours.split("-"))
    return begins.hour * 60 + begins.minute, ends.hour * 60 + ends.minute


class Mentions(Facts):
    """What is said of the shop in public: kinds named in `answer` are answered without anybody looking."""

    answer: tuple[Literal["complaint", "doubt", "praise"], ...] = ()

    @field_validator("answer")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("names a kind twice")
        return value


class ShopFacts(Facts):
    """All of shop.yml."""

    name: Text
    url: Text
    currency: Text
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    timezone: Text
    language: Text
    delivery: Annotated[list[DeliveryOption], Field(min_length=1)]
    payment_methods: Annotated[list[PaymentMethod], Field(min_length=1)]
    refunds: RefundPolicy
    contact: Contact
    hours: OpeningHours
    club: Club
    coupon_prefix: Annotated[str, Field(pattern="^[A-Z0-9]{1,6}$")]
    valuation: Valuation = Valuation()
    staying_in_touch: StayingInTouch = StayingInTouch()
    mentions: Mentions = Mentions()
    categories: dict[str, Words]

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, value: str) -> str:
        if value not in list_currencies():
            raise ValueError("is no ISO 4217 currency")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is no IANA time zone") from None
        return value

    @field_validator("language")
    @classmethod
    def _known_language(cls, value: str) -> str:
        if value not in LANGUAGES:
            raise ValueError(f"must be one of {', '.join(LANGUAGES)}")
        return value

    def delivery_options(self, language: str) -> list[str]:
        """Each delivery option in words."""
        return [option.describe(language, self.currency) for option in self.delivery]

    def delivery_days(self) -> str:
        """From the fastest to the slowest option, in working days, e.g. `1–5`."""
        return _span(min(o.min_days for o in self.delivery), max(o.max_days for o in self.delivery))

    def payment_names(self, language: str) -> list[str]:
        """The names of the ways to pay."""
        return [method.name.of(language) for method in self.payment_methods]

    def opening_hours(self, language: str, now: datetime | None = None) -> str:
        """When the shop's people are there, in words; with `now` also the closed days that are near."""
        return in_words(self.hours, self.timezone, self.country, language, now)

    def category_name(self, key: str, language: str) -> str | None:
        """What the category is called, or None when there is no such category."""
        words = self.categories.get(key)
        return words.of(language)[0] if words else None


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}–{high}"


@cache
def load_facts(path: Path) -> ShopFacts:
    """The facts in the file at `path`.

    Raises ConfigurationError with one line per mistake.
    """
    try:
        return ShopFacts.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigurationError(f"Cannot read the shop's facts: {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no valid YAML: {error}") from None
    except ValidationError as error:
        lines = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        raise ConfigurationError(f"{path} is wrong:\n  " + "\n  ".join(lines)) from None


# The parts of shop.yml that are edited in the console: section → field.
SECTIONS = {
    "hours": "hours",
    "contact": "contact",
    "delivery": "delivery",
    "payment": "payment_methods",
    "refunds": "refunds",
    "club": "club",
}


@dataclass(frozen=True)
class Effective:
    """The file's facts with the edits that fit; `broken`: why the others don't, by section."""

    file: ShopFacts
    edits: Edits
    facts: ShopFacts
    broken: dict[str, list[str]]


_effective: Effective | None = None


def edited(file: ShopFacts, edits: Edits) -> Effective:
    """What the file and the edits make together."""
    ours = {section: value for section, value in edits.items() if section in SECTIONS}
    facts, broken = edit_rules.merged(file, ours, with_section)
    return Effective(file, edits, facts, broken)


def with_section(facts: ShopFacts, section: str, value: Any) -> ShopFacts:
    """The facts with another content of one section, checked whole. Raises pydantic's ValidationError."""
    return ShopFacts.model_validate({**facts.model_dump(mode="json"), SECTIONS[section]: value})


def get_facts() -> ShopFacts:
    """The facts of this installation's shop: the file's, with what was edited in the console."""
    global _effective
    file, edits = load_facts(get_settings().shop_file), get_edits()
    if edits is NOTHING:
        return file
    known = _effective
    if known is None or known.file is not file or known.edits is not edits:
        known = _effective = edited(file, edits)
        for section, why in known.broken.items():
            log.warning("What was edited under %s is left out: %s", section, "; ".join(why))
    return known.facts
