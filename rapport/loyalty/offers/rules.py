"""Pure rules: who an offer is for, what a code is worth on an order, and when it may be used.

Amounts are minor units of the shop's currency. A discount is rounded down and is never more than the order.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from rapport.kit.errors import ConflictError

# Letters and digits that are not taken for one another when read out or written down: 32 of them.
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

CODE_GROUPS = 2
CODE_GROUP_LENGTH = 4

EXCLUSIVE = "exclusive"
# What the customer is not asked about: these need their consent to be sent something unasked.
UNASKED = frozenset({"birthday", "anniversary", "surprise", "recovery"})

# In four languages, without regard to endings and diacritics: "descuento", "rabattkoden", "reducerea".
_DISCOUNT = re.compile(
    r"\b(?:discount|coupon|voucher|promo|descuento|cup[oó]n|rebaja|rabatt|kupong|tilbudskode|reducer)|\d ?%",
    re.IGNORECASE,
)


class Refusal(StrEnum):
    """Why a code cannot be used, or not like this."""

    UNKNOWN = "unknown"
    NOT_STARTED = "not_started"
    EXPIRED = "expired"
    REVOKED = "revoked"
    USED = "used"
    HELD = "held"
    NOT_HELD = "not_held"
    NOT_USED = "not_used"
    NOT_YOURS = "not_yours"
    CURRENCY = "currency"
    MINIMUM = "minimum"
    MARGIN = "margin"
    NOT_STACKABLE = "not_stackable"
    CONFLICT = "conflict"


# A good code on an order it is not for. Whoever gives the discount all the same has used it up.
UNFIT = frozenset(
    {
        Refusal.NOT_STARTED,
        Refusal.HELD,
        Refusal.NOT_YOURS,
        Refusal.CURRENCY,
        Refusal.MINIMUM,
        Refusal.MARGIN,
        Refusal.NOT_STACKABLE,
    }
)


class CouponError(ConflictError):
    """A code that cannot be used, or not like this; `reason` says why."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(f"The code cannot be used: {reason.value.replace('_', ' ')}.")
        self.reason = reason


@dataclass(frozen=True)
class Person:
    """What decides which offers somebody gets. What is not known yet (no valuation) is None.

    `orders` are paid ones. `ordered` is everything they ordered and did not cancel or give back, paid or not,
    themselves or from another address of the same mailbox: who is no newcomer.
    """

    customer_id: int
    stage: str
    orders: int
    ordered: int = 0
    segment: str | None = None
    tier: str | None = None
    interests: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Audience:
    """Whom an offer is for; an empty list asks for nothing. `max_orders` 0 is for newcomers only.

    Of a list one entry must be the person's: their segment, their stage, their tier, one of their interests.
    """

    min_orders: int = 0
    max_orders: int | None = None
    stages: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    interests: tuple[str, ...] = ()

    @classmethod
    def of(cls, min_orders: int, max_orders: int | None, lists: dict[str, Any]) -> Audience:
        """As the database keeps it."""
        return cls(min_orders, max_orders, **{name: tuple(values) for name, values in lists.items()})

    def lists(self) -> dict[str, list[str]]:
        """The lists that ask for something, by name."""
        named = {
            "stages": self.stages,
            "segments": self.segments,
            "tiers": self.tiers,
            "interests": self.interests,
        }
        return {name: list(values) for name, values in named.items() if values}

    def matches(self, person: Person) -> bool:
        return (
            person.orders >= self.min_orders
            and (self.max_orders is None or max(person.orders, person.ordered) <= self.max_orders)
            and (not self.stages or person.stage in self.stages)
            and (not self.segments or person.segment in self.segments)
            and (not self.tiers or person.tier in self.tiers)
            and (not self.interests or not person.interests.isdisjoint(self.interests))
        )


@dataclass(frozen=True)
class Terms:
    """What a code gives: `percent` of the order, `amount_minor` off, or the product `gift_sku`."""

    kind: str = "percent"
    percent: int = 0
    amount_minor: int = 0
    gift_sku: str | None = None
    minimum_minor: int = 0
    max_discount_minor: int | None = None
    stacking: str = EXCLUSIVE
    keep_margin: bool = False


@dataclass(frozen=True)
class OfferTerms:
    """What decides about an offer. `cap` counts codes issued to all customers together."""

    id: int
    key: str = ""
    name: str = ""
    occasion: str = "standing"
    terms: Terms = field(default_factory=Terms)
    audience: Audience = field(default_factory=Audience)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    valid_days: int = 30
    cap: int | None = None
    used: int = 0
    per_customer: int | None = 1
    budget_minor: int | None = None
    spent_minor: int = 0
    chance: float | None = None
    after_days: int = 0
    active: bool = True

    @property
    def percent(self) -> int:
        return self.terms.percent

    @property
    def minimum_minor(self) -> int:
        return self.terms.minimum_minor

    @property
    def min_orders(self) -> int:
        return self.audience.min_orders


@dataclass(frozen=True)
class Basket:
    """An order a code is to be used on. `order_minor`: what is to be paid for the goods, other codes counted
    in; `cost_minor`: what the shop pays for them, None when that is not known of all.
    """

    order_minor: int
    currency: str
    customer_id: int | None = None
    cost_minor: int | None = None
    other_groups: tuple[str, ...] = ()  # the stacking of the other codes on it
    holder: str | None = None


@dataclass(frozen=True)
class CouponState:
    """What decides whether a coupon can be used."""

    customer_id: int
    state: str
    terms: Terms
    currency: str | None
    starts_at: datetime
    expires_at: datetime
    holder: str | None = None
    held_until: datetime | None = None


def is_open(offer: OfferTerms, now: datetime) -> bool:
    """Whether codes of the offer can be issued at this moment to anyone at all: in [start, end)."""
    return (
        offer.active
        and (offer.starts_at is None or offer.starts_at <= now)
        and (offer.ends_at is None or now < offer.ends_at)
        and (offer.cap is None or offer.used < offer.cap)
        and (offer.budget_minor is None or offer.spent_minor + reserve(offer.terms) <= offer.budget_minor)
    )


def entitled(
    offers: Iterable[OfferTerms], person: Person, uses: dict[int, int], now: datetime, typical_minor: int
) -> list[OfferTerms]:
    """The offers a person may be given a code of, the best first: what takes most off an order of
    `typical_minor` (or of the offer's minimum, if that is more), then the lower minimum.

    `uses`: how many codes of each offer, by id, the person used or can still use.
    """
    able = [
        offer
        for offer in offers
        if is_open(offer, now)
        and offer.audience.matches(person)
        and (offer.per_customer is None or uses.get(offer.id, 0) < offer.per_customer)
    ]
    return sorted(able, key=lambda o: (-_worth(o.terms, typical_minor), o.terms.minimum_minor, o.id))


def _worth(terms: Terms, typical_minor: int) -> float:
    """The share of an order it takes off; a present counts least, as it is no discount."""
    order_minor = max(typical_minor, terms.minimum_minor, 1)
    return discount(terms, order_minor) / order_minor


def reserve(terms: Terms) -> int:
    """The most a code can cost, as far as its terms tell; a present's cost is the product's (`gift_cost`)."""
    if terms.kind == "percent":
        return terms.max_discount_minor or 0
    return terms.amount_minor


def gift_cost(price_minor: int, cost_minor: int | None) -> int:
    """What a present costs the shop: what it paid for it, else its price."""
    return price_minor if cost_minor is None else cost_minor


def discount(terms: Terms, order_minor: int) -> int:
    """What a code takes off an order, rounded down to the minor unit, never more than the order.

    A present takes nothing off: it is added.
    """
    if order_minor <= 0 or terms.kind == "gift":
        return 0
    off = order_minor * terms.percent // 100 if terms.kind == "percent" else terms.amount_minor
    if terms.max_discount_minor is not None:
        off = min(off, terms.max_discount_minor)
    return max(min(off, order_minor), 0)


def quote(coupon: CouponState, basket: Basket, now: datetime) -> int | Refusal:
    """What the code takes off this order in minor units, or why it cannot be used on it."""
    if (refused := usable(coupon, now, basket.holder)) is not None:
        return refused
    if basket.customer_id is not None and basket.customer_id != coupon.customer_id:
        return Refusal.NOT_YOURS
    if coupon.currency is not None and basket.currency != coupon.currency:
        return Refusal.CURRENCY
    if basket.order_minor < coupon.terms.minimum_minor:
        return Refusal.MINIMUM
    if not stackable([coupon.terms.stacking, *basket.other_groups]):
        return Refusal.NOT_STACKABLE
    off = discount(coupon.terms, basket.order_minor)
    if coupon.terms.keep_margin and basket.cost_minor is not None:
        off = min(off, basket.order_minor - basket.cost_minor)
        if off <= 0:
            return Refusal.MARGIN
    return off


def usable(coupon: CouponState, now: datetime, holder: str | None = None) -> Refusal | None:
    """Why a code cannot be used by anybody (or by nobody but who holds it); None when it can.

    A code is good in [start, end). A hold does not prolong it, and ends by itself.
    """
    if coupon.state == "redeemed":
        return Refusal.USED
    if coupon.state == "revoked":
        return Refusal.REVOKED
    if coupon.state == "expired" or now >= coupon.expires_at:
        return Refusal.EXPIRED
    if now < coupon.starts_at:
        return Refusal.NOT_STARTED
    if is_held(coupon, now) and coupon.holder != holder:
        return Refusal.HELD
    return None


def is_held(coupon: CouponState, now: datetime) -> bool:
    """Whether somebody has put it aside for an order and still may."""
    return coupon.state == "held" and (coupon.held_until is None or now < coupon.held_until)


def stackable(groups: Collection[str]) -> bool:
    """Whether codes can be used together: none of several is exclusive, and no two are of one group."""
    return len(groups) == 1 or (EXCLUSIVE not in groups and len(set(groups)) == len(groups))


def expiry(offer: OfferTerms, now: datetime) -> datetime:
    """When a code issued now stops being good: after `valid_days`, but not later than the offer's end."""
    after = now + timedelta(days=offer.valid_days)
    return min(after, offer.ends_at) if offer.ends_at else after


def points_value(points: int, point_value_minor: int) -> int:
    """What points are worth as a code: whole minor units, no rounding needed."""
    return points * point_value_minor


def whole_steps(points: int, minimum: int, step: int) -> int:
    """The most of these points that are at least `minimum` and whole steps above it; 0 when too few."""
    return 0 if points < minimum else minimum + (points - minimum) // step * step


def nobodys_code(prefix: str) -> str:
    """How a code looks, for samples: `FJ-XXXX-XXXX`."""
    return "-".join([prefix, *["X" * CODE_GROUP_LENGTH] * CODE_GROUPS])


def plain_code(code: str) -> str:
    """A code without what people add or leave out: `fj 7kqm–x2pa` → `FJ7KQMX2PA`."""
    return re.sub(r"[\W_]", "", code).upper()


def new_coupon_code(prefix: str) -> str:
    """A code nobody can guess, such as `FJ-7KQM-X2PA` (40 random bits), and that is no number."""
    while True:
        characters = "".join(secrets.choice(ALPHABET) for _ in range(CODE_GROUPS * CODE_GROUP_LENGTH))
        if not characters.isdigit():
            break
    groups = (characters[i : i + CODE_GROUP_LENGTH] for i in range(0, len(characters), CODE_GROUP_LENGTH))
    return "-".join([prefix, *groups])


def means_coupon(text: str, prefix: str) -> bool:
    """Whether a text that is about some code is about a coupon's: by its words, or by how such a code looks.

    An order's number may begin with the same `prefix`: "FJ-10234" is no coupon, "FJ-" is the start of one.
    """
    group = rf"[A-Z0-9]{{{CODE_GROUP_LENGTH}}}"
    code = rf"(?<![\w-]){re.escape(prefix)}-(?:{'-'.join([group] * CODE_GROUPS)})?(?![\w-])"
    return bool(_DISCOUNT.search(text) or re.search(code, text, re.IGNORECASE))
