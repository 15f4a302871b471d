"""Queries on all that is somebody's, in whatever table: for making two records one, and two again."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Table, select, update
from sqlalchemy.orm import Session

from rapport.kit.database import Base

Moved = dict[str, list[int | str]]

# What a prospect may have. Of topics they both like the prospect keeps theirs, and the customer's own wishes
# about contact count.
MOVED = ("identity", "consent_event", "conversation", "contact_point", "channel_link", "case", "verification")
# Whoever has any of these is more than a prospect: (table, column).
STANDING = (
    ("order", "customer_id"),
    ("external_ref", "customer_id"),
    ("account", "customer_id"),
    ("coupon", "customer_id"),
    ("referral", "referrer_id"),
    ("referral", "referee_id"),
)


def has_standing(session: Session, customer_id: int) -> bool:
    """Whether they have bought, have an account somewhere, points or codes, or a mail address."""
    for name, column in STANDING:
        owner = _table(name).c[column]
        if session.execute(select(owner).where(owner == customer_id).limit(1)).first():
            return True
    identity = _table("identity").c
    mail = select(identity.id).where(identity.customer_id == customer_id, identity.kind == "email").limit(1)
    return session.execute(mail).first() is not None


def give(session: Session, from_id: int, into_id: int) -> Moved:
    """Give all of one person's to another; returns the ids of what changed hands, by table."""
    moved = {name: _change(session, name, from_id, into_id) for name in MOVED}
    interest = _table("interest").c
    liked = select(interest.topic).where(interest.customer_id == into_id)
    moved["interest"] = _change(session, "interest", from_id, into_id, interest.topic.not_in(liked))
    policy = _table("contact_policy").c
    if session.execute(select(policy.customer_id).where(policy.customer_id == into_id)).first() is None:
        moved["contact_policy"] = _change(session, "contact_policy", from_id, into_id)
    session.expire_all()
    return {name: ids for name, ids in moved.items() if ids}


def give_back(session: Session, from_id: int, to_id: int, moved: Moved) -> None:
    """Give back what `give` gave, as far as `from_id` still has it."""
    for name, ids in moved.items():
        table = _table(name)
        _execute(
            session,
            update(table)
            .where(_key(table).in_(ids), table.c.customer_id == from_id)
            .values(customer_id=to_id),
        )
    session.expire_all()


def _change(
    session: Session, name: str, from_id: int, into_id: int, *also: ColumnElement[bool]
) -> list[int | str]:
    table = _table(name)
    ids = list(session.scalars(select(_key(table)).where(table.c.customer_id == from_id, *also)))
    if ids:
        _execute(session, update(table).where(_key(table).in_(ids)).values(customer_id=into_id))
    # A policy has no id of its own: it is found by whose it is.
    return [into_id] if ids and name == "contact_policy" else ids


def _key(table: Table) -> ColumnElement[Any]:
    return cast("ColumnElement[Any]", next(iter(table.primary_key.columns)))


def _table(name: str) -> Table:
    return Base.metadata.tables[name]


def _execute(session: Session, statement: Any) -> int:
    return cast("CursorResult[Any]", session.execute(statement)).rowcount
