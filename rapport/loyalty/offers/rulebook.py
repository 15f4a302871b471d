"""The shop's offers, from `offers.yml`: checked whole, read again when the file changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from datetime import date, datetime, time
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import yaml
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from rapport.edits.rules import merged
from rapport.edits.source import NOTHING, Edits, get_edits
from rapport.kit.errors import ConfigurationError
from rapport.kit.settings import get_settings
from rapport.loyalty.offers.rules import EXCLUSIVE, Audience
from rapport.shop.facts import Club, Facts, Minor, ShopFacts, get_facts, load_facts

log = logging.getLogger(__name__)

Key = Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,59}$")]
# What a column holds, and more than an order can be.
LARGEST = 2_147_483_647
Count = Annotated[int, Field(ge=0, le=LARGEST)]
AtLeastOne = Annotated[int, Field(ge=1, le=LARGEST)]
Amount = Annotated[int, Field(ge=1)]
# Without `per_customer`: how often one customer may have these. The others are limited by their occasion.
ONCE_EACH = frozenset({"standing", "referral"})


# An edited offer is the section "offer.<its key>": other contents of some of these fields. One that was made
# in the console is there whole, with its `key`.
SECTION = "offer."
EDITED = (
    "name",
    "percent",
    "amount_minor",
    "gift",
    "minimum_minor",
    "max_discount_minor",
    "starts",
    "ends",
    "valid_days",
    "audience",
    "cap",
    "per_customer",
    "budget_minor",
    "chance",
    "after_days",
    "keep_margin",
    "active",
)


class AudienceRule(Facts):
    """Whom it is for; what is left out asks for nothing."""

    min_orders: Count = 0
    max_orders: Count | None = None
    stages: tuple[Literal["know", "interest", "trust"], ...] = ()
    segments: tuple[Key, ...] = ()
    tiers: tuple[Key, ...] = ()
    interests: tuple[str, ...] = ()

    @field_validator("tiers")
    @classmethod
    def _levels_of_the_club(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        levels = (info.context or {}).get("tiers", value)
        if unknown := [name for name in value if name not in levels]:
            raise ValueError(f"{unknown[0]} is no level of the club in shop.yml ({', '.join(levels)})")
        return value

    @model_validator(mode="after")
    def _some_number(self) -> AudienceRule:
        if self.max_orders is not None and self.max_orders < self.min_orders:
            raise ValueError("max_orders is below min_orders")
        return self

    def audience(self) -> Audience:
        return Audience(
            self.min_orders, self.max_orders, self.stages, self.segments, self.tiers, self.interests
        )


class OfferRule(Facts):
    """One offer as the shop wrote it."""

    key: Key
    name: Annotated[str, Field(min_length=1, max_length=120)]
    occasion: Literal["standing", "birthday", "anniversary", "surprise", "recovery", "points", "referral"] = (
        "standing"
    )
    percent: Annotated[int, Field(ge=1, le=100)] | None = None
    amount_minor: Amount | None = None
    gift: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    minimum_minor: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    max_discount_minor: Amount | None = None
    starts: datetime | None = None
    ends: datetime | None = None
    valid_days: Annotated[int, Field(ge=1, le=3650)] = 30
    audience: AudienceRule = AudienceRule()
    cap: Count | None = None
    per_customer: AtLeastOne | None = None
    budget_minor: Minor | None = None
    chance: Annotated[float, Field(gt=0, le=1)] | None = None
    after_days: Annotated[int, Field(ge=0, le=60)] = 0
    stacking: Key = EXCLUSIVE
    keep_margin: bool = False
    active: bool = True

    @field_validator("starts", "ends", mode="before")
    @classmethod
    def _in_the_shops_time(cls, value: Any, info: ValidationInfo) -> Any:
        """A day alone is its midnight; a time without zone is the shop's."""
        zone = (info.context or {}).get("zone")
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time())
        if isinstance(value, datetime) and value.tzinfo is None:
            return value.replace(tzinfo=zone)
        return value

    @field_validator("starts", "ends")
    @classmethod
    def _in_reach(cls, value: datetime | None) -> datetime | None:
        """A day that others can be counted from."""
        if value is not None and not 2000 <= value.year < 2200:
            raise ValueError("must be in the years from 2000 to 2199")
        return value

    @model_validator(mode="after")
    def _makes_sense(self) -> OfferRule:
        given = [name for name in ("percent", "amount_minor", "gift") if getattr(self, name) is not None]
        if self.occasion == "points":
            if given:
                raise ValueError(f"what points buy depends on their number: leave out {given[0]}")
        elif len(given) != 1:
            raise ValueError("give exactly one of percent, amount_minor and gift")
        if self.starts and self.ends and self.ends <= self.starts:
            raise ValueError("ends is not after starts")
        if self.percent and self.budget_minor is not None and self.max_discount_minor is None:
            raise ValueError("a budget for percent needs max_discount_minor: the most one code can cost")
        if self.amount_minor is not None and self.max_discount_minor is not None:
            raise ValueError("max_discount_minor is for percent; an amount is its own limit")
        if self.gift is not None and self.keep_margin:
            raise ValueError("keep_margin is for discounts, not for presents")
        if self.occasion == "surprise" and (self.chance is None or self.budget_minor is None):
            raise ValueError("a surprise needs a chance (0 to 1, per customer and month) and a budget_minor")
        if self.occasion != "surprise" and self.chance is not None:
            raise ValueError("only a surprise has a chance")
        if self.occasion != "recovery" and self.after_days:
            raise ValueError("only a recovery has after_days")
        return self

    @property
    def kind(self) -> str:
        if self.occasion == "points":
            return "voucher"
        return "percent" if self.percent else "amount" if self.amount_minor else "gift"

    @property
    def uses_per_customer(self) -> int | None:
        """How many codes one customer may use; None, as many as the occasion brings."""
        if self.per_customer is None and self.occasion in ONCE_EACH:
            return 1
        return self.per_customer


class PointsRule(Facts):
    """Points become a code from `minimum` points on, in steps of `step`."""

    minimum: AtLeastOne
    step: AtLeastOne = 1


class ReferralRule(Facts):
    """What the referrer gets, for how many friends a year, and when the friend's own code is given.

    An order of which less than `minimum_minor` is kept counts for nothing (Rulebook.referral_minimum_minor).
    """

    points: AtLeastOne
    per_year: AtLeastOne = 10
    minimum_minor: Amount | None = None
    friend_gets: Literal["at_claim", "with_reward"] = "at_claim"


class Rulebook(Facts):
    """All of offers.yml. `typical_order_minor` is what percent and amounts are compared by."""

    typical_order_minor: Amount = 100_000
    points: PointsRule | None = None
    referral: ReferralRule | None = None
    offers: tuple[OfferRule, ...] = ()

    @property
    def referral_minimum_minor(self) -> int:
        """What must be kept of a friend's first order; half a typical order if the shop does not say."""
        given = self.referral.minimum_minor if self.referral else None
        return given if given is not None else max(self.typical_order_minor // 2, 1)

    @model_validator(mode="after")
    def _fit_together(self) -> Rulebook:
        keys = [offer.key for offer in self.offers]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise ValueError(f"two offers have the key {twice[0]}")
        for occasion, section in (("points", self.points), ("referral", self.referral)):
            active = [offer for offer in self.offers if offer.occasion == occasion and offer.active]
            if len(active) > 1:
                raise ValueError(f"{active[0].key}, {active[1].key}: only one offer can be for {occasion}")
            if active and section is None:
                raise ValueError(f"{active[0].key} needs a section {occasion}: above the offers")
        late = self.referral is not None and self.referral.friend_gets == "with_reward"
        for offer in self.offers:
            if late and offer.occasion == "referral" and offer.audience.max_orders == 0:
                raise ValueError(f"{offer.key}: with_reward a friend has an order, so max_orders can't be 0")
        return self


def load_rulebook(path: Path, facts: ShopFacts) -> Rulebook:
    """The offers in the file at `path`. Raises ConfigurationError with one line per mistake."""
    try:
        content = yaml.safe_load(path.read_text("utf-8")) or {}
        return Rulebook.model_validate(content, context=_context(facts))
    except OSError as error:
        raise ConfigurationError(f"Cannot read the shop's offers: {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no valid YAML: {error}") from None
    except ValidationError as error:
        lines = [f"{_where(content, item['loc'])}{item['msg']}" for item in error.errors()]
        raise ConfigurationError(f"{path} is wrong:\n  " + "\n  ".join(lines)) from None


def _context(facts: ShopFacts, offers: Iterable[OfferRule] = ()) -> dict[str, Any]:
    """What the shop's facts say that offers are checked by. A level that `offers` name already may stay."""
    named = [name for offer in offers for name in offer.audience.tiers]
    return {"zone": ZoneInfo(facts.timezone), "tiers": [*(tier.key for tier in facts.club.tiers), *named]}


def _where(content: Any, loc: tuple[str | int, ...]) -> str:
    """The place of a mistake, an offer by its key rather than its number."""
    parts = [str(part) for part in loc]
    if len(loc) > 1 and loc[0] == "offers" and isinstance(loc[1], int):
        entry = content["offers"][loc[1]]
        if isinstance(entry, dict) and isinstance(entry.get("key"), str):
            parts = [f"offer {entry['key']}", *parts[2:]]
    return f"{'.'.join(parts)}: " if parts else ""


class RulebookFile:
    """The file's present content, for many threads. Raises ConfigurationError when it is wrong at first.

    If it becomes wrong later, the log says how, and the offers stay as they were.
    """

    def __init__(self, path: Path, facts: ShopFacts) -> None:
        self._path = path
        self._facts = facts
        self._lock = threading.Lock()
        self._stamp = self._now()
        self._book = load_rulebook(path, facts)

    def get(self) -> Rulebook:
        """What the file says now; the same object as long as it does not change."""
        if self._now() != self._stamp:
            with self._lock:
                stamp = self._now()
                if stamp != self._stamp:
                    self._stamp = stamp
                    try:
                        self._book = load_rulebook(self._path, self._facts)
                    except ConfigurationError as error:
                        log.error("%s\nUntil this is mended, the offers stay as they were.", error)
        return self._book

    def _now(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size


@cache
def _opened(path: Path, shop_file: Path) -> RulebookFile:
    return RulebookFile(path, load_facts(shop_file))


def edited(book: Rulebook, facts: ShopFacts, edits: Edits) -> tuple[Rulebook, dict[str, list[str]]]:
    """(the offers with what was edited in the console, why some of it doesn't fit, by section)."""

    def apply(whole: Rulebook, section: str, value: Any) -> Rulebook:
        return with_offer(whole, facts, section.removeprefix(SECTION), value)

    return merged(book, _ours(edits), apply)


def with_offer(book: Rulebook, facts: ShopFacts, key: str, change: dict[str, Any]) -> Rulebook:
    """The offers with another content of some fields of one of them, or with one more, checked whole.

    One more is a change that tells its `key` and all the rest. Raises ValueError when there is none of that
    key, and pydantic's ValidationError.
    """
    content = book.model_dump(mode="json")
    offers = {offer["key"]: offer for offer in content["offers"]}
    if key in offers:
        offers[key].update({name: value for name, value in change.items() if name in EDITED})
    elif change.get("key") == key:
        content["offers"].append(change)
    else:
        raise ValueError(f"there is no offer {key} in the file")
    return Rulebook.model_validate(content, context=_context(facts, book.offers))


def _ours(edits: Edits) -> dict[str, Any]:
    return {section: value for section, value in edits.items() if section.startswith(SECTION)}


class _Edited(NamedTuple):
    file: Rulebook
    edits: dict[str, Any]
    club: Club
    book: Rulebook


_last: _Edited | None = None


def get_rulebook() -> Rulebook:
    """What this installation's shop offers now: the file's offers, with what was edited in the console.

    Raises ConfigurationError when the file never made sense.
    """
    global _last
    file, edits = get_rulebook_file(), get_edits()
    if edits is NOTHING or not (ours := _ours(edits)):
        return file
    known, facts = _last, get_facts()
    if known is None or known.file is not file or known.edits != ours or known.club != facts.club:
        book, broken = edited(file, facts, edits)
        for section, why in broken.items():
            log.warning("What was edited under %s is left out: %s", section, "; ".join(why))
        known = _last = _Edited(file, ours, facts.club, book)
    return known.book


def get_rulebook_file() -> Rulebook:
    """What the file alone says now. Raises ConfigurationError when it never made sense."""
    settings = get_settings()
    return _opened(settings.offers_file, settings.shop_file).get()
