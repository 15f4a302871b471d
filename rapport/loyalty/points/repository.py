"""All queries about points. What changes them runs while the customer is locked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, select, union_all
from sqlalchemy import insert as plain_insert
from sqlalchemy.orm import Session

from rapport.customers.models import Customer
from rapport.kit.upsert import insert
from rapport.loyalty.points.models import (
    Account,
    Earning,
    Lot,
    LotMovement,
    Membership,
    Posting,
    Spending,
    Transaction,
)
from rapport.loyalty.points.purse import OWN, Credit, Purse
from rapport.loyalty.points.purse import Lot as OpenLot
from rapport.loyalty.points.rules import Earned
from rapport.shop.models import Order, Refund

# (when something is due, its id, whose it is)
Due = tuple[datetime, int, int]


@dataclass(frozen=True)
class Spent:
    """A row of `spending`, with the keys of its transactions."""

    id: int
    customer_id: int
    transaction_id: int
    spent_id: int | None
    order_id: int | None
    points: int
    restored: int
    status: str
    until: datetime | None


# --- customers ---------------------------------------------------------------------------------------------


def lock_customers(session: Session, customer_ids: Sequence[int], skip_locked: bool = False) -> list[int]:
    """Keep others from moving these customers' points until the session's transaction ends.

    Returns those that exist (with `skip_locked`, that nobody else holds). Always in the order of their ids.
    On SQLite the writing transaction is lock enough.
    """
    query = select(Customer.id).where(Customer.id.in_(customer_ids)).order_by(Customer.id)
    return list(session.scalars(query.with_for_update(key_share=True, skip_locked=skip_locked)))


def merged_into(session: Session, customer_id: int) -> int | None:
    """Whom the customer was merged into."""
    return session.scalar(select(Membership.merged_into_id).where(Membership.customer_id == customer_id))


def purses(session: Session, customer_ids: Sequence[int]) -> dict[int, Purse]:
    """What these (locked) customers have; their accounts are made when there are none."""
    found = {customer_id: Purse(customer_id) for customer_id in customer_ids}
    _load_accounts(session, found)
    missing = [purse.customer_id for purse in found.values() if not purse.account_ids]
    if missing:
        session.execute(
            insert(session, Membership).on_conflict_do_nothing(),
            [{"customer_id": customer_id} for customer_id in missing],
        )
        session.execute(
            plain_insert(Account),
            [{"customer_id": one, "kind": kind, "balance": 0} for one in missing for kind in OWN],
        )
        _load_accounts(session, {customer_id: found[customer_id] for customer_id in missing})
    owners = {purse.account_ids["points"]: purse for purse in found.values()}
    rows = session.execute(select(*LOT_COLUMNS).where(Lot.account_id.in_(owners), Lot.remaining > 0))
    for row in rows:
        owners[row.account_id].lots.append(_lot(row))
    return found


def _load_accounts(session: Session, purses: dict[int, Purse]) -> None:
    rows = session.execute(
        select(Account.id, Account.customer_id, Account.kind, Account.balance).where(
            Account.customer_id.in_(purses)
        )
    )
    for row in rows:
        purses[row.customer_id].account_ids[row.kind] = row.id
        purses[row.customer_id].balances[row.kind] = row.balance


# --- look-ups ----------------------------------------------------------------------------------------------

LOT_COLUMNS = (
    Lot.id,
    Lot.account_id,
    Lot.earning_id,
    Lot.points,
    Lot.remaining,
    Lot.expires_at,
    Lot.expired_at,
    Lot.lapsed,
)


# Built once: building a statement costs more than running it, and everyone who chats waits for these.
_MINE = (Account.customer_id == bindparam("customer"), Account.kind == "points")
_ended = (
    select(func.coalesce(func.sum(Lot.remaining), 0))
    .where(Lot.account_id == Account.id, Lot.remaining > 0, Lot.expires_at <= bindparam("now"))
    .correlate(Account)
    .scalar_subquery()
)
_SPENDABLE = select(Account.balance - _ended).where(*_MINE)
_BALANCES = select(Account.kind, Account.balance).where(Account.customer_id == bindparam("customer"))
_OPEN_LOTS = (
    select(Lot.remaining, Lot.expires_at)
    .join(Account, Account.id == Lot.account_id)
    .where(*_MINE, Lot.remaining > 0)
    .order_by(Lot.expires_at, Lot.id)
)
_PENDING = (
    select(Earning.points - Earning.taken_back, Earning.matures_at)
    .join(Account, Account.id == Earning.account_id)
    .where(*_MINE, Earning.matured_at.is_(None))
)
_EARNED = (
    select(Account.customer_id, Earning.at, Earning.points, Earning.taken_back)
    .join(Account, Account.id == Earning.account_id)
    .where(
        Account.customer_id.in_(bindparam("customers", expanding=True)),
        Account.kind == "points",
        Earning.at > bindparam("since"),
    )
)


def _lot(row: Row[*tuple[Any, ...]]) -> OpenLot:
    return OpenLot(
        expires_at=row.expires_at,
        earning_id=row.earning_id,
        remaining=row.remaining,
        points=row.points,
        id=row.id,
        expired_at=row.expired_at,
        lapsed=row.lapsed,
    )


def spendable(session: Session, customer_id: int, now: datetime) -> int:
    """The customer's balance, less what has ended but was not yet taken by the task."""
    total = session.scalar(_SPENDABLE, {"customer": customer_id, "now": now})
    return int(total or 0)


def balances(session: Session, customer_id: int) -> dict[str, int]:
    """The customer's balances by account; empty when they have no accounts."""
    rows = session.execute(_BALANCES, {"customer": customer_id})
    return {row.kind: row.balance for row in rows}


def open_lots(session: Session, customer_id: int) -> list[tuple[int, datetime | None]]:
    """(points, end) of the customer's lots that are not used up."""
    rows = session.execute(_OPEN_LOTS, {"customer": customer_id})
    return [(row.remaining, row.expires_at) for row in rows]


def pending(session: Session, customer_id: int) -> list[tuple[int, datetime]]:
    """(points, when) of the customer's points that will become spendable."""
    rows = session.execute(_PENDING, {"customer": customer_id})
    return [(points, at) for points, at in rows if at is not None]


def earned(session: Session, customer_ids: Sequence[int], since: datetime) -> dict[int, list[Earned]]:
    """What these customers earned after a time, and what was taken back of it."""
    result: dict[int, list[Earned]] = {customer_id: [] for customer_id in customer_ids}
    rows = session.execute(_EARNED, {"customers": list(customer_ids), "since": since})
    for row in rows:
        result[row.customer_id].append(Earned(row.at, row.points, row.taken_back))
    return result


def transaction_by_key(session: Session, key: str) -> Transaction | None:
    """The transaction of that key."""
    return session.scalars(select(Transaction).where(Transaction.key == key)).one_or_none()


def transaction(session: Session, transaction_id: int) -> Transaction:
    """The transaction of that id."""
    return session.get_one(Transaction, transaction_id)


def release_of(session: Session, hold_id: int) -> Transaction:
    """The transaction that released a hold."""
    return session.scalars(
        select(Transaction).where(Transaction.about_id == hold_id, Transaction.kind == "release")
    ).one()


def owner_of(session: Session, transaction_id: int) -> int | None:
    """Whose earning or spending the transaction made; None when it made none."""
    earning = select(Earning.account_id).where(Earning.transaction_id == transaction_id)
    taken = select(Spending.account_id).where(Spending.transaction_id == transaction_id)
    spent = select(Spending.account_id).where(Spending.spent_id == transaction_id)
    return session.scalar(
        select(Account.customer_id).where(Account.id.in_(union_all(earning, taken, spent))).limit(1)
    )


def owners_of_order(session: Session, order_id: int, key: str) -> set[int]:
    """Whose points the order earned (by the transaction of that key) and who paid with points on it."""
    earning = (
        select(Earning.account_id)
        .join(Transaction, Transaction.id == Earning.transaction_id)
        .where(Transaction.key == key)
    )
    spent = select(Spending.account_id).where(Spending.order_id == order_id, Spending.status == "spent")
    owners = session.scalars(
        select(Account.customer_id).where(Account.id.in_(union_all(earning, spent))).distinct()
    )
    return {owner for owner in owners if owner is not None}


def history(session: Session, customer_id: int, limit: int) -> list[tuple[Transaction, dict[str, int]]]:
    """The customer's newest transactions, newest first, each with its postings to their accounts."""
    rows = session.execute(select(Account.id, Account.kind).where(Account.customer_id == customer_id))
    mine = {row.id: row.kind for row in rows}
    newest = (
        select(Posting.transaction_id)
        .where(Posting.account_id.in_(mine))
        .group_by(Posting.transaction_id)
        .order_by(Posting.transaction_id.desc())
        .limit(limit)
    )
    found = {
        transaction.id: (transaction, dict[str, int]())
        for transaction in session.scalars(
            select(Transaction).where(Transaction.id.in_(newest)).order_by(Transaction.id.desc())
        )
    }
    postings = session.execute(
        select(Posting.transaction_id, Posting.account_id, Posting.points).where(
            Posting.transaction_id.in_(found), Posting.account_id.in_(mine)
        )
    )
    for row in postings:
        found[row.transaction_id][1][mine[row.account_id]] = row.points
    return list(found.values())


# --- earnings and spendings --------------------------------------------------------------------------------

CREDIT_COLUMNS = (
    Earning.id,
    Earning.transaction_id,
    Earning.order_id,
    Earning.at,
    Earning.points,
    Earning.taken_back,
    Earning.rate_points,
    Earning.rate_per_minor,
    Earning.matures_at,
    Earning.matured_at,
    Earning.expires_at,
    Earning.valid_days,
)


def credit_of(session: Session, transaction_id: int) -> tuple[Credit, int] | None:
    """The earning of a transaction, and whose it is now."""
    row = session.execute(
        select(*CREDIT_COLUMNS, Account.customer_id)
        .join(Account, Account.id == Earning.account_id)
        .where(Earning.transaction_id == transaction_id)
    ).first()
    return (_credit(row), row.customer_id) if row else None


def _credit(row: Row[*tuple[Any, ...]]) -> Credit:
    return Credit(**{column.key: getattr(row, column.key) for column in CREDIT_COLUMNS})


def _due(session: Session, query: Select[*tuple[Any, ...]]) -> list[Due]:
    return [(row[0], row[1], row[2]) for row in session.execute(query)]


def due_credits(session: Session, now: datetime, after: tuple[datetime, int] | None, limit: int) -> list[Due]:
    """(due time, id, customer) of pending earnings that are due, the longest due first, from a place on."""
    query = (
        select(Earning.matures_at, Earning.id, Account.customer_id)
        .join(Account, Account.id == Earning.account_id)
        .where(Earning.matured_at.is_(None), Earning.matures_at <= now, Account.customer_id.is_not(None))
        .order_by(Earning.matures_at, Earning.id)
        .limit(limit)
    )
    if after:
        query = query.where(
            (Earning.matures_at > after[0]) | ((Earning.matures_at == after[0]) & (Earning.id > after[1]))
        )
    return _due(session, query)


def credits_by_id(session: Session, ids: Sequence[int]) -> dict[int, tuple[Credit, int]]:
    """These earnings by id, each with whose it is now."""
    rows = session.execute(
        select(*CREDIT_COLUMNS, Account.customer_id)
        .join(Account, Account.id == Earning.account_id)
        .where(Earning.id.in_(ids))
        .order_by(Earning.id)
    )
    return {row.id: (_credit(row), row.customer_id) for row in rows}


def delivery_times(session: Session, order_ids: Sequence[int]) -> dict[int, datetime]:
    """When these orders were delivered, as far as that is known."""
    rows = session.execute(
        select(Order.id, Order.delivered_at).where(Order.id.in_(order_ids), Order.delivered_at.is_not(None))
    )
    return {row.id: row.delivered_at for row in rows}


def refunded(session: Session, order_ids: Sequence[int]) -> dict[int, int]:
    """What was paid back on these orders, in minor units, as far as anything was."""
    rows = session.execute(
        select(Refund.order_id, func.sum(Refund.amount_minor))
        .where(Refund.order_id.in_(order_ids))
        .group_by(Refund.order_id)
    )
    return {order_id: int(total) for order_id, total in rows if order_id is not None}


def own_lots(session: Session, purse: Purse, earning_id: int | None) -> list[OpenLot]:
    """All lots of an earning, used up or not; those in the purse are the purse's own."""
    rows = session.execute(select(*LOT_COLUMNS).where(Lot.earning_id == earning_id).order_by(Lot.id))
    return [_in_purse(purse, _lot(row)) for row in rows]


def lots_taken(session: Session, purse: Purse, transaction_id: int) -> list[tuple[OpenLot, int]]:
    """(lot, points) a transaction took, in the order it took them; those in the purse are the purse's own."""
    rows = session.execute(
        select(*LOT_COLUMNS, LotMovement.points.label("moved"))
        .join(LotMovement, LotMovement.lot_id == Lot.id)
        .where(LotMovement.transaction_id == transaction_id, LotMovement.points < 0)
        .order_by(LotMovement.id)
    )
    return [(_in_purse(purse, _lot(row)), -row.moved) for row in rows]


def _in_purse(purse: Purse, lot: OpenLot) -> OpenLot:
    return next((one for one in purse.lots if one.id == lot.id), None) or _added(purse, lot)


def _added(purse: Purse, lot: OpenLot) -> OpenLot:
    purse.lots.append(lot)
    return lot


SPENT_COLUMNS = (
    Spending.id,
    Account.customer_id,
    Spending.transaction_id,
    Spending.spent_id,
    Spending.order_id,
    Spending.points,
    Spending.restored,
    Spending.status,
    Spending.until,
)


def spending_of(session: Session, transaction_id: int) -> Spent | None:
    """The spending that a transaction took out of lots, or spent."""
    # Two look-ups by index; an `or` may read the whole table.
    ids = union_all(
        select(Spending.id).where(Spending.transaction_id == transaction_id),
        select(Spending.id).where(Spending.spent_id == transaction_id),
    )
    row = session.execute(
        select(*SPENT_COLUMNS)
        .join(Account, Account.id == Spending.account_id)
        .where(Spending.id.in_(ids))
        .limit(1)
    ).first()
    return Spent(**row._mapping) if row else None


def spendings_on(session: Session, order_id: int) -> list[Spent]:
    """What was paid with on an order."""
    rows = session.execute(
        select(*SPENT_COLUMNS)
        .join(Account, Account.id == Spending.account_id)
        .where(Spending.order_id == order_id, Spending.status == "spent")
        .order_by(Spending.id)
    )
    return [Spent(**row._mapping) for row in rows]


def due_holds(session: Session, now: datetime, after: tuple[datetime, int] | None, limit: int) -> list[Due]:
    """(until, id, customer) of holds that ran out, the longest out first, from a place on."""
    query = (
        select(Spending.until, Spending.id, Account.customer_id)
        .join(Account, Account.id == Spending.account_id)
        .where(Spending.status == "held", Spending.until <= now, Account.customer_id.is_not(None))
        .order_by(Spending.until, Spending.id)
        .limit(limit)
    )
    if after:
        query = query.where(
            (Spending.until > after[0]) | ((Spending.until == after[0]) & (Spending.id > after[1]))
        )
    return _due(session, query)


def spendings(session: Session, ids: Sequence[int]) -> list[Spent]:
    """These spendings."""
    rows = session.execute(
        select(*SPENT_COLUMNS)
        .join(Account, Account.id == Spending.account_id)
        .where(Spending.id.in_(ids))
        .order_by(Spending.id)
    )
    return [Spent(**row._mapping) for row in rows]


def due_lots(session: Session, now: datetime, after: tuple[datetime, int] | None, limit: int) -> list[Due]:
    """(end, id, customer) of lots that ended with points in them, the first ended first, from a place on."""
    query = (
        select(Lot.expires_at, Lot.id, Account.customer_id)
        .join(Account, Account.id == Lot.account_id)
        .where(
            Lot.remaining > 0,
            Lot.expires_at.is_not(None),
            Lot.expires_at <= now,
            Account.customer_id.is_not(None),
        )
        .order_by(Lot.expires_at, Lot.id)
        .limit(limit)
    )
    if after:
        query = query.where(
            (Lot.expires_at > after[0]) | ((Lot.expires_at == after[0]) & (Lot.id > after[1]))
        )
    return _due(session, query)


# --- levels ------------------------------------------------------------------------------------------------


def tiers(session: Session, customer_ids: Sequence[int]) -> dict[int, tuple[str | None, datetime | None]]:
    """(level, when to look at it again) of these members."""
    rows = session.execute(
        select(Membership.customer_id, Membership.tier, Membership.tier_review_at).where(
            Membership.customer_id.in_(customer_ids)
        )
    )
    return {row.customer_id: (row.tier, row.tier_review_at) for row in rows}


def due_reviews(session: Session, now: datetime, after: int, limit: int) -> list[int]:
    """Members whose level may have sunk by now, in the order of their ids, from a place on."""
    return list(
        session.scalars(
            select(Membership.customer_id)
            .where(Membership.tier_review_at <= now, Membership.customer_id > after)
            .order_by(Membership.customer_id)
            .limit(limit)
        )
    )


# --- sums --------------------------------------------------------------------------------------------------


def totals(session: Session) -> dict[str, int]:
    """The sum of all customers' balances by kind of account."""
    rows = session.execute(
        select(Account.kind, func.sum(Account.balance)).where(Account.kind != "shop").group_by(Account.kind)
    )
    return {kind: int(points or 0) for kind, points in rows}
