"""Three weeks of a shop, made by hand, for the page of figures to count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from rapport.cases.models import Case
from rapport.conversations.models import Handoff
from rapport.customers.models import Customer
from rapport.insight import segments
from rapport.insight.models import Satisfaction
from rapport.kit.database import session_scope
from rapport.loyalty.offers.models import Coupon, Offer
from rapport.shop.models import Order
from rapport.value.models import CustomerValue
from tests.console.talks import talk

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
COUNTED = ("orders", "buying_days", "revenue_minor", "costed_minor", "margin_minor")
IN_OCTOBER = datetime(2026, 10, 20, tzinfo=UTC)
HOSTILE = '=HYPERLINK("http://evil.example")<script>alert(1)</script>'


def at(day: int, hour: int = 10, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def asked(text: str = "where is my order", intent: str = "track_order") -> tuple[str, str, dict[str, str]]:
    return ("customer", text, {"intent": intent})


def month(engine: Engine) -> None:
    """Three weeks of a shop: six conversations and what came of them."""
    solved = talk(engine, asked(), ("bot", "Here."), at=at(2))
    talk(engine, asked("hva?", "nlu_fallback"), ("bot", "?"), at=at(3), language="nb", channel="telegram")
    person = talk(engine, asked("a person", "contact_human_agent"), ("staff", "Hi"), at=at(4))
    talk(engine, asked(), ("bot", "Here."), at=at(5))
    talk(engine, asked(intent=HOSTILE[:60]), ("bot", "Here."), at=at(20, 9))
    talk(engine, asked(intent="delivery_period"), ("bot", "Here."), at=IN_OCTOBER)
    with session_scope(engine) as session:
        for number, waited in enumerate((60, 120, 600)):
            session.add(
                Handoff(
                    conversation_id=person,
                    message_key=f"h{number}",
                    reason="…",
                    requested_at=at(4, 10, number),
                    taken_at=at(4, 10, number) + timedelta(seconds=waited),
                    first_answer_at=at(4, 10, number) + timedelta(seconds=waited + 60),
                    closed_at=at(4, 12),
                )
            )
        for score, who, conversation in ((5, "bot", solved), (2, "person", person), (None, "bot", solved)):
            session.add(
                Satisfaction(
                    conversation_id=conversation,
                    message_key=f"{who}{score}",
                    handled_by=who,
                    asked_at=at(5),
                    score=score,
                    at=at(5) if score else None,
                )
            )
        customer = Customer(language="en")
        order, earlier = (
            Order(
                source="shop",
                number=number,
                status="paid",
                currency="NOK",
                total_minor=total,
                placed_at=placed,
            )
            for number, total, placed in (("1", 90_000, at(6)), ("2", 50_000, IN_OCTOBER))
        )
        offer = Offer(key="winter", percent=10)
        session.add_all([customer, order, earlier, offer])
        session.flush()
        for number, (issued, used, bought, discount) in enumerate(
            (
                (at(5), at(6), order.id, 10_000),
                (at(5), at(7), None, 2_000),  # at a till that tells of no order
                (at(5), None, None, None),
                (at(5), None, None, None),
                (IN_OCTOBER, IN_OCTOBER, earlier.id, 5_000),
            )
        ):
            session.add(
                Coupon(
                    code=f"FJ-{number}",
                    offer_id=offer.id,
                    customer_id=customer.id,
                    sequence=number,
                    state="redeemed" if used else "issued",
                    issued_at=issued,
                    expires_at=at(28),
                    redeemed_at=used,
                    order_id=bought,
                    discount_minor=discount,
                    cost_minor=discount,
                )
            )
        session.add_all(
            Case(
                kind="review",
                message_key=f"c{number}",
                text="…",
                language="en",
                opened_at=at(7),
                due_at=at(9),
                resolved_at=resolved,
            )
            for number, resolved in enumerate((at(8), at(10), None))
        )
        session.add(
            CustomerValue(
                customer_id=customer.id,
                **dict.fromkeys(COUNTED, 1),
                segment="champions",
            )
        )
    segments.count(engine, at(10).date())
    with session_scope(engine) as session:
        session.get_one(CustomerValue, customer.id).segment = "at_risk"
    segments.count(engine, at(11).date())
    segments.count(engine, at(12).date())
