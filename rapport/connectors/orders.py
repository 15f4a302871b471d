"""Writing order lines to the database, a chunk in one transaction.

A line is the same as one that is there when order, product, description, quantity and price agree: that makes
a second run change nothing, and takes a row that stands twice in an invoice once. The lines of an order need
not stand together in the file.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from rapport.connectors import people
from rapport.connectors.lines import OrderLine, Who
from rapport.connectors.plan import Plan
from rapport.connectors.report import Report
from rapport.kit.upsert import insert
from rapport.shop.models import Order, OrderItem, Product, ProductText, Refund

STATUS = "delivered"
LARGEST_TOTAL = 2_147_483_647
ALREADY = "there already"
REPEATED = "repeats another row of its invoice"

Content = tuple[str, str, int, int]


@dataclass
class _Known:
    """An order with what it holds: its lines' content by id, so that repeats are seen."""

    id: int
    total_minor: int
    last_line: int = 0
    contents: dict[Content, int] = field(default_factory=dict)


class OrderWriter:
    """Writes chunks of lines; remembers only what was the newest row before it began."""

    chunk = 5_000

    def __init__(self, plan: Plan, report: Report, language: str) -> None:
        self._plan = plan
        self._report = report
        self._language = language
        self._newest_item: int | None = None
        self._newest_refund: int | None = None

    def write(self, session: Session, lines: list[OrderLine]) -> None:
        """Store what is new of these lines and count it."""
        self._note_newest(session)
        customers = self._customers(session, lines)
        products = self._products(session, lines)
        sales = [line for line in lines if not line.refund]
        orders = self._orders(session, lines, sales, customers)
        self._items(session, sales, orders, products)
        self._refunds(session, [line for line in lines if line.refund], orders, customers)

    def _note_newest(self, session: Session) -> None:
        """Rows with higher ids are from this run: a line equal to one of them is repeated in the file."""
        if self._newest_item is None:
            self._newest_item = session.scalar(select(func.max(OrderItem.id))) or 0
            self._newest_refund = session.scalar(select(func.max(Refund.id))) or 0

    def _customers(self, session: Session, lines: list[OrderLine]) -> dict[Who, int]:
        first: dict[Who, tuple[str | None, object]] = {}
        for line in lines:
            if line.who and line.who not in first:
                first[line.who] = (line.country, line.placed_at)
        found, new = people.resolve(session, self._plan.source, first)  # type: ignore[arg-type]
        self._report.added["customers"] += new
        return found

    def _products(self, session: Session, lines: list[OrderLine]) -> dict[str, int]:
        """Ids of the products; one nobody knows is added with the file's description and latest price."""
        newest: dict[str, OrderLine] = {}
        for line in lines:
            before = newest.get(line.sku)
            if line.goods and (before is None or _tells_more(line, before)):
                newest[line.sku] = line
        known = self._known_products(session, list(newest))
        new = [line for sku, line in newest.items() if sku not in known and not line.refund]
        if new:
            session.execute(
                insert(session, Product).on_conflict_do_nothing(index_elements=["sku"]),
                [
                    {"sku": line.sku, "price_minor": line.unit_price_minor, "currency": self._plan.currency}
                    for line in new
                ],
            )
            known = self._known_products(session, list(newest))
            session.execute(
                insert(session, ProductText).on_conflict_do_nothing(
                    index_elements=["product_id", "language"]
                ),
                [
                    {
                        "product_id": known[line.sku],
                        "language": self._language,
                        "name": (line.description or line.sku)[:200],
                        "description": "",
                    }
                    for line in new
                ],
            )
            self._report.added["products"] += len(new)
        return known

    def _known_products(self, session: Session, skus: list[str]) -> dict[str, int]:
        rows = session.execute(select(Product.sku, Product.id).where(Product.sku.in_(skus)))
        return {row.sku: row.id for row in rows}

    def _orders(
        self,
        session: Session,
        lines: list[OrderLine],
        sales: list[OrderLine],
        customers: dict[Who, int],
    ) -> dict[str, _Known]:
        """The orders these lines belong to, with their lines so far; new ones are added."""
        numbers = {line.order for line in sales} | {
            line.returned_from for line in lines if line.returned_from
        }
        orders = self._known_orders(session, numbers)
        first: dict[str, OrderLine] = {}
        buyers: dict[str, int] = {}
        for line in sales:
            before = first.get(line.order)
            if before is None or line.placed_at < before.placed_at:
                first[line.order] = line
            if line.who:
                buyers.setdefault(line.order, customers[line.who])
        new = [
            {
                "source": self._plan.source,
                "number": number,
                "customer_id": buyers.get(number),
                "status": STATUS,
                "currency": self._plan.currency,
                "total_minor": 0,
                "placed_at": line.placed_at,
            }
            for number, line in first.items()
            if number not in orders
        ]
        if new:
            session.execute(
                insert(session, Order).on_conflict_do_nothing(index_elements=["source", "number"]), new
            )
            orders |= self._known_orders(session, {str(row["number"]) for row in new})
            self._report.added["orders"] += len(new)
        return orders

    def _known_orders(self, session: Session, numbers: set[str]) -> dict[str, _Known]:
        rows = session.execute(
            select(Order.number, Order.id, Order.total_minor).where(
                Order.source == self._plan.source, Order.number.in_(numbers)
            )
        )
        orders = {row.number: _Known(row.id, row.total_minor) for row in rows}
        by_id = {order.id: order for order in orders.values()}
        items = session.execute(
            select(
                OrderItem.order_id,
                OrderItem.id,
                OrderItem.line,
                OrderItem.sku,
                OrderItem.description,
                OrderItem.quantity,
                OrderItem.unit_price_minor,
            ).where(OrderItem.order_id.in_(by_id))
        )
        for order_id, item_id, line, *content in items:
            order = by_id[order_id]
            order.last_line = max(order.last_line, line)
            order.contents[tuple(content)] = item_id  # type: ignore[index]
        return orders

    def _items(
        self,
        session: Session,
        sales: list[OrderLine],
        orders: dict[str, _Known],
        products: dict[str, int],
    ) -> None:
        new: list[dict[str, object]] = []
        changed: dict[int, _Known] = {}
        for line in sales:
            order = orders[line.order]
            content = (line.sku, line.description, line.quantity, line.unit_price_minor)
            if content in order.contents:
                self._skip_known(line, order.contents[content] > (self._newest_item or 0))
                continue
            total = order.total_minor + line.quantity * line.unit_price_minor
            if total > LARGEST_TOTAL:
                self._report.skip("order too large", line.row)
                continue
            order.last_line += 1
            order.total_minor = total
            # An id as high as can be: added in this run.
            order.contents[content] = LARGEST_TOTAL
            changed[order.id] = order
            new.append(
                {
                    "order_id": order.id,
                    "line": order.last_line,
                    "product_id": products.get(line.sku),
                    "sku": line.sku,
                    "description": line.description,
                    "quantity": line.quantity,
                    "unit_price_minor": line.unit_price_minor,
                }
            )
        if new:
            session.execute(insert(session, OrderItem), new)
            session.connection().execute(
                update(Order.__table__)  # type: ignore[arg-type]
                .where(Order.__table__.c.id == bindparam("order_id"))
                .values(total_minor=bindparam("total")),
                [{"order_id": order.id, "total": order.total_minor} for order in changed.values()],
            )
        self._report.added["order lines"] += len(new)
        self._report.taken += len(new)

    def _refunds(
        self,
        session: Session,
        lines: list[OrderLine],
        orders: dict[str, _Known],
        customers: dict[Who, int],
    ) -> None:
        """One refund per line: its reference is made of what it says, so it arrives once."""
        by_reference: dict[str, list[OrderLine]] = defaultdict(list)
        for line in lines:
            by_reference[_refund_reference(line)].append(line)
        known = {
            row.reference: row.id
            for row in session.execute(
                select(Refund.reference, Refund.id).where(
                    Refund.source == self._plan.source, Refund.reference.in_(by_reference)
                )
            )
        }
        new = []
        for reference, same in by_reference.items():
            if reference in known:
                for line in same:
                    self._skip_known(line, known[reference] > (self._newest_refund or 0))
                continue
            first, *repeats = same
            for line in repeats:
                self._report.skip(REPEATED, line.row)
            amount = first.quantity * first.unit_price_minor
            if amount > LARGEST_TOTAL:
                self._report.skip("order too large", first.row)
                continue
            order = orders.get(first.returned_from or "")
            new.append(
                {
                    "order_id": order.id if order else None,
                    "customer_id": customers[first.who] if first.who else None,
                    "source": self._plan.source,
                    "reference": reference,
                    "amount_minor": amount,
                    "currency": self._plan.currency,
                    "at": first.placed_at,
                    "reason": first.description[:200] or None,
                }
            )
        if new:
            session.execute(
                insert(session, Refund).on_conflict_do_nothing(index_elements=["source", "reference"]), new
            )
        self._report.added["refunds"] += len(new)
        self._report.taken += len(new)

    def _skip_known(self, line: OrderLine, from_this_run: bool) -> None:
        self._report.skip(REPEATED if from_this_run else ALREADY, line.row)


def _tells_more(line: OrderLine, before: OrderLine) -> bool:
    """Whether a product is better described by this line: a sale, with a name and a price, the latest."""

    def rank(candidate: OrderLine) -> tuple[bool, bool, bool, object]:
        return (
            not candidate.refund,
            bool(candidate.description),
            candidate.unit_price_minor > 0,
            candidate.placed_at,
        )

    return rank(line) > rank(before)


def _refund_reference(line: OrderLine) -> str:
    said = "\0".join([line.sku, line.description, str(line.quantity), str(line.unit_price_minor)])
    digest = hashlib.sha256(f"{line.order}\0{said}".encode()).hexdigest()[:16]
    return f"{line.order[:43]}:{digest}"
