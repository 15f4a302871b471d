""" "Why did I get this?": the answer is what was written down when the code was issued."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.customers.models import ConsentEvent
from rapport.kit import clock
from rapport.loyalty.offers import repository, rules
from rapport.loyalty.offers.models import Coupon


@dataclass(frozen=True)
class Consent:
    """The consent an unasked present rests on, as it stands in the record."""

    id: int
    purpose: str
    channel: str
    wording_version: str
    source: str
    at: datetime


@dataclass(frozen=True)
class Explanation:
    """Why a customer has a code: the rule, what it found in them when the code was issued, and the terms.

    `asked`: it was given because they asked, and rests on no consent; else `consent` is the one it rests on.
    `rule_…` is what the offer asks for (empty: nothing), the rest of the person is as it was. `interests` are
    those that mattered. `scores`: recency, frequency and monetary value, 1 to 5 each, None when the customer
    had not been valued. `run_id`: the valuation the scores come from.
    """

    code: str
    offer_key: str
    offer_name: str
    occasion: str
    asked: bool
    kind: str
    percent: int
    amount_minor: int
    gift_sku: str | None
    minimum_minor: int
    max_discount_minor: int | None
    issued_at: datetime
    expires_at: datetime
    min_orders: int
    max_orders: int | None
    rule_stages: tuple[str, ...]
    rule_segments: tuple[str, ...]
    rule_tiers: tuple[str, ...]
    rule_interests: tuple[str, ...]
    stage: str | None
    orders: int | None
    segment: str | None
    scores: tuple[int, int, int] | None
    tier: str | None
    interests: tuple[str, ...]
    method: str | None
    computed_at: datetime | None
    run_id: int | None
    consent: Consent | None
    case_id: int | None
    points: int | None
    referral_id: int | None


def explain(session: Session, customer_id: int) -> Explanation | None:
    """Why the customer has the code they were or would be told of; None when none is good now."""
    live = repository.live_coupons(session, customer_id, clock.now())
    return _explained(session, live[0]) if live else None


def explain_code(session: Session, customer_id: int, code: str) -> Explanation | None:
    """Why the customer has, or used, this code; None when it is not theirs or good for nothing any more."""
    wanted = rules.plain_code(code)
    for coupon in repository.coupons_to_speak_of(session, customer_id, clock.now()):
        if rules.plain_code(coupon.code) == wanted:
            return _explained(session, coupon)
    return None


def explained(session: Session, coupon: Coupon) -> Explanation:
    """Why a code was issued, whatever has become of it since: for the shop's people."""
    return _explained(session, coupon)


def _explained(session: Session, coupon: Coupon) -> Explanation:
    why = coupon.reason
    rule, person = why.get("rule", {}), why.get("customer", {})
    scores = tuple(person[name] for name in ("recency", "frequency", "monetary") if person.get(name))
    computed_at = person.get("computed_at")
    return Explanation(
        code=coupon.code,
        offer_key=why.get("offer", ""),
        offer_name=why.get("name", ""),
        occasion=coupon.occasion,
        asked=why.get("asked", True),
        kind=coupon.kind,
        percent=coupon.percent,
        amount_minor=coupon.amount_minor,
        gift_sku=coupon.gift_sku,
        minimum_minor=coupon.minimum_minor,
        max_discount_minor=coupon.max_discount_minor,
        issued_at=coupon.issued_at,
        expires_at=coupon.expires_at,
        min_orders=rule.get("min_orders", 0),
        max_orders=rule.get("max_orders"),
        rule_stages=tuple(rule.get("stages", ())),
        rule_segments=tuple(rule.get("segments", ())),
        rule_tiers=tuple(rule.get("tiers", ())),
        rule_interests=tuple(rule.get("interests", ())),
        stage=person.get("stage"),
        orders=person.get("orders"),
        segment=person.get("segment"),
        scores=_three(scores),
        tier=person.get("tier"),
        interests=tuple(person.get("interests", ())),
        method=person.get("method"),
        computed_at=datetime.fromisoformat(computed_at) if computed_at else None,
        run_id=person.get("run_id"),
        consent=_consent(session, why.get("consent_id")),
        case_id=why.get("case_id"),
        points=why.get("points"),
        referral_id=why.get("referral_id"),
    )


def _three(scores: Sequence[int]) -> tuple[int, int, int] | None:
    return (scores[0], scores[1], scores[2]) if len(scores) == 3 else None


def _consent(session: Session, consent_id: int | None) -> Consent | None:
    event = session.get(ConsentEvent, consent_id) if consent_id is not None else None
    if event is None:
        return None
    return Consent(event.id, event.purpose, event.channel, event.wording_version, event.source, event.at)
