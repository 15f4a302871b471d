"""The demo's orders: who buys what, when, and what became of it."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from random import Random

from rapport.demo.people import Person
from rapport.shop.models import Order, OrderItem, Product, Refund

SOURCE = "fjordly"
FIRST_NUMBER = 10_001
DAYS = 730
CARRIERS = ("Bring", "PostNord", "DHL")
# How likely a customer is to have made so many orders; some have made none.
ORDER_COUNTS = {0: 15, 1: 25, 2: 18, 3: 12, 4: 9, 5: 7, 6: 5, 7: 3, 9: 2, 12: 2, 16: 1, 20: 1}
WINTER = {"skiing": 4.0, "jackets": 2.0}
SUMMER = {"tents": 3.0, "climbing": 2.0, "sleeping_bags": 2.0}
# From what age in days an order is at least in this state.
PAID, SHIPPED, DELIVERED = 1, 2, 6
CANCELLED_SHARE, REFUNDED_SHARE = 0.04, 0.06

Refunds = list[tuple[Order, Refund]]


def make_orders(
    random: Random, people: list[Person], products: dict[str, Product], today: datetime
) -> tuple[list[Order], Refunds]:
    """Everyone's orders of the last two years, numbered in the order they were placed, and their refunds."""
    by_category: dict[str, list[Product]] = defaultdict(list)
    for product in products.values():
        by_category[product.category or ""].append(product)
    orders: list[Order] = []
    refunds: Refunds = []
    for person in people:
        if person.persona:
            own, returned = _fixed_orders(random, person, products, today)
        else:
            own = _orders_of(random, person, by_category, today)
            returned = [(order, refund) for order in own if (refund := _perhaps_refund(random, order, today))]
        person.customer.stage = _stage(person, own)
        orders += own
        refunds += returned
    orders.sort(key=lambda order: order.placed_at)
    for number, order in enumerate(orders, FIRST_NUMBER):
        order.number = f"FJ-{number}"
    for order, refund in refunds:
        refund.reference = f"R-{order.number.removeprefix('FJ-')}"
    return orders, refunds


def _fixed_orders(
    random: Random, person: Person, products: dict[str, Product], today: datetime
) -> tuple[list[Order], Refunds]:
    assert person.persona
    orders: list[Order] = []
    refunds: Refunds = []
    for entry in person.persona.orders:
        # Today's order is as early as can be, so that it does not lie ahead whenever the demo is loaded.
        moment = today - timedelta(days=entry["days"]) + timedelta(minutes=1)
        chosen = [(products[sku], quantity) for sku, quantity in entry["items"].items()]
        order = _order(random, person, chosen, moment, today, cancelled=entry.get("cancelled", False))
        orders.append(order)
        if sku := entry.get("refund"):
            returned_at = moment + timedelta(days=DELIVERED + 9)
            refunds.append((order, _refund(order, _line(order, sku), returned_at)))
    return orders, refunds


def _orders_of(
    random: Random, person: Person, by_category: dict[str, list[Product]], today: datetime
) -> list[Order]:
    count = random.choices(list(ORDER_COUNTS), list(ORDER_COUNTS.values()))[0]
    joined = person.customer.created_at
    span = (today - joined).total_seconds()
    orders = []
    for _ in range(count):
        moment = joined + timedelta(seconds=int(span * random.random()))
        chosen = _basket(random, person, by_category, moment)
        cancelled = random.random() < CANCELLED_SHARE
        orders.append(_order(random, person, chosen, moment, today, cancelled))
    return orders


def _basket(
    random: Random, person: Person, by_category: dict[str, list[Product]], moment: datetime
) -> list[tuple[Product, int]]:
    season = WINTER if moment.month in {11, 12, 1, 2, 3} else SUMMER
    weights = [
        season.get(category, 1.0) * (4.0 if category in person.favourites else 1.0)
        for category in by_category
    ]
    chosen: dict[str, tuple[Product, int]] = {}
    for category in random.choices(
        list(by_category), weights, k=random.choices((1, 2, 3, 4), (5, 3, 2, 1))[0]
    ):
        product = random.choice(by_category[category])
        quantity = random.choices((1, 2, 4), (9, 2, 1))[0] if product.price_minor < 60_000 else 1
        chosen[product.sku] = (product, quantity)
    return list(chosen.values())


def _order(
    random: Random,
    person: Person,
    chosen: list[tuple[Product, int]],
    moment: datetime,
    today: datetime,
    cancelled: bool,
) -> Order:
    age = (today - moment) / timedelta(days=1)
    shipped_after, delivered_after = SHIPPED * random.uniform(0.5, 1.0), DELIVERED * random.uniform(0.6, 1.0)
    order = Order(
        source=SOURCE,
        customer_id=person.customer.id,
        status="placed",
        currency=chosen[0][0].currency,
        total_minor=sum(product.price_minor * quantity for product, quantity in chosen),
        placed_at=moment,
        items=[
            OrderItem(
                line=line,
                product_id=product.id,
                sku=product.sku,
                description=_name(product),
                quantity=quantity,
                unit_price_minor=product.price_minor,
            )
            for line, (product, quantity) in enumerate(chosen, 1)
        ],
    )
    if cancelled:
        order.status = "cancelled"
        return order
    order.expected_at = moment + timedelta(days=DELIVERED)
    if age >= PAID - 0.1:
        order.status = "paid"
    if age >= SHIPPED:
        order.status = "shipped"
        order.shipped_at = moment + timedelta(days=shipped_after)
        order.carrier = random.choice(CARRIERS)
        order.tracking_number = f"{random.randrange(10**16, 10**17)}NO"
    if age >= DELIVERED:
        order.status = "delivered"
        order.delivered_at = moment + timedelta(days=delivered_after)
    return order


def _name(product: Product) -> str:
    return next(text.name for text in product.texts if text.language == "nb")


def _perhaps_refund(random: Random, order: Order, today: datetime) -> Refund | None:
    """Some delivered orders are sent back, half of them whole."""
    if order.delivered_at is None or random.random() >= REFUNDED_SHARE:
        return None
    at = order.delivered_at + timedelta(days=random.randrange(4, 25))
    whole = len(order.items) == 1 or random.random() < 0.5
    return _refund(order, order.total_minor if whole else _line(order, order.items[0].sku), min(at, today))


def _line(order: Order, sku: str) -> int:
    return sum(item.quantity * item.unit_price_minor for item in order.items if item.sku == sku)


def _refund(order: Order, amount_minor: int, at: datetime) -> Refund:
    return Refund(
        customer_id=order.customer_id,
        source=SOURCE,
        amount_minor=amount_minor,
        currency=order.currency,
        at=at,
        reason="returned",
    )


def _stage(person: Person, own: list[Order]) -> str:
    if any(order.status != "cancelled" for order in own):
        return "trust"
    return "interest" if person.favourites else "know"
