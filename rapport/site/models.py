"""What a browser of somebody who agreed to it told us, and who waits for what is sold out."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from rapport.kit import clock
from rapport.kit.database import Base

WAITING: dict[str, Any] = {
    "sqlite_where": text("fulfilled_at IS NULL"),
    "postgresql_where": text("fulfilled_at IS NULL"),
}


class SiteVisitor(Base):
    """A browser, by the hash of the random id it made for itself; it is one customer's at most.

    `forgotten_at`: its person took their consent back. The id stays for a while, so that what was still
    under way is not kept either.
    """

    __tablename__ = "site_visitor"

    id: Mapped[int] = mapped_column(primary_key=True)
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    seen_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    forgotten_at: Mapped[datetime | None]


class SiteEvent(Base):
    """Something done on the site (`rules.KINDS`). No more is kept than triggers need: of each product one
    view a day, of carts, check-outs and sign-ups the visitor's last.

    `cart`: `items` (sku, quantity) and `url` of a cart; None when it is empty.
    """

    __tablename__ = "site_event"
    __table_args__ = (
        UniqueConstraint("visitor_id", "kind", "product_id", "day"),
        Index("ix_site_event_kind", "kind", "at", "id"),
        Index("ix_site_event_customer", "customer_id", "kind", "at"),
        Index("ix_site_event_at", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    visitor_id: Mapped[int] = mapped_column(ForeignKey("site_visitor.id"))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    kind: Mapped[str] = mapped_column(String(10))
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"), index=True)
    day: Mapped[date]
    at: Mapped[datetime]
    cart: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class StockWish(Base):
    """Somebody wants to be told when a product can be had again.

    A customer, or whoever has `email`: that one becomes the customer's when they have confirmed that it was
    they (rapport/preferences), and is dropped otherwise. `seen_out`: it has been sold out since they asked;
    `fulfilled_at`: when it was found in stock after that.
    """

    __tablename__ = "stock_wish"
    __table_args__ = (
        UniqueConstraint("product_id", "customer_id"),
        UniqueConstraint("product_id", "email"),
        Index("ix_stock_wish_waiting", "product_id", **WAITING),
        Index("ix_stock_wish_fulfilled_at", "fulfilled_at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    email: Mapped[str | None] = mapped_column(String(320))
    source: Mapped[str] = mapped_column(String(20))
    asked_at: Mapped[datetime] = mapped_column(default=clock.now)
    seen_out: Mapped[bool] = mapped_column(default=True)
    fulfilled_at: Mapped[datetime | None]
