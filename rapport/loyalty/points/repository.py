"""All queries about points."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rapport.kit.upsert import insert
from rapport.loyalty.points.models import Account, Posting, Transaction


def customer_account(session: Session, customer_id: int) -> int:
    """Id of the customer's account, made when there is none."""
    session.execute(
        insert(session, Account)
        .values(customer_id=customer_id)
        .on_conflict_do_nothing(index_elements=["customer_id"])
    )
    return session.scalars(select(Account.id).where(Account.customer_id == customer_id)).one()


def shop_account(session: Session, name: str) -> int:
    """Id of one of the shop's own accounts, made when there is none."""
    session.execute(
        insert(session, Account).values(name=name).on_conflict_do_nothing(index_elements=["name"])
    )
    return session.scalars(select(Account.id).where(Account.name == name)).one()


def add_transaction(
    session: Session,
    key: str,
    kind: str,
    at: datetime,
    order_id: int | None = None,
    reverses_id: int | None = None,
) -> int | None:
    """Id of a new transaction, or None when there is one of that key already."""
    return session.scalar(
        insert(session, Transaction)
        .values(key=key, kind=kind, at=at, order_id=order_id, reverses_id=reverses_id)
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(Transaction.id)
    )


def transaction_by_key(session: Session, key: str, lock: bool = False) -> Transaction | None:
    """The transaction of that key; with `lock`, nobody else works on it until this session ends."""
    query = select(Transaction).where(Transaction.key == key)
    return session.scalars(query.with_for_update() if lock else query).one_or_none()


def balance(session: Session, customer_id: int) -> int:
    """The sum of all postings to the customer's account."""
    total = session.scalar(
        select(func.sum(Posting.points))
        .join(Account, Account.id == Posting.account_id)
        .where(Account.customer_id == customer_id)
    )
    return int(total or 0)


def points_on_order(session: Session, order_id: int, account_id: int, kind: str) -> int:
    """The sum of postings to an account by transactions of a kind on one order."""
    total = session.scalar(
        select(func.sum(Posting.points))
        .join(Transaction, Transaction.id == Posting.transaction_id)
        .where(Transaction.order_id == order_id, Transaction.kind == kind, Posting.account_id == account_id)
    )
    return int(total or 0)


def unbalanced_transactions(session: Session) -> list[int]:
    """Ids of transactions whose postings do not add up to zero, or that have none. Always empty."""
    return list(
        session.scalars(
            select(Transaction.id)
            .outerjoin(Posting, Posting.transaction_id == Transaction.id)
            .group_by(Transaction.id)
            .having((func.count(Posting.id) < 2) | (func.sum(Posting.points) != 0))
        )
    )
