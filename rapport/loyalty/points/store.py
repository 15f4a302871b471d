"""What is written about points, while the customer is locked: one movement, or many in few statements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import insert as plain_insert
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from rapport.kit.upsert import insert
from rapport.loyalty.points.models import (
    Account,
    Earning,
    Lot,
    LotMovement,
    Membership,
    Posting,
    Spending,
    TierChange,
    Transaction,
)
from rapport.loyalty.points.purse import SHOP, Credit, Entry, Purse
from rapport.loyalty.points.repository import CREDIT_COLUMNS

# As many rows as one statement adds at most.
CHUNK = 5_000


def write(session: Session, entries: Iterable[tuple[Purse, Entry]]) -> bool:
    """Store transactions with all that belongs to them; False when the only one's key is taken."""
    pairs = list(entries)
    if not pairs:
        return True
    if len(pairs) == 1:
        entry = pairs[0][1]
        entry.transaction_id = session.scalar(
            insert(session, Transaction)
            .values(_transaction(entry))
            .on_conflict_do_nothing(index_elements=["key"])
            .returning(Transaction.id)
        )
        if entry.transaction_id is None:
            return False
    else:
        ids = _insert_returning(session, Transaction, [_transaction(entry) for _, entry in pairs])
        for (_, entry), transaction_id in zip(pairs, ids, strict=True):
            entry.transaction_id = transaction_id
    _write_credits(session, pairs)
    _write_lots(session, pairs)
    shop = _shop_accounts(session)
    _insert(
        session,
        Posting,
        [
            {"transaction_id": entry.transaction_id, "account_id": account_id, "points": points}
            for purse, entry in pairs
            for account_id, points in [
                *(
                    (purse.account_ids.get(name) or shop[name], points)
                    for name, points in entry.postings.items()
                ),
                *entry.elsewhere,
            ]
        ],
    )
    _insert(
        session,
        LotMovement,
        [
            {"transaction_id": entry.transaction_id, "lot_id": lot.id, "points": points}
            for _, entry in pairs
            for lot, points in entry.movements
        ],
    )
    return True


def _transaction(entry: Entry) -> dict[str, object]:
    return {
        "key": entry.key,
        "kind": entry.kind,
        "fingerprint": entry.fingerprint,
        "points": entry.points,
        "balance": entry.balance,
        "reason": entry.reason,
        "order_id": entry.order_id,
        "about_id": entry.about_id,
        "reverses_id": entry.reverses_id,
        "at": entry.at,
    }


def _write_credits(session: Session, pairs: list[tuple[Purse, Entry]]) -> None:
    new = [(purse, entry, entry.credit) for purse, entry in pairs if entry.credit and entry.credit.id is None]
    rows: list[dict[str, object]] = [
        {column.key: getattr(credit, column.key) for column in CREDIT_COLUMNS if column.key != "id"}
        | {"transaction_id": entry.transaction_id, "account_id": purse.account_ids["points"]}
        for purse, entry, credit in new
    ]
    for (_, entry, credit), earning_id in zip(new, _insert_returning(session, Earning, rows), strict=True):
        credit.id, credit.transaction_id = earning_id, entry.transaction_id
        for lot in entry.opened:
            lot.earning_id = earning_id


def _write_lots(session: Session, pairs: list[tuple[Purse, Entry]]) -> None:
    opened = [(purse, lot) for purse, entry in pairs for lot in entry.opened]
    rows: list[dict[str, object]] = [
        {
            "account_id": purse.account_ids["points"],
            "earning_id": lot.earning_id,
            "points": lot.points,
            "expires_at": lot.expires_at,
        }
        for purse, lot in opened
    ]
    for (_, lot), lot_id in zip(opened, _insert_returning(session, Lot, rows), strict=True):
        lot.id = lot_id
    changed = {lot.id: lot for _, entry in pairs for lot in entry.changed}
    if changed:
        session.execute(
            update(Lot),
            [{"id": key, "lapsed": lot.lapsed, "expired_at": lot.expired_at} for key, lot in changed.items()],
        )


def _shop_accounts(session: Session) -> dict[str, int]:
    query = select(Account.name, Account.id).where(Account.name.in_(SHOP))
    found = {str(name): account_id for name, account_id in session.execute(query)}
    if len(found) < len(SHOP):
        session.execute(
            insert(session, Account).on_conflict_do_nothing(index_elements=["name"]),
            [{"kind": "shop", "name": name} for name in SHOP],
        )
        found = {str(name): account_id for name, account_id in session.execute(query)}
    return found


def _insert(
    session: Session, table: type[Posting] | type[LotMovement], rows: list[dict[str, object]]
) -> None:
    for start in range(0, len(rows), CHUNK):
        session.execute(plain_insert(table), rows[start : start + CHUNK])


def _insert_returning(
    session: Session, table: type[Transaction] | type[Earning] | type[Lot], rows: list[dict[str, object]]
) -> list[int]:
    if not rows:
        return []
    return list(session.scalars(plain_insert(table).returning(table.id, sort_by_parameter_order=True), rows))


def add_spending(
    session: Session,
    purse: Purse,
    entry: Entry,
    status: str,
    order_id: int | None = None,
    until: datetime | None = None,
) -> None:
    """Note what a transaction took out of the lots for."""
    session.execute(
        plain_insert(Spending).values(
            account_id=purse.account_ids["points"],
            transaction_id=entry.transaction_id,
            spent_id=entry.transaction_id if status == "spent" else None,
            order_id=order_id,
            points=entry.points,
            restored=0,
            status=status,
            until=until,
        )
    )


def change_spending(session: Session, spending_id: int, **values: object) -> None:
    """Set columns of a spending."""
    session.execute(
        update(Spending)
        .where(Spending.id == spending_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def save_credits(session: Session, changed: Iterable[Credit]) -> None:
    """Store how these earnings stand now."""
    rows = [
        {
            "id": credit.id,
            "taken_back": credit.taken_back,
            "matures_at": credit.matures_at,
            "matured_at": credit.matured_at,
        }
        for credit in changed
    ]
    if rows:
        session.execute(update(Earning), rows)


def move_states(session: Session, source: Purse, target: Purse) -> None:
    """Let the earnings, lots and spendings of one customer belong to another."""
    for table in (Earning, Lot, Spending):
        session.execute(
            update(table)
            .where(table.account_id == source.account_ids["points"])
            .values(account_id=target.account_ids["points"])
            .execution_options(synchronize_session=False)
        )


def set_merged(session: Session, from_id: int, into_id: int) -> None:
    """Note that a customer is now another one, and so is whoever was merged into them before."""
    session.execute(
        update(Membership)
        .where((Membership.customer_id == from_id) | (Membership.merged_into_id == from_id))
        .values(merged_into_id=into_id, tier=None, tier_review_at=None)
        .execution_options(synchronize_session=False)
    )


def mark_for_review(session: Session, customer_ids: Sequence[int], at: datetime) -> None:
    """Let the task look at these members' levels."""
    session.execute(
        update(Membership)
        .where(Membership.customer_id.in_(customer_ids))
        .values(tier_review_at=at)
        .execution_options(synchronize_session=False)
    )


def save_tiers(session: Session, rows: Sequence[tuple[int, str, datetime | None]]) -> None:
    """Store (customer, level, when to look at it again)."""
    session.execute(
        update(Membership),
        [{"customer_id": one, "tier": tier, "tier_review_at": review} for one, tier, review in rows],
    )


def add_tier_changes(session: Session, rows: Sequence[tuple[int, str, int, datetime]]) -> None:
    """Store (customer, new level, points of the window, when)."""
    session.execute(
        plain_insert(TierChange),
        [
            {"customer_id": one, "tier": tier, "window_points": points, "at": at}
            for one, tier, points, at in rows
        ],
    )
