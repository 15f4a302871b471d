"""Pure rules of offers and codes."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

# Letters and digits that are not taken for one another when read out or written down: 32 of them.
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

CODE_GROUPS = 2
CODE_GROUP_LENGTH = 4

# In four languages, without regard to endings and diacritics: "descuento", "rabattkoden", "reducerea".
_DISCOUNT = re.compile(
    r"\b(?:discount|coupon|voucher|promo|descuento|cup[oó]n|rebaja|rabatt|kupong|tilbudskode|reducer)|\d ?%",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class OfferTerms:
    """What decides about an offer. `cap` counts codes issued to all customers together."""

    id: int
    percent: int
    minimum_minor: int
    min_orders: int
    starts_at: datetime | None
    ends_at: datetime | None
    valid_days: int
    cap: int | None
    used: int
    active: bool


def is_open(offer: OfferTerms, now: datetime) -> bool:
    """Whether codes of the offer can be issued at this moment to anyone at all."""
    return (
        offer.active
        and (offer.starts_at is None or offer.starts_at <= now)
        and (offer.ends_at is None or now < offer.ends_at)
        and (offer.cap is None or offer.used < offer.cap)
    )


def best_first(
    offers: Iterable[OfferTerms], order_count: int, redeemed: set[int], now: datetime
) -> list[OfferTerms]:
    """The offers a customer is entitled to, the best first: more percent, then a lower minimum.

    `order_count` counts orders that were kept; `redeemed` are ids of offers the customer has used already.
    """
    entitled = [
        offer
        for offer in offers
        if is_open(offer, now) and order_count >= offer.min_orders and offer.id not in redeemed
    ]
    return sorted(entitled, key=lambda offer: (-offer.percent, offer.minimum_minor, offer.id))


def expiry(offer: OfferTerms, now: datetime) -> datetime:
    """When a code issued now stops being good: after `valid_days`, but not later than the offer's end."""
    after = now + timedelta(days=offer.valid_days)
    return min(after, offer.ends_at) if offer.ends_at else after


def new_coupon_code(prefix: str) -> str:
    """A code nobody can guess, such as `FJ-7KQM-X2PA` (40 random bits)."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(CODE_GROUP_LENGTH)) for _ in range(CODE_GROUPS))
    return "-".join([prefix, *groups])


def means_coupon(text: str, prefix: str) -> bool:
    """Whether a text that is about some code is about a coupon's: by its words, or by how such a code looks.

    An order's number may begin with the same `prefix`: "FJ-10234" is no coupon, "FJ-" is the start of one.
    """
    group = rf"[A-Z0-9]{{{CODE_GROUP_LENGTH}}}"
    code = rf"(?<![\w-]){re.escape(prefix)}-(?:{'-'.join([group] * CODE_GROUPS)})?(?![\w-])"
    return bool(_DISCOUNT.search(text) or re.search(code, text, re.IGNORECASE))
