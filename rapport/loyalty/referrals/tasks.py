"""Background work: rewards customers for friends whose first order can't be sent back any more."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from rapport.customers import service as customers
from rapport.loyalty.offers import repository as offers
from rapport.loyalty.offers.rulebook import ReferralRule
from rapport.loyalty.points import service as ledger
from rapport.loyalty.referrals import repository, service
from rapport.loyalty.referrals.models import Referral
from rapport.shop.facts import get_facts
from rapport.shop.models import Order

BATCH = 500


def run(session: Session, now: datetime, limit: int = BATCH) -> Counter[str]:
    """What was done: `rewarded`, `void`, `waiting` (a complaint of the referrer's is open, or the order
    is not paid), `more`.

    Again changes nothing: the points have a key of their own.
    """
    done: Counter[str] = Counter()
    rule = service.rule()
    if rule is None:
        return done
    for referral_id, referrer_id, referee_id in repository.due(session, now):
        free = offers.lock_free_customers(session, [referrer_id, referee_id])
        if len(free) < 2:
            done["skipped"] += 1
            continue
        referral = repository.locked(session, referral_id)
        if referral.state == "ordered":
            done[_settle(session, referral, rule, now)] += 1
        if done["rewarded"] + done["void"] >= limit:
            done["more"] = 1
            break
    return done


def _settle(session: Session, referral: Referral, rule: ReferralRule, now: datetime) -> str:
    order = session.get(Order, referral.order_id)
    ended = service.undone(session, order) if order is not None else "gone"
    if ended is not None:
        service.void(session, referral, ended, now)
        return "void"
    if order is not None and not service.is_enough(session, order):
        service.void(session, referral, "too_little", now)
        return "void"
    if order is not None and order.status == "placed":
        return "waiting"
    if repository.rewarded_since(session, referral.referrer_id, _new_year(now)) >= rule.per_year:
        service.void(session, referral, "per_year", now)
        return "void"
    if offers.has_open_complaint(session, referral.referrer_id):
        return "waiting"
    ledger.earn(
        session,
        referral.referrer_id,
        rule.points,
        key=f"referral:{referral.id}",
        reason="referral",
        at=now,
    )
    customers.note(session, referral.referrer_id, "recommended")
    referral.state, referral.points, referral.settled_at = "rewarded", rule.points, now
    session.flush()
    if rule.friend_gets == "with_reward" and not offers.has_open_complaint(session, referral.referee_id):
        service.give_friend(session, referral, now)
    return "rewarded"


def _new_year(now: datetime) -> datetime:
    """The beginning of the year in the shop's time zone."""
    zone = ZoneInfo(get_facts().timezone)
    return datetime(now.astimezone(zone).year, 1, 1, tzinfo=zone).astimezone(UTC)
