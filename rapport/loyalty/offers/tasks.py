"""Background work: ends codes whose time is over and gives presents for occasions. Again changes nothing.

A present is given once per occasion (`grant_key`), only to who agreed to hear from the shop, and never while
a complaint of theirs is open. `run` takes some work at a time, so that no transaction gets long: call it,
commit, and call it again while its answer has `more`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from rapport.kit.settings import get_settings
from rapport.loyalty.offers import (
    audit,
    coupons,
    issuing,
    lookups,
    occasions,
    people,
    presents,
    repository,
    rules,
    sync,
)
from rapport.loyalty.offers.rules import OfferTerms
from rapport.shop.facts import get_facts

BATCH = 500
CHUNK = 200
# Orders of a code's last minutes are told to us late; nobody can use it meanwhile.
GRACE = timedelta(days=1)
FIRST_ORDERS_SINCE = 30  # years
# After a complaint was settled a present still comes when the task did not run, but not much later.
RECOVERY_LATE = timedelta(days=14)

T = TypeVar("T")
Due = tuple[int, str, dict[str, int]]  # customer, the occasion's key, what else belongs to the reason


def run(session: Session, now: datetime, limit: int = BATCH) -> Counter[str]:
    """What was done: `expired` codes, presents by occasion, and `more` when there is more to do.

    `skipped`: somebody was in the middle of something else; their turn comes with the next call.
    """
    done = _expire(session, now, limit)
    if done["more"]:
        return done
    today = now.astimezone(ZoneInfo(get_facts().timezone)).date()
    for offer in lookups.offers(session, *sorted(rules.UNASKED)):
        if rules.is_open(offer, now):
            done += _give(session, offer, _due(session, offer, today, now), now, limit - done.total())
        if done.total() >= limit:
            break
    return done


def follow_file(engine: Engine) -> str:
    """Take over offers.yml if it changed since this process last did; says in a few words what changed."""
    changes = sync.follow_file(engine)
    if changes is None:
        return "nothing has changed"
    return str(changes)


def check(session: Session) -> list[str]:
    """What does not add up in offers and coupons, in words; always empty."""
    return audit.find(session)


def _expire(session: Session, now: datetime, limit: int) -> Counter[str]:
    before = now - GRACE
    due = repository.due_coupons(session, before, limit)
    free = set(repository.lock_free_customers(session, sorted({customer for customer, _ in due})))
    ended = sum(
        coupons.expire(session, coupon_id, before, now) for customer, coupon_id in due if customer in free
    )
    # Were all of them busy, the same ones would be found again at once.
    return Counter(expired=ended, more=int(len(due) == limit and bool(ended))) + Counter()


def _give(session: Session, offer: OfferTerms, due: Iterable[Due], now: datetime, limit: int) -> Counter[str]:
    """Presents for up to `limit` of those who are due one."""
    done: Counter[str] = Counter()
    for chunk in _batched(occasions.not_granted(session, list(due)), CHUNK):
        customers = sorted({customer_id for customer_id, _, _ in chunk})
        agreed = occasions.agreed_among(session, customers)
        # Never waits for anybody, so holding an offer's row meanwhile can't make two wait for each other.
        free = set(repository.lock_free_customers(session, sorted(agreed)))
        done["skipped"] += len(agreed) - len(free)
        for customer_id, grant_key, more in chunk:
            if customer_id in free and _give_one(session, offer, customer_id, grant_key, more, now):
                done[offer.occasion] += 1
        if done[offer.occasion] >= limit:
            done["more"] = 1
            break
    return +done


def _give_one(
    session: Session, offer: OfferTerms, customer_id: int, grant_key: str, more: dict[str, int], now: datetime
) -> bool:
    # Looked at again under the lock: another worker may just have given it.
    if repository.coupon_by_grant(session, grant_key) or repository.has_open_complaint(session, customer_id):
        return False
    consent = people.consent_for_presents(session, customer_id, now)
    if consent is None:
        return False
    known = people.known(session, customer_id, [offer], now)
    if not rules.entitled([offer], known.person, people.uses(session, known, [offer], now), now, 1):
        return False
    cause = issuing.Cause(asked=False, grant_key=grant_key, consent=consent, more=dict(more))
    return issuing.issue(session, offer, known, cause, now) is not None


def _due(session: Session, offer: OfferTerms, today: date, now: datetime) -> Iterator[Due]:
    """Whose occasion it is, whether or not they get something for it."""
    match offer.occasion:
        case "birthday":
            return _birthdays(session, today)
        case "anniversary":
            return _anniversaries(session, today)
        case "surprise":
            return _surprises(session, offer, today)
        case _:
            return _recoveries(session, offer, now)


def _birthdays(session: Session, today: date) -> Iterator[Due]:
    for day in presents.recent_days(today):
        for customer_id in occasions.born_on(session, presents.anniversaries(day)):
            yield customer_id, f"birthday:{customer_id}:{day.year}", {}


def _anniversaries(session: Session, today: date) -> Iterator[Due]:
    for day in presents.recent_days(today):
        for earlier in presents.earlier(day, FIRST_ORDERS_SINCE):
            for customer_id in occasions.first_ordered(session, *_span(earlier)):
                yield customer_id, f"anniversary:{customer_id}:{day.year}", {"years": day.year - earlier.year}


def _surprises(session: Session, offer: OfferTerms, today: date) -> Iterator[Due]:
    secret = get_settings().secret_key.get_secret_value()
    days = set(presents.recent_days(today))
    for month in sorted({day.replace(day=1) for day in days}):
        drawn = [
            customer_id
            for customer_id in occasions.agreed_customers(session)
            if presents.surprise_day(secret, offer.key, month, customer_id, offer.chance or 0) in days
        ]
        for customer_id in sorted(drawn, key=lambda one: presents.turn(secret, offer.key, month, one)):
            yield customer_id, f"surprise:{offer.key}:{presents.month_of(month)}:{customer_id}", {}


def _recoveries(session: Session, offer: OfferTerms, now: datetime) -> Iterator[Due]:
    until = now - timedelta(days=offer.after_days)
    for case_id, customer_id in occasions.settled_complaints(session, until - RECOVERY_LATE, until):
        yield customer_id, f"recovery:{case_id}", {"case_id": case_id}


def _span(day: date) -> tuple[datetime, datetime]:
    """The day in the shop's time zone, from its first moment to the next day's."""
    zone = ZoneInfo(get_facts().timezone)
    start, end = (
        datetime.combine(which, time(), zone).astimezone(UTC) for which in (day, day + timedelta(days=1))
    )
    return start, end


def _batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]
