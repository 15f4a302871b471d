"""Customers for bench/console.py: what they bought, what they earned, codes, and what they heard unasked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from bench.console_rows import CHUNK, LANGUAGES, SPAN, STAGES, Rows, chosen, rare, within
from rapport.outreach.journeys import definition
from rapport.value.segments import get_segments

PRODUCTS = 300
# Of the first one there is more than of anybody: the heaviest page of a customer.
REGULAR, THEIR_ORDERS = 1, 400
WHY_NOT = ("no_consent", "cap", "quiet_hours", "refused_channel")


def products() -> Rows:
    rows = Rows()
    for number in range(1, PRODUCTS + 1):
        rows.add(
            "product",
            sku=f"SKU-{number}",
            category=("tents", "bags", "shoes")[number % 3],
            price_minor=9_900 + number,
            currency="NOK",
            cost_minor=5_000 if number % 10 else None,
        )
        for language in LANGUAGES:
            rows.add("product_text", product_id=number, language=language, name=f"Thing {number}")
    return rows


def people(random: Random, count: int, end: datetime, offers: list[int]) -> Iterator[Rows]:
    """So many customers and all that is theirs, some thousand at a time."""
    maker = _Maker(random, end, offers)
    for number in range(1, count + 1):
        maker.customer(number)
        if number % (CHUNK // 10) == 0:
            yield maker.rows.take()
    yield maker.rows.take()


class _Maker:
    """Counts the rows of each table, so that they can point to each other."""

    def __init__(self, random: Random, end: datetime, offers: list[int]) -> None:
        self.random, self.end, self.offers = random, end, offers
        self.rows = Rows()
        self.segments = [segment.key for segment in get_segments().all]
        self.journeys = list(definition.load_all().items())

    def customer(self, number: int) -> None:
        random, add = self.random, self.rows.add
        since = within(random, self.end - SPAN, self.end)
        language = chosen(random, LANGUAGES)
        add(
            "customer",
            id=number,
            name=f"{rare(random).title()} {rare(random).title()}",
            language=language,
            stage=chosen(random, STAGES),
            created_at=since,
        )
        address = f"p{number}@example.com"
        add("identity", customer_id=number, kind="email", value=address, mailbox=address, verified_at=since)
        if random.random() < 0.5:
            phone = f"+4790{number:06}"
            add("identity", customer_id=number, kind="phone", value=phone, mailbox=None, verified_at=None)
        if random.random() < 0.3:
            add("contact_policy", customer_id=number, preferred_channel="email", updated_at=since)
        add("interest", customer_id=number, topic="tents", source="conversation", at=since)
        for granted in (True, False)[: random.choice((0, 1, 1, 2))]:
            add(
                "consent_event",
                customer_id=number,
                purpose="newsletter",
                channel="email",
                granted=granted,
                wording_version="chat-1",
                source="conversation",
                at=within(random, since, self.end),
            )
        orders = random.choice((1, 1, 2, 2, 3, 4, 8)) if number != REGULAR else THEIR_ORDERS
        times = sorted(within(random, since, self.end) for _ in range(orders))
        self._points(number, [(at, self._order(number, at)) for at in times])
        add(
            "customer_value",
            customer_id=number,
            orders=orders,
            buying_days=orders,
            first_order_at=times[0],
            last_order_at=times[-1],
            revenue_minor=orders * 50_000,
            costed_minor=0,
            margin_minor=0,
            recency=random.randrange(1, 6),
            frequency=random.randrange(1, 6),
            monetary=random.randrange(1, 6),
            segment=random.choice(self.segments),
            p_buy=random.random(),
            clv_minor=40_000,
            clv_low_minor=10_000,
            clv_high_minor=90_000,
            method="rules",
            computed_at=self.end,
        )
        for _ in range(random.choice((0, 0, 1, 1, 2)) if number != REGULAR else 60):
            self._code(number, within(random, since, self.end))
        for turn in range(random.choice((0, 1, 2, 3, 4)) if number != REGULAR else 60):
            self._journey(number, language, f"bench:{turn}", within(random, since, self.end))

    def _order(self, customer: int, at: datetime) -> tuple[int, int]:
        """(id, what it came to)."""
        random, add = self.random, self.rows.add
        total = random.randrange(5_000, 300_000)
        status = random.choices(("delivered", "paid", "cancelled"), (85, 10, 5))[0]
        number = self.rows.next("order")
        order = add(
            "order",
            source="shop",
            number=f"FJ-{number}",
            customer_id=customer,
            status=status,
            currency="NOK",
            total_minor=total,
            placed_at=at,
            delivered_at=at + timedelta(days=4) if status == "delivered" else None,
        )
        for line in range(1, random.choice((1, 2, 3)) + 1):
            product = random.randrange(1, PRODUCTS + 1)
            add(
                "order_item",
                order_id=order,
                line=line,
                product_id=product,
                sku=f"SKU-{product}",
                quantity=1,
                unit_price_minor=total // line,
            )
        return order, total

    def _points(self, customer: int, orders: list[tuple[datetime, tuple[int, int]]]) -> None:
        """What they earned with each order, none of it spent."""
        add = self.rows.add
        balance = sum(total // 1_000 for _, (_, total) in orders)
        accounts = {
            kind: add("account", customer_id=customer, kind=kind, balance=balance * (kind == "points"))
            for kind in ("points", "pending", "held", "debt")
        }
        add("membership", customer_id=customer, tier="trail")
        total_before = 0
        for at, (order, total) in orders:
            earned = total // 1_000
            total_before += earned
            movement = add(
                "transaction",
                key=f"bench:{order}",
                kind="earn",
                points=earned,
                balance=total_before,
                order_id=order,
                at=at,
            )
            mine = {"account_id": accounts["points"], "points": earned}
            add("posting", transaction_id=movement, **mine)
            earning = add("earning", transaction_id=movement, order_id=order, at=at, matured_at=at, **mine)
            ends = self.end + timedelta(days=200)
            lot = add("lot", earning_id=earning, remaining=earned, expires_at=ends, **mine)
            add("lot_movement", transaction_id=movement, lot_id=lot, points=earned)

    def _code(self, customer: int, at: datetime) -> None:
        add, number = self.rows.add, self.rows.next("coupon")
        used = self.random.random() < 0.3
        coupon = add(
            "coupon",
            code=f"FJORD-{number}",
            offer_id=self.random.choice(self.offers),
            customer_id=customer,
            sequence=number,
            state="redeemed" if used else "issued",
            percent=10,
            issued_at=at,
            expires_at=at + timedelta(days=30),
            redeemed_at=at + timedelta(days=3) if used else None,
            order_id=self.rows.next("order") - 1 if used else None,
            discount_minor=5_000 if used else None,
            cost_minor=5_000 if used else None,
        )
        for kind in ("issued", "redeemed")[: 1 + used]:
            add("coupon_event", coupon_id=coupon, kind=kind, key=f"{kind}:{number}", at=at)

    def _journey(self, customer: int, language: str, trigger: str, at: datetime) -> None:
        """One journey of somebody, with what became of each step and what the contact policy said."""
        random, add = self.random, self.rows.add
        key, journey = random.choice(self.journeys)
        variant = random.choices(("a", "b", "control"), (45, 45, 10))[0]
        entry = add(
            "journey_entry",
            customer_id=customer,
            journey=key,
            trigger_key=trigger,
            variant=variant,
            anchor_at=at,
            status="finished" if at < self.end - timedelta(days=20) else "running",
            entered_at=at,
        )
        for place, step in enumerate(journey.steps if variant != "control" else (), 1):
            due = at + timedelta(days=7 * place)
            status = random.choices(("sent", "skipped"), (80, 20))[0] if due < self.end else "waiting"
            mine: dict[str, Any] = {"customer_id": customer, "journey": key, "step": step.key}
            number = add(
                "journey_step",
                **mine,
                entry_id=entry,
                trigger_key=trigger,
                planned_at=due,
                due_at=due,
                status=status,
                reason=random.choice(WHY_NOT) if status == "skipped" else None,
                channel="email" if status == "sent" else None,
                decided_at=due if status != "waiting" else None,
            )
            if status == "waiting":
                continue
            outcome = "send" if status == "sent" else "never"
            add(
                "contact_decision",
                **mine,
                step_id=number,
                outcome=outcome,
                reason="ok" if status == "sent" else random.choice(WHY_NOT),
                channel="email",
                at=due,
            )
            if status == "sent":
                add(
                    "outbox",
                    key=f"journey:{number}",
                    purpose="journey",
                    asked=False,
                    customer_id=customer,
                    step_id=number,
                    language=language,
                    message_id=f"{number}@bench",
                    status="sent" if random.random() < 0.97 else "bounced",
                    sent_at=due,
                    created_at=due,
                )
