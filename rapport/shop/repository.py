"""All queries about products and orders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Subquery, bindparam, case, distinct, exists, func, or_, select, union
from sqlalchemy.orm import Session, selectinload

from rapport.shop.models import ImportRun, Order, OrderItem, Product, ProductText, Refund

KEPT = Order.status.not_in(["cancelled", "refunded"])
# An order nobody has paid may never be: it earns nothing.
PAID_STATUSES = ("paid", "shipped", "delivered")
PAID = Order.status.in_(PAID_STATUSES)
AVAILABLE = or_(Product.stock.is_(None), Product.stock > 0)


# Built once: everyone who chats waits for these.
_ORDERS_OF = (
    select(Order)
    .where(Order.customer_id == bindparam("customer"))
    .order_by(Order.placed_at.desc(), Order.id.desc())
    .options(selectinload(Order.items), selectinload(Order.refunds))
)
_RECENT = _ORDERS_OF.limit(bindparam("count"))
_ORDER = _ORDERS_OF.where(Order.id == bindparam("order"))


def recent_orders(session: Session, customer_id: int, limit: int) -> Sequence[Order]:
    """The customer's newest orders, newest first."""
    return session.scalars(_RECENT, {"customer": customer_id, "count": limit}).all()


def order_numbers(session: Session, customer_id: int) -> list[tuple[int, str]]:
    """(id, number) of all orders of the customer, newest first."""
    rows = session.execute(
        select(Order.id, Order.number)
        .where(Order.customer_id == customer_id)
        .order_by(Order.placed_at.desc(), Order.id.desc())
    )
    return [(row.id, row.number) for row in rows]


def order_of_customer(session: Session, customer_id: int, order_id: int) -> Order | None:
    """The order, if it is this customer's."""
    return session.scalars(_ORDER, {"customer": customer_id, "order": order_id}).one_or_none()


def refunded_minor(session: Session, order_id: int) -> int:
    """What was paid back on the order so far, in minor units."""
    total = session.scalar(select(func.sum(Refund.amount_minor)).where(Refund.order_id == order_id))
    return int(total or 0)


def refunds_of(session: Session, customer_id: int) -> list[tuple[Refund, str | None]]:
    """(refund, its order's number) of all the customer got back, newest first."""
    # Two look-ups by index; an `or` over both tables would read all refunds.
    own = union(
        select(Refund.id).where(Refund.customer_id == customer_id),
        select(Refund.id).join(Order, Order.id == Refund.order_id).where(Order.customer_id == customer_id),
    )
    rows = session.execute(
        select(Refund, Order.number)
        .outerjoin(Order, Order.id == Refund.order_id)
        .where(Refund.id.in_(own))
        .order_by(Refund.at.desc(), Refund.id.desc())
    )
    return [(refund, number) for refund, number in rows]


def products_by_sku(session: Session, skus: Sequence[str]) -> dict[str, Product]:
    """The products of these SKUs, as far as they exist."""
    products = session.scalars(select(Product).where(Product.sku.in_(skus)))
    return {product.sku: product for product in products}


def product_names(session: Session, language: str, skus: Sequence[str]) -> dict[str, str]:
    """Name by sku in `language`, of those that have one."""
    rows = session.execute(
        select(Product.sku, ProductText.name)
        .join(ProductText, ProductText.product_id == Product.id)
        .where(ProductText.language == language, Product.sku.in_(skus))
    )
    return {row.sku: row.name for row in rows}


def names_in(session: Session, category: str, language: str) -> list[tuple[str, str]]:
    """(sku, name) of every product of a category, in `language`."""
    rows = session.execute(
        select(Product.sku, ProductText.name)
        .join(ProductText, ProductText.product_id == Product.id)
        .where(ProductText.language == language, Product.category == category)
        .order_by(Product.sku)
    )
    return [(row.sku, row.name) for row in rows]


def all_product_names(session: Session) -> list[tuple[str, str]]:
    """(sku, name) of every product in every language."""
    rows = session.execute(
        select(Product.sku, ProductText.name)
        .join(ProductText, ProductText.product_id == Product.id)
        .order_by(Product.id, ProductText.language)
    )
    return [(row.sku, row.name) for row in rows]


def product_by_sku(session: Session, sku: str) -> Product | None:
    """The product with its texts."""
    return session.scalars(
        select(Product).where(Product.sku == sku).options(selectinload(Product.texts))
    ).one_or_none()


def products_state(session: Session) -> tuple[int, int, datetime | None]:
    """Something cheap that changes when products are added, removed or imported."""
    count, newest = session.execute(select(func.count(Product.id), func.max(Product.id))).one()
    return count, newest or 0, session.scalar(select(func.max(ImportRun.finished_at)))


def products_in(session: Session, language: str, limit: int) -> list[tuple[Product, ProductText]]:
    """The first products with their texts in `language`."""
    rows = session.execute(
        select(Product, ProductText)
        .join(ProductText, ProductText.product_id == Product.id)
        .where(ProductText.language == language)
        .order_by(Product.id)
        .limit(limit)
    )
    return [(product, text) for product, text in rows]


def products_with_texts(session: Session, skus: Sequence[str]) -> dict[str, Product]:
    """The products of these SKUs, as far as they exist, with their texts."""
    products = session.scalars(
        select(Product).where(Product.sku.in_(skus)).options(selectinload(Product.texts))
    )
    return {product.sku: product for product in products}


def skus_in(session: Session, category: str, limit: int) -> list[str]:
    """The first products of a category, what can be had before what is sold out."""
    return list(
        session.scalars(
            select(Product.sku)
            .where(Product.category == category)
            .order_by(case((AVAILABLE, 0), else_=1), Product.id)
            .limit(limit)
        )
    )


def skus_to_be_had(
    session: Session, categories: Sequence[str], limit: int, without: Sequence[str] = ()
) -> list[str]:
    """The first products of these categories that can be had."""
    return list(
        session.scalars(
            select(Product.sku)
            .where(Product.category.in_(categories), Product.sku.not_in(without), AVAILABLE)
            .order_by(Product.id)
            .limit(limit)
        )
    )


def categories_sold(session: Session) -> set[str]:
    """The categories of all products."""
    found = session.scalars(select(Product.category).where(Product.category.is_not(None)).distinct())
    return {category for category in found if category}


def skus_kept(session: Session, customer_id: int) -> set[str]:
    """What the customer bought and did not cancel or give back with the whole order."""
    return set(
        session.scalars(
            select(OrderItem.sku)
            .join(Order, Order.id == OrderItem.order_id)
            .where(Order.customer_id == customer_id, KEPT)
            .distinct()
        )
    )


def skus_returned(session: Session, customer_id: int, numbers: Sequence[str] = ()) -> set[str]:
    """What stood in the customer's orders that were paid back, in whole or in part, and in those of these
    `numbers`. Which part of an order went back is not known, so all of it counts.
    """
    came_back = exists().where(Refund.order_id == Order.id)
    return set(
        session.scalars(
            select(OrderItem.sku)
            .join(Order, Order.id == OrderItem.order_id)
            .where(
                Order.customer_id == customer_id,
                or_(Order.status == "refunded", came_back, Order.number.in_(numbers)),
            )
            .distinct()
        )
    )


def times_bought(session: Session, skus: Sequence[str], since: datetime, newest: int) -> dict[str, int]:
    """In how many of the `newest` orders since then each of these products is; none without any."""
    counted = _counted(since, newest)
    rows = session.execute(
        select(Product.sku, counted.c.times)
        .join(counted, counted.c.product_id == Product.id)
        .where(Product.sku.in_(skus))
    )
    return {row.sku: row.times for row in rows}


def bought_most(
    session: Session,
    categories: Sequence[str],
    since: datetime,
    newest: int,
    limit: int,
    without: Sequence[str] = (),
) -> list[str]:
    """What of these categories can be had and is in most of the `newest` orders since then."""
    counted = _counted(since, newest)
    return list(
        session.scalars(
            select(Product.sku)
            .join(counted, counted.c.product_id == Product.id)
            .where(Product.category.in_(categories), Product.sku.not_in(without), AVAILABLE)
            .order_by(counted.c.times.desc(), Product.id)
            .limit(limit)
        )
    )


def _counted(since: datetime, newest: int) -> Subquery:
    """How often (`times`) each product was bought. The newest orders are enough to tell, however many there
    are.
    """
    recent = (
        select(Order.id)
        .where(Order.placed_at >= since, KEPT)
        .order_by(Order.placed_at.desc())
        .limit(newest)
        .subquery()
    )
    return (
        select(OrderItem.product_id, func.count(distinct(OrderItem.order_id)).label("times"))
        .join(recent, recent.c.id == OrderItem.order_id)
        .group_by(OrderItem.product_id)
        .subquery()
    )


def bought_along(
    session: Session,
    sku: str,
    since: datetime,
    buyers: int,
    at_least: int,
    limit: int,
    without: Sequence[str] = (),
    customer_id: int | None = None,
) -> list[str]:
    """What the newest `buyers` of a product bought beside it since then and can be had, most buyers first.

    Only what at least so many different people took; `customer_id` is none of them. What is of the same
    category comes last: who has a tent needs no second one.
    """
    seed = select(Product.id).where(Product.sku == sku).scalar_subquery()
    kind = select(Product.category).where(Product.sku == sku).scalar_subquery()
    people = (
        select(Order.customer_id)
        .join(OrderItem, OrderItem.order_id == Order.id)
        .where(OrderItem.product_id == seed, Order.placed_at >= since, KEPT)
        .where(Order.customer_id.is_not(None), Order.customer_id.is_distinct_from(customer_id))
        .order_by(OrderItem.id.desc())
        .limit(buyers)
        .subquery()
    )
    takers = func.count(distinct(Order.customer_id))
    return list(
        session.scalars(
            select(Product.sku)
            .join(OrderItem, OrderItem.product_id == Product.id)
            .join(Order, Order.id == OrderItem.order_id)
            .where(Order.customer_id.in_(select(people.c.customer_id)), Order.placed_at >= since, KEPT)
            .where(Product.sku != sku, Product.sku.not_in(without), AVAILABLE)
            .group_by(Product.id, Product.sku, Product.category)
            .having(takers >= at_least)
            .order_by(case((Product.category == kind, 1), else_=0), takers.desc(), Product.id)
            .limit(limit)
        )
    )
