"""`back_in_stock`: a product that a customer waits for can be had again. Once for each time they asked."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from rapport.outreach.journeys.triggers.base import Found, Search, batches
from rapport.shop.models import Order, OrderItem, Product
from rapport.site.models import StockWish


def find(session: Session, search: Search) -> Iterator[list[Found]]:
    bought = (
        exists()
        .where(Order.customer_id == StockWish.customer_id, OrderItem.order_id == Order.id)
        .where(OrderItem.product_id == StockWish.product_id, Order.placed_at >= StockWish.asked_at)
    )
    query = (
        select(
            StockWish.id,
            StockWish.customer_id,
            StockWish.asked_at,
            Product.sku,
            StockWish.fulfilled_at.label("at"),
        )
        .join(Product, Product.id == StockWish.product_id)
        .where(
            StockWish.fulfilled_at > search.since,
            StockWish.fulfilled_at <= search.now,
            StockWish.customer_id.is_not(None),
            Product.stock > 0,  # and not gone again
            ~bought,
        )
    )
    for rows in batches(session, query, StockWish.fulfilled_at, StockWish.id):
        yield [
            Found(
                row.customer_id,
                f"wish:{row.id}:{int(row.asked_at.timestamp())}",
                row.at,
                {"sku": row.sku},
            )
            for row in rows
        ]
