"""All queries about offers, coupons and who may be given one.

In PostgreSQL locks are taken in one order: the customer's row, then the coupon's, then the offer's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, and_, case, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from rapport.cases.models import Case
from rapport.conversations.models import Conversation
from rapport.customers.models import ConsentEvent, Customer
from rapport.customers.rules import NEWSLETTER
from rapport.kit.upsert import insert
from rapport.loyalty.offers import lookups
from rapport.loyalty.offers.models import GOOD, Coupon, CouponEvent, Offer
from rapport.loyalty.referrals.models import ReferralCode
from rapport.shop.models import Order, OrderItem, Product, ProductText
from rapport.shop.repository import PAID, PAID_STATUSES

# How many values one statement takes.
MANY = 500
# A customer asks for a discount: what they paid for with points is no answer, and a present is none first.
_NO_ANSWER_FIRST = case((Coupon.occasion == "points", 2), (Coupon.kind == "gift", 1), else_=0)


def lock_customer(session: Session, customer_id: int) -> bool:
    """Keep others from deciding about the same customer until this session ends; False if there is none.

    (On SQLite the session's write transaction does that already.)
    """
    query = select(Customer.id).where(Customer.id == customer_id).with_for_update(key_share=True)
    return session.scalar(query) is not None


def lock_free_customers(session: Session, ids: Sequence[int]) -> list[int]:
    """Those of the customers nobody else decides about right now, locked; the others' turn comes later."""
    query = select(Customer.id).where(Customer.id.in_(ids)).order_by(Customer.id)
    return list(session.scalars(query.with_for_update(key_share=True, skip_locked=True)))


def lock_mailbox(session: Session, customer_id: int) -> bool:
    """Like `lock_customer`, with all who share a mailbox with them, so that only one of them is new at once.

    For a session that has locked nobody yet.
    """
    query = select(Customer.id).where(Customer.id.in_(lookups.same_mailbox(session, customer_id)))
    locked = session.scalars(query.order_by(Customer.id).with_for_update(key_share=True))
    return customer_id in set(locked)


def has_open_complaint(session: Session, customer_id: int) -> bool:
    """Whether a complaint of theirs is not settled, also one made before we knew who they are."""
    talks = select(Conversation.id).where(Conversation.customer_id == customer_id)
    whose = or_(Case.customer_id == customer_id, Case.conversation_id.in_(talks))
    query = select(Case.id).where(whose, Case.kind == "complaint", Case.resolved_at.is_(None)).limit(1)
    return session.scalar(query) is not None


def consent_to(session: Session, customer_id: int, purpose: str) -> ConsentEvent | None:
    """The newest agreement to a purpose, on any channel, that was not withdrawn on that channel since."""
    events = session.scalars(
        select(ConsentEvent)
        .where(ConsentEvent.customer_id == customer_id, ConsentEvent.purpose == purpose)
        .order_by(ConsentEvent.at, ConsentEvent.id)
    )
    latest = {event.channel: event for event in events}
    granted = [event for event in latest.values() if event.granted]
    return max(granted, key=lambda event: (event.at, event.id), default=None)


def coupon_for_message(session: Session, customer_id: int, message_key: str) -> Coupon | None:
    """The code the customer got in answer to a message."""
    return session.scalar(
        select(Coupon).where(Coupon.customer_id == customer_id, Coupon.message_key == message_key).limit(1)
    )


def live_coupons(session: Session, customer_id: int, now: datetime) -> Sequence[Coupon]:
    """The customer's codes that are still good: discounts before presents before what points bought, the
    higher first.
    """
    return session.scalars(
        select(Coupon)
        .where(Coupon.customer_id == customer_id, Coupon.state.in_(GOOD), Coupon.expires_at > now)
        .order_by(_NO_ANSWER_FIRST, Coupon.percent.desc(), Coupon.amount_minor.desc(), Coupon.id)
    ).all()


def take(session: Session, offer_id: int, cost_minor: int) -> bool:
    """Count one more code of the offer and set aside what it can cost; False when the cap or the budget does
    not allow it. Check and count are one step.
    """
    return _one(
        session,
        update(Offer)
        .where(Offer.id == offer_id, Offer.active)
        .where(or_(Offer.cap.is_(None), Offer.used < Offer.cap))
        .where(_within_budget(cost_minor))
        .values(used=Offer.used + 1, spent_minor=Offer.spent_minor + cost_minor),
    )


def spend(session: Session, offer_id: int, more_minor: int) -> bool:
    """Add to what the offer cost (or take off, below 0); False when the budget does not allow it."""
    if more_minor == 0:
        return True
    room = _within_budget(more_minor) if more_minor > 0 else Offer.id == offer_id
    return _one(
        session,
        update(Offer).where(Offer.id == offer_id, room).values(spent_minor=Offer.spent_minor + more_minor),
    )


def has_budget(session: Session, offer_id: int) -> bool:
    """Whether the offer's cost is limited, as it stays until this session ends."""
    query = select(Offer.budget_minor).where(Offer.id == offer_id).with_for_update()
    return session.scalar(query) is not None


def _within_budget(more_minor: int) -> ColumnElement[bool]:
    return or_(Offer.budget_minor.is_(None), Offer.spent_minor + more_minor <= Offer.budget_minor)


def _one(session: Session, statement: Any) -> bool:
    result = session.execute(statement.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", result).rowcount == 1


def next_sequence(session: Session, offer_id: int, customer_id: int) -> int:
    """The number of the customer's next coupon of this offer, from 1."""
    last = session.scalar(
        select(func.max(Coupon.sequence)).where(
            Coupon.offer_id == offer_id, Coupon.customer_id == customer_id
        )
    )
    return (last or 0) + 1


def add_coupon(session: Session, values: dict[str, Any]) -> int | None:
    """Store a coupon; None when the code is in use."""
    return session.scalar(
        insert(session, Coupon)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["code"])
        .returning(Coupon.id)
    )


def coupon_by_grant(session: Session, grant_key: str) -> Coupon | None:
    """The coupon that was given for an occasion."""
    return session.scalar(select(Coupon).where(Coupon.grant_key == grant_key))


def owner_of(session: Session, code: str) -> int | None:
    """Whose a code is; None when nobody issued it."""
    return session.scalar(select(Coupon.customer_id).where(Coupon.code == code))


def coupon_by_code(session: Session, code: str, lock: bool = False) -> Coupon | None:
    """The coupon; with `lock`, nobody else works on it until this session ends."""
    query = select(Coupon).where(Coupon.code == code).execution_options(populate_existing=True)
    return session.scalar(query.with_for_update() if lock else query)


def stackings(session: Session, codes: Sequence[str]) -> dict[str, str]:
    """The stacking group of each of these codes that we issued."""
    rows = session.execute(select(Coupon.code, Coupon.stacking).where(Coupon.code.in_(codes)))
    return {row.code: row.stacking for row in rows}


def event_by_key(session: Session, kind: str, key: str) -> CouponEvent | None:
    return session.scalar(select(CouponEvent).where(CouponEvent.kind == kind, CouponEvent.key == key))


def add_event(session: Session, values: dict[str, Any]) -> bool:
    """Append what happened; False when that key was used for it before."""
    added = session.scalar(
        insert(session, CouponEvent)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["kind", "key"])
        .returning(CouponEvent.id)
    )
    return added is not None


def product(session: Session, sku: str) -> Product | None:
    return session.scalar(select(Product).where(Product.sku == sku))


def costs(session: Session, skus: Sequence[str]) -> dict[str, int]:
    """What the shop pays for each of these products, where that is known."""
    rows = session.execute(
        select(Product.sku, Product.cost_minor).where(Product.sku.in_(skus), Product.cost_minor.is_not(None))
    )
    return {row.sku: row.cost_minor for row in rows}


def due_coupons(session: Session, ended_before: datetime, limit: int) -> list[tuple[int, int]]:
    """(customer, coupon) of good codes whose end has passed, the oldest first."""
    rows = session.execute(
        select(Coupon.customer_id, Coupon.id)
        .where(Coupon.state.in_(GOOD), Coupon.expires_at <= ended_before)
        .order_by(Coupon.expires_at)
        .limit(limit)
    )
    return [(row.customer_id, row.id) for row in rows]


def coupon_by_id(session: Session, coupon_id: int) -> Coupon:
    """The coupon, locked."""
    query = select(Coupon).where(Coupon.id == coupon_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def coupons_to_speak_of(session: Session, customer_id: int, now: datetime) -> Sequence[Coupon]:
    """The codes the customer may be told of: those that are good, and those they used."""
    good = and_(Coupon.state.in_(GOOD), Coupon.expires_at > now)
    query = select(Coupon).where(Coupon.customer_id == customer_id, or_(Coupon.state == "redeemed", good))
    return session.scalars(query).all()


def offer_rows(session: Session) -> dict[str, Offer]:
    """All offers by key, locked against being used meanwhile, always in the same order."""
    rows = session.scalars(select(Offer).order_by(Offer.id).with_for_update())
    return {offer.key: offer for offer in rows}


def offer_keys(session: Session) -> set[str]:
    """The keys of all offers there ever were."""
    return set(session.scalars(select(Offer.key)))


def good_codes(session: Session, key: str, now: datetime) -> int:
    """How many codes of an offer are good."""
    query = (
        select(func.count(Coupon.id))
        .join(Offer, Offer.id == Coupon.offer_id)
        .where(Offer.key == key, Coupon.state.in_(GOOD), Coupon.expires_at > now)
    )
    return session.scalar(query) or 0


def without_limit(session: Session, offer_id: int) -> int:
    """How many good codes of the offer may cost any sum."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Coupon)
            .where(
                Coupon.offer_id == offer_id,
                Coupon.state.in_(GOOD),
                Coupon.kind == "percent",
                Coupon.max_discount_minor.is_(None),
            )
        )
        or 0
    )


def not_granted(
    session: Session, due: Sequence[tuple[int, str, dict[str, int]]]
) -> list[tuple[int, str, dict[str, int]]]:
    """Those whose occasion has no coupon yet, in the same order."""
    granted: set[str | None] = set()
    keys = [grant_key for _, grant_key, _ in due]
    for first in range(0, len(keys), MANY):
        query = select(Coupon.grant_key).where(Coupon.grant_key.in_(keys[first : first + MANY]))
        granted.update(session.scalars(query))
    return [one for one in due if one[1] not in granted]


def born_on(session: Session, days: Sequence[tuple[int, int]]) -> list[int]:
    """Customers whose birthday is on one of these (month, day)."""
    month, day = func.extract("month", Customer.birthday), func.extract("day", Customer.birthday)
    query = select(Customer.id).where(
        Customer.birthday.is_not(None), or_(*(and_(month == m, day == d) for m, d in days))
    )
    return list(session.scalars(query.order_by(Customer.id)))


def first_ordered(session: Session, start: datetime, end: datetime) -> list[int]:
    """Customers whose first order that was paid and kept is of [start, end)."""
    earlier = aliased(Order)
    before = (
        select(earlier.id)
        .where(
            earlier.customer_id == Order.customer_id,
            earlier.placed_at < start,
            earlier.status.in_(PAID_STATUSES),
        )
        .exists()
    )
    query = (
        select(Order.customer_id)
        .where(Order.placed_at >= start, Order.placed_at < end, PAID, Order.customer_id.is_not(None), ~before)
        .distinct()
        .order_by(Order.customer_id)
    )
    return [customer_id for customer_id in session.scalars(query) if customer_id is not None]


def agreed_customers(session: Session) -> list[int]:
    """Customers who ever agreed to the newsletter; whether they still do is looked at one by one."""
    query = (
        select(ConsentEvent.customer_id)
        .where(ConsentEvent.purpose == NEWSLETTER, ConsentEvent.granted)
        .distinct()
        .order_by(ConsentEvent.customer_id)
    )
    return list(session.scalars(query))


def agreed_among(session: Session, ids: Sequence[int]) -> set[int]:
    """Those of the customers who ever agreed to the newsletter."""
    query = select(ConsentEvent.customer_id).where(
        ConsentEvent.customer_id.in_(ids), ConsentEvent.purpose == NEWSLETTER, ConsentEvent.granted
    )
    return set(session.scalars(query))


def settled_complaints(session: Session, since: datetime, until: datetime) -> list[tuple[int, int]]:
    """(case, customer) of complaints settled in (since, until], the oldest first."""
    owner = func.coalesce(Case.customer_id, Conversation.customer_id)
    rows = session.execute(
        select(Case.id, owner.label("customer_id"))
        .outerjoin(Conversation, Conversation.id == Case.conversation_id)
        .where(Case.kind == "complaint", Case.resolved_at > since, Case.resolved_at <= until)
        .where(owner.is_not(None))
        .order_by(Case.resolved_at)
    )
    return [(row.id, row.customer_id) for row in rows]


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
