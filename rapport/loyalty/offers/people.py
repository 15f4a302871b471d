"""Who somebody is to the rules of offers: put together from what the other folders know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from rapport.customers import repository as customers
from rapport.customers.models import ConsentEvent
from rapport.customers.rules import NEWSLETTER
from rapport.loyalty.offers import lookups, repository
from rapport.loyalty.offers.rules import OfferTerms, Person
from rapport.loyalty.points import service as ledger
from rapport.value import service as value


@dataclass(frozen=True)
class Known:
    """A person as the rules see them, and where that comes from, for "why did I get this?"."""

    person: Person
    standing: dict[str, Any]

    def snapshot(self, interests: tuple[str, ...]) -> dict[str, Any]:
        """What an explanation needs later, as it is now; of the interests only those that mattered."""
        return {
            "stage": self.person.stage,
            "orders": self.person.orders,
            "segment": self.person.segment,
            "tier": self.person.tier,
            "interests": sorted(self.person.interests.intersection(interests)),
            **self.standing,
        }


def known(session: Session, customer_id: int, offers: Sequence[OfferTerms], now: datetime) -> Known:
    """The customer now, as far as these offers ask. Who was never valued has no segment and no scores."""
    standing = value.standing(session, customer_id)
    orders, ordered = lookups.orders_of(session, customer_id)
    interested = any(offer.audience.interests for offer in offers)
    ranked = any(offer.audience.tiers for offer in offers)
    person = Person(
        customer_id=customer_id,
        stage=standing.stage if standing else "know",
        orders=orders,
        ordered=ordered,
        segment=standing.segment if standing else None,
        tier=ledger.tier(session, customer_id, now).key if ranked else None,
        interests=lookups.interests_of(session, customer_id) if interested else frozenset(),
    )
    if standing is None or standing.segment is None:
        return Known(person, {})
    return Known(
        person,
        {
            "recency": standing.recency,
            "frequency": standing.frequency,
            "monetary": standing.monetary,
            "method": standing.method,
            "computed_at": standing.computed_at.isoformat() if standing.computed_at else None,
            "run_id": standing.run_id,
        },
    )


def uses(session: Session, known: Known, offers: Sequence[OfferTerms], now: datetime) -> dict[int, int]:
    """How many codes of each offer, by its id, count for the person.

    Of offers for newcomers those of all at their mailbox: another plus-address makes nobody new.
    """
    found = lookups.uses(session, known.person.customer_id, now) if offers else {}
    newcomers = {offer.id for offer in offers if offer.audience.max_orders is not None}
    return {offer_id: shared if offer_id in newcomers else own for offer_id, (own, shared) in found.items()}


def consent_for_presents(session: Session, customer_id: int, now: datetime) -> ConsentEvent | None:
    """The consent something unasked may rest on: to the newsletter, on any channel. None while they paused
    contact: nobody would tell them, and the code would run out unseen.
    """
    policy = customers.policy_of(session, customer_id)
    if policy is not None and policy.paused_until is not None and policy.paused_until > now:
        return None
    return repository.consent_to(session, customer_id, NEWSLETTER)
