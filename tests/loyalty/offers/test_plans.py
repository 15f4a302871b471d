"""What the bot looks up in the middle of a turn is found by index, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text
from sqlalchemy.orm import Session

from rapport.customers.models import Customer, Identity
from rapport.kit.database import read_scope, session_scope
from rapport.loyalty.offers import gate_lookups, lookups, repository, service
from rapport.loyalty.offers.gate import licence
from rapport.loyalty.offers.models import Coupon, CouponEvent, Offer
from rapport.loyalty.referrals import repository as referrals
from rapport.loyalty.referrals.models import Referral, ReferralCode
from rapport.shop.models import Order
from tests.loyalty.offers.shop import DAY, NOW
from tests.plans import read_whole, statements

PEOPLE = 3_000
CODE = "FJ-AAAA-0007"

LOOK_UPS: dict[str, Callable[[Session], Any]] = {
    "live codes": lambda session: repository.live_coupons(session, 7, NOW),
    "uses": lambda session: lookups.uses(session, 7, NOW),
    "same mailbox": lambda session: lookups.same_mailbox(session, 7),
    "orders together": lambda session: lookups.orders_of(session, 7),
    "to speak of": lambda session: repository.coupons_to_speak_of(session, 7, NOW),
    "order marks": lambda session: gate_lookups.order_marks(session, 7, "FJ"),
    "lines": lambda session: gate_lookups.lines_with_promises(session, 7),
    "issued": lambda session: gate_lookups.issued_among(session, [CODE, "FJ-0007"]),
    "owner": lambda session: repository.owner_of(session, CODE),
    "by code": lambda session: repository.coupon_by_code(session, CODE, lock=True),
    "by occasion": lambda session: repository.coupon_by_grant(session, "birthday:7:2026"),
    "event by key": lambda session: repository.event_by_key(session, "held", "k7"),
    "sequence": lambda session: repository.next_sequence(session, 1, 7),
    "due": lambda session: repository.due_coupons(session, NOW, 10),
    "explain": lambda session: service.explain(session, 7),
    "friend's code": lambda session: referrals.owner_of(session, "FJ-0007"),
    "code of": lambda session: referrals.code_of(session, 7),
    "who brought": lambda session: referrals.of_referee(session, 7),
    "rewarded": lambda session: referrals.rewarded_since(session, 7, NOW),
    "rewards due": lambda session: referrals.due(session, NOW),
    "consent": lambda session: repository.consent_to(session, 7, "newsletter"),
    "interests": lambda session: lookups.interests_of(session, 7),
    "complaint": lambda session: repository.has_open_complaint(session, 7),
    "licence": lambda session: licence(session, 7),
}
# Few rows, whatever the shop sells to how many people; and what is read once in many turns.
SMALL = ("offer", "product_text", "product")


@pytest.fixture(scope="module")
def shop_of_many(shared_engine: Engine) -> Engine:
    with session_scope(shared_engine) as session:
        session.add(Offer(key="a", percent=10))
        session.flush()
        numbers = range(1, PEOPLE + 1)
        session.execute(insert(Customer), [{"id": n, "stage": "trust", "created_at": NOW} for n in numbers])
        session.execute(
            insert(Identity),
            [{"customer_id": n, "kind": "email", "value": f"p{n}+a@example.com"} for n in numbers],
        )
        session.execute(
            insert(Order),
            [
                {
                    "source": "s",
                    "number": str(n),
                    "customer_id": n,
                    "status": "paid",
                    "currency": "NOK",
                    "total_minor": 1,
                    "placed_at": NOW,
                }
                for n in numbers
            ],
        )
        session.execute(
            insert(Coupon),
            [
                {
                    "code": f"FJ-AAAA-{n:04d}",
                    "offer_id": 1,
                    "customer_id": n,
                    "grant_key": f"birthday:{n}:2026",
                    "expires_at": NOW + DAY,
                    "issued_at": NOW,
                    "reason": {},
                }
                for n in numbers
            ],
        )
        session.execute(
            insert(CouponEvent),
            [{"coupon_id": n, "kind": "held", "key": f"k{n}", "at": NOW} for n in numbers],
        )
        session.execute(
            insert(ReferralCode), [{"customer_id": n, "code": f"FJ-{n:04d}", "made_at": NOW} for n in numbers]
        )
        session.execute(
            insert(Referral),
            [
                {
                    "referrer_id": n,
                    "referee_id": n + 1,
                    "key": f"k{n}",
                    "fingerprint": "",
                    "state": "rewarded",
                    "claimed_at": NOW,
                    "settled_at": NOW,
                }
                for n in range(1, PEOPLE)
            ],
        )
    with shared_engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()
    return shared_engine


@pytest.mark.parametrize("name", LOOK_UPS)
def test_a_look_up_reads_no_whole_table(shop_of_many: Engine, name: str) -> None:
    with statements(shop_of_many) as asked, read_scope(shop_of_many) as session:
        LOOK_UPS[name](session)
    assert asked
    scans = {(table, one[0]) for one in asked for table in read_whole(shop_of_many, one, without=())}
    with shop_of_many.connect() as connection:
        empty = {
            table
            for table, _ in scans
            if not connection.exec_driver_sql(f'SELECT count(*) FROM "{table}"').scalar()
        }
        connection.rollback()
    # PostgreSQL rightly reads a table without rows as it stands.
    assert [statement for table, statement in scans if table not in empty and table not in SMALL] == []
