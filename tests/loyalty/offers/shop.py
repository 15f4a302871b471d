"""Customers, orders, offers and complaints to test with."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.customers import service as customers
from rapport.customers.models import ConsentEvent, Customer, Identity, Interest
from rapport.kit.database import session_scope
from rapport.loyalty.offers.models import Coupon, CouponEvent, Offer
from rapport.shop.models import Order, Product
from rapport.value.models import CustomerValue, ModelRun

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)
DAY = timedelta(days=1)
_numbers = count(1)


def customer(session: Session, *, stage: str = "trust", birthday: date | None = None, **more: Any) -> int:
    """A new customer's id. `email` and `phone` become identities, `likes` interests."""
    email, phone, likes = more.pop("email", None), more.pop("phone", None), more.pop("likes", ())
    new = Customer(stage=stage, birthday=birthday, **more)
    session.add(new)
    session.flush()
    for kind, value in (("email", email), ("phone", phone)):
        if value:
            session.add(Identity(customer_id=new.id, kind=kind, value=value))
    session.add_all(Interest(customer_id=new.id, topic=topic, source="profile") for topic in likes)
    session.flush()
    return new.id


def _delivered() -> dict[str, Any]:
    return {"status": "delivered", "currency": "NOK", "total_minor": 100_000}


def order(session: Session, customer_id: int, at: datetime = NOW - 90 * DAY, **more: Any) -> Order:
    """A delivered order of 1000.00."""
    new = Order(
        source="shop",
        customer_id=customer_id,
        placed_at=at,
        **({**_delivered(), "number": f"N-{next(_numbers)}"} | more),
    )
    session.add(new)
    session.flush()
    return new


def offer(session: Session, key: str, **values: Any) -> int:
    """A new offer's id; 10 percent if nothing else is given."""
    lists = {
        name: values.pop(name) for name in ("stages", "segments", "tiers", "interests") if name in values
    }
    given = {"percent", "amount_minor", "gift_sku"} & set(values)
    kind = {"amount_minor": "amount", "gift_sku": "gift"}.get(next(iter(given), ""), "percent")
    new = Offer(key=key, name=key, audience=lists, **({"kind": kind, "percent": 0 if given else 10} | values))
    session.add(new)
    session.flush()
    return new.id


def consent(session: Session, customer_id: int, granted: bool = True, at: datetime = NOW - 9 * DAY) -> int:
    """The id of a newsletter consent, given or withdrawn."""
    customers.record_consent(
        session,
        customer_id,
        purpose="newsletter",
        channel="email",
        granted=granted,
        wording_version="2026-01",
        source="checkout",
        at=at,
    )
    newest = select(ConsentEvent.id).order_by(ConsentEvent.id.desc()).limit(1)
    return session.scalars(newest).one()


def complaint(session: Session, customer_id: int, resolved_at: datetime | None = None) -> int:
    """A complaint's id, open unless it was settled."""
    case = Case(
        kind="complaint",
        customer_id=customer_id,
        message_key=f"case {next(_numbers)}",
        text="It broke.",
        language="en",
        opened_at=NOW - 30 * DAY,
        resolved_at=resolved_at,
    )
    session.add(case)
    session.flush()
    return case.id


def product(session: Session, sku: str, price_minor: int, cost_minor: int | None, **more: Any) -> None:
    session.add(Product(sku=sku, price_minor=price_minor, cost_minor=cost_minor, currency="NOK", **more))
    session.flush()


def valued(session: Session, customer_id: int, segment: str, scores: tuple[int, int, int]) -> int:
    """Give a customer a segment and scores, as a valuation does; the run's id."""
    run = ModelRun(
        as_of=NOW,
        live=True,
        method="rules",
        reason="few orders",
        currency="NOK",
        customers=1,
        orders=1,
        shop={},
        model={},
        left_out={},
    )
    session.add(run)
    session.flush()
    session.add(
        CustomerValue(
            customer_id=customer_id,
            orders=3,
            buying_days=3,
            revenue_minor=300_000,
            costed_minor=0,
            margin_minor=0,
            recency=scores[0],
            frequency=scores[1],
            monetary=scores[2],
            segment=segment,
            method="rules",
            run_id=run.id,
            computed_at=NOW,
        )
    )
    session.flush()
    return run.id


def coupons(engine: Engine) -> list[Coupon]:
    with session_scope(engine) as session:
        return list(session.scalars(select(Coupon).order_by(Coupon.id)))


def events(engine: Engine) -> list[tuple[str, str | None]]:
    """(kind, reason) of all that was noted, in the order it happened."""
    with session_scope(engine) as session:
        rows = session.execute(select(CouponEvent.kind, CouponEvent.reason).order_by(CouponEvent.id))
        return [(row.kind, row.reason) for row in rows]
