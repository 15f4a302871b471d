"""The code that goes with a step: one the customer has, else a new one if the offer is for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from rapport.loyalty.offers import issuing, lookups, people
from rapport.loyalty.offers import repository as offers
from rapport.loyalty.offers import rules as offer_rules
from rapport.loyalty.offers.models import GOOD, Coupon
from rapport.loyalty.offers.rules import OfferTerms
from rapport.outreach.journeys import repository, rules
from rapport.shop.facts import get_facts

# What a journey gives codes of. Who is surprised is drawn where presents are given, points are paid with, and
# who brought a friend is known elsewhere: of these a journey only tells.
GIVEN = frozenset({"standing", "birthday", "anniversary", "recovery"})


@dataclass(frozen=True)
class _Found:
    """The code they have already, or what a new one is made of; nothing when there is none for them."""

    had: Coupon | None = None
    terms: OfferTerms | None = None
    known: people.Known | None = None
    grant_key: str = ""


@dataclass(frozen=True)
class Gift:
    """For whom and what for: the entry on the journey that it goes with."""

    customer_id: int
    entry_id: int
    anchor_at: datetime
    context: Mapping[str, Any]


def coupon(session: Session, key: str | None, gift: Gift, now: datetime) -> Coupon | None:
    """The present the journey is about, else the code of this offer for the customer; None when there is none
    for them, or it was used.

    Given once, whatever happens: a repetition, or another step of the same entry, finds the first one. The
    caller holds the customer's lock.
    """
    found = _look(session, key, gift, now)
    if found.had is not None or found.terms is None or found.known is None:
        return found.had
    consent = people.consent_for_presents(session, gift.customer_id, now)
    more = {name: gift.context[name] for name in ("case_id", "years") if name in gift.context}
    cause = issuing.Cause(asked=False, grant_key=found.grant_key, consent=consent, more=more)
    return issuing.issue(session, found.terms, found.known, cause, now)


def sample(session: Session, key: str | None, gift: Gift, now: datetime) -> Coupon | None:
    """The code they have, or one that nobody has, with the terms theirs would have; nothing is given."""
    found = _look(session, key, gift, now)
    return found.had if found.had is not None or found.terms is None else _made_up(found.terms, now)


def sample_present(session: Session, occasion: str, now: datetime) -> Coupon | None:
    """A code that nobody has, as one is given for this occasion."""
    offered = lookups.offers(session, occasion)
    return _made_up(offered[0], now) if offered else None


def _made_up(offer: OfferTerms, now: datetime) -> Coupon:
    terms, facts = offer.terms, get_facts()
    return Coupon(
        code=offer_rules.nobodys_code(facts.coupon_prefix),
        kind=terms.kind,
        percent=terms.percent,
        amount_minor=terms.amount_minor,
        gift_sku=terms.gift_sku,
        minimum_minor=terms.minimum_minor,
        max_discount_minor=terms.max_discount_minor,
        currency=facts.currency,
        expires_at=offer_rules.expiry(offer, now),
    )


def _look(session: Session, key: str | None, gift: Gift, now: datetime) -> _Found:
    if (coupon_id := gift.context.get("coupon_id")) is not None:
        given = session.get(Coupon, coupon_id, populate_existing=True)
        return _Found(given if given is not None and _is_good(given, gift.customer_id, now) else None)
    if key is None:
        return _Found()
    found = repository.offer(session, key)
    if found is None:
        return _Found()
    offer_id, occasion = found
    year = gift.anchor_at.astimezone(ZoneInfo(get_facts().timezone)).year
    case_id = gift.context.get("case_id")
    grant_key = rules.grant_key(occasion, key, gift.customer_id, gift.entry_id, year, case_id)
    given = offers.coupon_by_grant(session, grant_key)
    if given is not None:
        return _Found(given if _is_good(given, gift.customer_id, now) else None)
    had = repository.good_coupon(session, gift.customer_id, offer_id, now)
    if had is not None or occasion not in GIVEN:
        return _Found(had)
    terms = [offer for offer in lookups.offers(session, occasion) if offer.key == key]
    known = people.known(session, gift.customer_id, terms, now)
    uses = people.uses(session, known, terms, now)
    entitled = offer_rules.entitled(terms, known.person, uses, now, 1)
    return _Found(None, entitled[0], known, grant_key) if entitled else _Found()


def _is_good(coupon: Coupon, customer_id: int, now: datetime) -> bool:
    return coupon.customer_id == customer_id and coupon.state in GOOD and coupon.expires_at > now
