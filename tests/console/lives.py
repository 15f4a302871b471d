"""A customer with something of everything, whose every field says `text`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine

from rapport.channels.models import ContactPoint, Delivery
from rapport.conversations.models import Case
from rapport.customers.models import (
    ConsentEvent,
    ContactPolicy,
    Customer,
    CustomerMerge,
    ExternalRef,
    Identity,
    Interest,
)
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.loyalty.offers.models import Coupon, Offer
from rapport.loyalty.points import service as points
from rapport.mentions.models import Mention, MentionAnswer, MentionSource
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.shop.models import Order, OrderItem
from rapport.value import service as value
from tests.console.talks import talk

NAME, EMAIL, PHONE = "Lucía Moreno", "lucia.moreno@example.com", "+4791234567"


@dataclass(frozen=True)
class Life:
    """Ids of what was made."""

    customer: int
    conversation: str
    case: int
    mention: int


def live(database: Engine, text: str = "", name: str = NAME, complains: bool = True) -> Life:
    """Somebody with orders, points, codes, consents …, in a conversation in which they showed who they are.

    `text` is put into every field that people or other systems write.
    """
    now = clock.now()
    with session_scope(database) as session:
        customer = Customer(name=name, language="es", country="ES", stage="trust")
        twin = Customer(name=f"Twin {text}")
        session.add_all([customer, twin])
        session.flush()
        mine = {"customer_id": customer.id}
        session.add_all(
            [
                Identity(kind="email", value=EMAIL, verified_at=now, **mine),
                Identity(kind="phone", value=PHONE, **mine),
                ExternalRef(system="crm", value=f"C-778899{text}"[:120], **mine),
                ContactPolicy(
                    preferred_channel="email",
                    refused_channels=["sms"],
                    max_per_month=2,
                    paused_until=now + timedelta(days=20),
                    **mine,
                ),
                ConsentEvent(
                    purpose="newsletter",
                    channel="email",
                    granted=True,
                    wording_version="chat-1",
                    source=f"shop form {text}"[:120],
                    at=now - timedelta(days=90),
                    **mine,
                ),
                Interest(topic=f"tents{text}"[:80], source="conversation", **mine),
                CustomerMerge(from_id=twin.id, into_id=customer.id, why="code", moved={}, at=now),
            ]
        )
        for number in range(3):
            order = Order(
                source="shop",
                number=f"FJ-2000{number}{text}"[:60],
                status="delivered",
                currency="NOK",
                total_minor=129_900,
                placed_at=now - timedelta(days=100 - 30 * number),
                delivered_at=now - timedelta(days=95 - 30 * number),
                carrier="Posten",
                tracking_number="TRACK778899",
                items=[
                    OrderItem(
                        line=1, sku="TENT", description=f"Tent {text}", quantity=1, unit_price_minor=129_900
                    )
                ],
                **mine,
            )
            session.add(order)
        offer = Offer(key="loyal", name=f"Loyal {text}"[:120], percent=15)
        session.add(offer)
        session.flush()
        session.add(
            Coupon(
                code="FJ-SECRET77",
                offer_id=offer.id,
                percent=15,
                expires_at=now + timedelta(days=10),
                reason={
                    "offer": "loyal",
                    "name": offer.name,
                    "asked": True,
                    "rule": {"min_orders": 3, "segments": ["champions"]},
                    "customer": {"orders": 3, "segment": "champions"},
                },
                **mine,
            )
        )
        points.earn(session, customer.id, 320, key="test:earned", reason="welcome")
        value.update_after_order(session, customer.id)
        customer_id = customer.id
    conversation = talk(
        database,
        ("customer", "hola", {"intent": "greet", "confidence": 0.99, "language": "es", "took_ms": 12.5}),
        (
            "bot",
            f"Hello Lucia! {text}",
            {
                "response": "utter_greet",
                "content": {
                    "buttons": [{"id": "b1", "title": f"My order {text}", "payload": "/track_order"}],
                    "card": {"type": "product", "name": f"Tent {text}", "price": "1 299 kr"},
                    "image": f"https://pictures.example/{text}",
                },
            },
        ),
        (
            "customer",
            f"My order {text}",
            {"payload": "/track_order", "intent": "track_order", "confidence": 1.0},
        ),
        (
            "customer",
            f"order 20001 for {EMAIL} please, I am Lucia Moreno, call {PHONE} {text}",
            {
                "intent": "track_order",
                "confidence": 0.41,
                "entities": [
                    {"entity": "order_number", "value": f"20001{text}", "start": 6, "end": 11},
                    {"entity": "email", "value": EMAIL, "start": 16, "end": 16 + len(EMAIL)},
                ],
                "actions": ["action_track_order"],
                "took_ms": 31.0,
            },
        ),
        ("customer", f"Storgata 5, 0155 Oslo {text}", {"intent": "nlu_fallback", "confidence": 0.2}),
        ("bot", f"Sorry? {text}", {"response": "utter_fallback"}),
        channel="whatsapp",
        customer_id=customer_id,
        verified_until=now + timedelta(minutes=30),
    )
    with session_scope(database) as session:
        session.add(
            ContactPoint(
                channel="whatsapp",
                address=PHONE.removeprefix("+"),
                conversation_id=conversation,
                customer_id=customer_id,
                last_inbound_at=now,
            )
        )
        session.add(
            Delivery(
                conversation_id=conversation,
                sequence=6,
                channel="whatsapp",
                status="failed",
                last_error=f"refused by {PHONE} {text}"[:300],
            )
        )
        entry = JourneyEntry(
            customer_id=customer_id,
            journey="win_back",
            trigger_key="test",
            variant="a",
            anchor_at=now,
            entered_at=now - timedelta(days=1),
            context={},
        )
        session.add(entry)
        session.flush()
        session.add(
            JourneyStep(
                entry_id=entry.id,
                customer_id=customer_id,
                journey="win_back",
                step="question",
                trigger_key="test",
                planned_at=now,
                due_at=now + timedelta(days=1),
            )
        )
        case = Case(
            kind="complaint" if complains else "mention",
            conversation_id=conversation,
            customer_id=customer_id,
            message_key=f"test:{conversation}",
            order_number=f"FJ-20001{text}"[:60],
            text=f"Torn when it arrived, says Lucia {text}",
            language="en",
        )
        session.add(case)
        session.flush()
        mention = Mention(
            source="mastodon",
            source_id="1",
            author=f"@lucia@social.example {text}"[:200],
            text=f"Torn when it arrived! I am Lucia Moreno, call {PHONE} {text}",
            language="en",
            url=f"https://social.example/@lucia/1?{text}"[:500],
            at=now,
            kind="complaint",
            confidence=0.9,
            state="case",
            suggestion=f"Sorry! {text}",
            note=f"She phoned from {PHONE} {text}",
            case_id=case.id,
            customer_id=customer_id,
        )
        session.add(mention)
        session.flush()
        session.add(MentionAnswer(key="1", mention_id=mention.id, source="mastodon", text=f"Sorry {text}"))
        session.add(MentionSource(name="mastodon", last_error=f"refused {text}"[:300]))
        return Life(customer_id, conversation, case.id, mention.id)
