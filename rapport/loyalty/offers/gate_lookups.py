"""What the gate has to know of the shop, and of who is spoken to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from rapport.loyalty.offers.models import Coupon
from rapport.loyalty.referrals.models import ReferralCode
from rapport.shop.models import Order, OrderItem, Product, ProductText

# How many values one statement takes.
MANY = 500
# What a promise has in it somewhere, as far as a database can tell; the rest `promises` tells.
_SIGNS = (
    *("%", "％", "٪", "‰", "percent", "per cent", "pro cent", "prosent", "prozent", "procent", "por cien"),
    *("por 100", "la sut", "pct", "pour cent", "off", "discount", "rabatt", "avslag", "descuento", "rebaja"),
    *("reducer", "menos", "mai pu", "coupon", "voucher", "cup", "kupong", "sav", "spar", "ahorr", "economis"),
    *("half", "halv", "mitad", "medio", "jum", "third", "quarter", "fifth", "tenth", "1/", "½", "¼", "terci"),
    *("cuart", "quint", "tredjedel", "fjerdedel", "femtedel", "tidel", "kvart", "treime", "sfert", "cime"),
)


def _may_promise(column: Any) -> ColumnElement[bool]:
    return or_(*(column.icontains(sign, autoescape=True) for sign in _SIGNS))


def product_texts_with_promises(session: Session) -> list[str]:
    """Names and descriptions of products in which something stands that a promise is known by."""
    found: list[str] = []
    for column in (ProductText.name, ProductText.description):
        found += session.scalars(select(column).where(_may_promise(column))).all()
    return found


def skus_like_codes(session: Session, prefix: str) -> list[str]:
    """The SKUs that begin as codes do."""
    return list(session.scalars(select(Product.sku).where(Product.sku.istartswith(prefix, autoescape=True))))


def lines_with_promises(session: Session, customer_id: int) -> list[str]:
    """How the lines of the customer's own orders are called, where that looks like a promise."""
    query = (
        select(OrderItem.description)
        .join(Order, Order.id == OrderItem.order_id)
        .where(Order.customer_id == customer_id, _may_promise(OrderItem.description))
    )
    return list(session.scalars(query.distinct()))


def order_marks(session: Session, customer_id: int, prefix: str) -> set[str]:
    """What on the customer's own orders may look like a code: their numbers, those to track them by, and the
    SKUs on them.
    """
    own = Order.customer_id == customer_id
    found = {
        mark
        for row in session.execute(select(Order.number, Order.tracking_number).where(own))
        for mark in row
    }
    skus = (
        select(OrderItem.sku)
        .join(Order, Order.id == OrderItem.order_id)
        .where(own, OrderItem.sku.istartswith(prefix, autoescape=True))
    )
    return {mark for mark in (*found, *session.scalars(skus)) if mark}


def issued_among(session: Session, codes: Sequence[str]) -> set[str]:
    """Those of these codes, as they are stored, that somebody was given: to use, or for friends."""
    found: set[str] = set()
    for first in range(0, len(codes), MANY):
        some = codes[first : first + MANY]
        found.update(session.scalars(select(Coupon.code).where(Coupon.code.in_(some))))
        found.update(session.scalars(select(ReferralCode.code).where(ReferralCode.code.in_(some))))
    return found
