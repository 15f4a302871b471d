"""The demo shop Fjordly: a catalogue, its customers, two years of orders and some conversations, the same
for the same day.

Everything is made up; addresses end in example.com, .net and .org, which belong to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from random import Random

from sqlalchemy import select
from sqlalchemy.orm import Session

from rapport.customers.models import Customer
from rapport.demo import conversations
from rapport.demo.catalogue import load_products
from rapport.demo.orders import make_orders
from rapport.demo.people import Persona, make_customers, personas
from rapport.loyalty.offers.rulebook import get_rulebook
from rapport.loyalty.offers.sync import sync
from rapport.loyalty.points import service as ledger
from rapport.loyalty.points import tasks as points_tasks
from rapport.shop.models import Order, Product
from rapport.value import service as value

__all__ = ["Persona", "Summary", "is_empty", "load", "personas"]

CUSTOMERS = 300
SEED = 20_26


@dataclass(frozen=True)
class Summary:
    """How much was loaded."""

    products: int
    customers: int
    orders: int
    refunds: int
    points: int
    conversations: int

    def __str__(self) -> str:
        return f"{self.products} products, {self.customers} customers, {self.orders:,} orders"


def is_empty(session: Session) -> bool:
    """Whether there is no product, customer or order yet, so that the demo is in nobody's way."""
    return all(session.scalar(select(table.id).limit(1)) is None for table in (Product, Customer, Order))


def load(session: Session, today: date, seed: int = SEED) -> Summary:
    """Fill an empty database with the demo shop; its last orders are of `today`."""
    random = Random(seed)
    midnight = datetime.combine(today, time(), UTC)
    products = load_products()
    people = make_customers(random, CUSTOMERS, midnight)
    session.add_all([*products.values(), *(person.customer for person in people)])
    session.flush()
    sync(session, get_rulebook())
    for person in people:
        session.add_all(person.belongings(person.customer.id))
    orders, refunds = make_orders(random, people, products, midnight)
    session.add_all(orders)
    session.flush()
    points = ledger.earn_for_orders(session, [order for order in orders if order.status != "placed"])
    for order, refund in refunds:
        refund.order_id = order.id
        session.add(refund)
        points -= ledger.reverse_for_refund(session, refund)
    # What was delivered long ago is past its return period.
    for _ in points_tasks.steps(session, midnight):
        pass
    session.flush()
    value.value_all(session, midnight)
    known = {person.persona.email: person.customer for person in people if person.persona}
    others = (person.customer for person in people if not person.persona)
    talks = conversations.load(session, known, others, midnight)
    return Summary(len(products), len(people), len(orders), len(refunds), points, talks)
