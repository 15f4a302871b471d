"""What the shop sells and what was bought. Money is integer minor units with a currency."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from rapport.kit import clock
from rapport.kit.database import Base

ORDER_STATUSES = ("placed", "paid", "shipped", "delivered", "cancelled", "refunded")


class Product(Base):
    """A thing on sale. `cost_minor` is what the shop pays for it, where known."""

    __tablename__ = "product"

    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(String(60), unique=True)
    category: Mapped[str | None] = mapped_column(String(80), index=True)
    price_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    cost_minor: Mapped[int | None]
    stock: Mapped[int | None]
    image: Mapped[str | None] = mapped_column(String(500))
    url: Mapped[str | None] = mapped_column(String(500))

    texts: Mapped[list[ProductText]] = relationship(cascade="all, delete-orphan")


class ProductText(Base):
    """A product's name and description in one language."""

    __tablename__ = "product_text"

    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True)
    language: Mapped[str] = mapped_column(String(2), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")


class Order(Base):
    """An order; `source` and `number` together are its name (an import file, a shop)."""

    __tablename__ = "order"
    __table_args__ = (
        UniqueConstraint("source", "number"),
        Index("ix_order_customer_placed", "customer_id", "placed_at"),
        Index("ix_order_number", "number"),
        Index("ix_order_placed_at", "placed_at"),
        Index("ix_order_delivered_at", "delivered_at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(60))
    number: Mapped[str] = mapped_column(String(60))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    status: Mapped[str] = mapped_column(String(12))
    currency: Mapped[str] = mapped_column(String(3))
    total_minor: Mapped[int]
    placed_at: Mapped[datetime]
    shipped_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    expected_at: Mapped[datetime | None]
    carrier: Mapped[str | None] = mapped_column(String(60))
    tracking_number: Mapped[str | None] = mapped_column(String(80))

    items: Mapped[list[OrderItem]] = relationship(
        cascade="all, delete-orphan", order_by="OrderItem.line", back_populates="order"
    )
    refunds: Mapped[list[Refund]] = relationship(cascade="all, delete-orphan")


class OrderItem(Base):
    """One line of an order. `line` is its place in it."""

    __tablename__ = "order_item"
    __table_args__ = (UniqueConstraint("order_id", "line"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("order.id"))
    line: Mapped[int]
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"), index=True)
    sku: Mapped[str] = mapped_column(String(60))
    description: Mapped[str] = mapped_column(String(300), default="")
    quantity: Mapped[int]
    unit_price_minor: Mapped[int]

    order: Mapped[Order] = relationship(back_populates="items")


class Refund(Base):
    """Money given back on an order, whole or in part; `reference` makes it arrive once."""

    __tablename__ = "refund"
    __table_args__ = (UniqueConstraint("source", "reference"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("order.id"), index=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    source: Mapped[str] = mapped_column(String(60))
    reference: Mapped[str] = mapped_column(String(60))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    at: Mapped[datetime]
    reason: Mapped[str | None] = mapped_column(String(200))


class ImportRun(Base):
    """One run of an import: what file, and what came of its rows."""

    __tablename__ = "import_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    file_name: Mapped[str] = mapped_column(String(300))
    started_at: Mapped[datetime] = mapped_column(default=clock.now)
    finished_at: Mapped[datetime | None]
    report: Mapped[str | None] = mapped_column(Text)
