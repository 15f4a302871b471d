"""Queries on all that is somebody's, in whatever table: for making two records one, and two again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, Table, delete, exists, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

# Importing the models fills Base.metadata: a table it lacks would not be looked at.
import rapport.channels.models
import rapport.conversations.models
import rapport.loyalty.offers.models
import rapport.loyalty.points.models
import rapport.loyalty.referrals.models
import rapport.mentions.models
import rapport.outreach.journeys.models
import rapport.outreach.models
import rapport.outreach.policy.models
import rapport.preferences.models
import rapport.shop.models
import rapport.site.models
import rapport.value.models  # noqa: F401
from rapport.customers import repository
from rapport.kit.database import Base

Ids = list[int | str]

# What a prospect may have, and what changes hands. Of what there can be once of a customer (what they like, a
# product they wait for, a journey they were sent on for the same reason) the prospect keeps their own where
# both have it; how they want to be contacted becomes one (refusals.py).
MOVED = (
    "identity",
    "consent_event",
    "conversation",
    "contact_point",
    "channel_link",
    "case",
    "mention",
    "outbox",
    "verification",
    # What they were sent counts for how often they may be written to.
    "contact_decision",
    "site_visitor",
    "site_event",
    "subscription",
)
ONCE = ("interest", "stock_wish")
POLICY = "contact_policy"
# An entry, and its steps, which go with it.
JOURNEY, STEP = "journey_entry", "journey_step"
# Somebody with one of these is known for more than writing from an app. As such a one is merged into nobody,
# none of it ever changes hands: what they bought and were paid back, the account they have in a shop, their
# points and level, what they were given, whom they brought along or who brought them, what that makes them
# worth, and who was merged into them.
STANDING_KINDS = ("email", "phone")
STANDING = (
    *(("order", "customer_id"), ("refund", "customer_id"), ("external_ref", "customer_id")),
    *(("account", "customer_id"), ("membership", "customer_id"), ("membership", "merged_into_id")),
    *(("tier_history", "customer_id"), ("coupon", "customer_id"), ("customer_value", "customer_id")),
    *(("referral", "referrer_id"), ("referral", "referee_id"), ("referral_code", "customer_id")),
    ("customer_merge", "into_id"),
)
# Having been merged is nothing that somebody has.
PAST = ("customer_merge", "from_id")


def has_standing(session: Session, customer_id: int) -> bool:
    """Whether there is anything of theirs that a prospect cannot have: a mail address or number, an order, an
    account in a shop, points, codes, somebody who was merged into them …
    """
    identity = _table("identity").c
    theirs = [exists().where(_table(name).c[column] == customer_id) for name, column in STANDING]
    known = exists().where(identity.customer_id == customer_id, identity.kind.in_(STANDING_KINDS))
    return bool(session.scalar(select(or_(known, *theirs))))


def lock(session: Session, customer_ids: Collection[int], points: Ids, conversations: Ids) -> None:
    """Keep others from these customers, contact points and conversations, and from the points' conversations.

    In the order in which messages take the same locks, so that nobody waits for each other.
    """
    point, conversation = _table("contact_point").c, _table("conversation").c
    held = session.scalars(
        select(point.conversation_id).where(point.id.in_(points)).order_by(point.id).with_for_update()
    ).all()
    session.execute(
        select(conversation.id)
        .where(conversation.id.in_({*conversations, *held}))
        .order_by(conversation.id)
        .with_for_update(key_share=True)
    )
    for customer_id in sorted(customer_ids):
        repository.lock_customer(session, customer_id)


def ids_of(session: Session, name: str, customer_id: int) -> Ids:
    """The ids of what somebody has in a table."""
    table = _table(name)
    mine = table.c.customer_id == customer_id
    return list(session.scalars(select(_key(table)).where(mine).order_by(_key(table))))


def give(session: Session, from_id: int, into_id: int) -> dict[str, Ids]:
    """Give all of one person's to another; returns the ids of what changed hands, by table."""
    _take_from_conversations(session, from_id)
    moved = {name: ids_of(session, name, from_id) for name in MOVED}
    for name, ids in moved.items():
        _hand_over(session, name, ids, from_id, into_id)
    _forget_fulfilled(session, from_id, into_id)
    for name in ONCE:
        moved[name] = _hand_over_each(session, name, ids_of(session, name, from_id), from_id, into_id)
    moved[JOURNEY] = _hand_over_journeys(session, ids_of(session, JOURNEY, from_id), from_id, into_id)
    session.expire_all()
    return {name: ids for name, ids in moved.items() if ids}


def give_back(session: Session, from_id: int, to_id: int, moved: Mapping[str, Ids]) -> None:
    """Give back what `give` gave, as far as `from_id` still has it.

    What was somebody's conversation is nobody's until they show again who they are.
    """
    for name in MOVED:
        if name == "contact_point":
            _part(session, moved.get(name, []), from_id)
        _hand_over(session, name, moved.get(name, []), from_id, to_id)
    for name in ONCE:
        _hand_over_each(session, name, moved.get(name, []), from_id, to_id)
    _hand_over_journeys(session, moved.get(JOURNEY, []), from_id, to_id)
    session.expire_all()


def has_stopped(session: Session, customer_id: int) -> bool:
    """Whether they said STOP in one of their apps."""
    point = _table("contact_point").c
    return bool(
        session.scalar(
            select(exists().where(point.customer_id == customer_id, point.stopped_at.is_not(None)))
        )
    )


def _take_from_conversations(session: Session, customer_id: int) -> None:
    """What was said in a person's apps before anybody knew who they are is theirs."""
    point, case = _table("contact_point"), _table("case")
    talks = session.scalars(select(point.c.conversation_id).where(point.c.customer_id == customer_id)).all()
    for conversation_id in talks:
        repository.move_interests(session, conversation_id, customer_id)
    session.execute(
        update(case)
        .where(case.c.conversation_id.in_(talks), case.c.customer_id.is_(None))
        .values(customer_id=customer_id)
    )


def _part(session: Session, points: Ids, customer_id: int) -> None:
    """These apps, as far as they are still the customer's, do not show any more who somebody is."""
    point, conversation = _table("contact_point"), _table("conversation")
    theirs = (point.c.id.in_(points), point.c.customer_id == customer_id)
    talks = session.scalars(select(point.c.conversation_id).where(*theirs)).all()
    session.execute(update(point).where(*theirs).values(linked_at=None))
    session.execute(
        update(conversation)
        .where(conversation.c.id.in_(talks), conversation.c.customer_id == customer_id)
        .values(customer_id=None, verified_until=None)
    )


def _hand_over(session: Session, name: str, ids: Sequence[int | str], from_id: int, to_id: int) -> None:
    table = _table(name)
    values: dict[str, Any] = {"customer_id": to_id}
    if name == "conversation":
        values["verified_until"] = None
    if ids:
        session.execute(
            update(table).where(_key(table).in_(ids), table.c.customer_id == from_id).values(values)
        )


def _hand_over_each(session: Session, name: str, ids: Sequence[int | str], from_id: int, to_id: int) -> Ids:
    """One by one: what the other has as well, perhaps since this very moment, stays."""
    handed = []
    for one in ids:
        try:
            with session.begin_nested():
                _hand_over(session, name, [one], from_id, to_id)
        except IntegrityError:
            continue
        handed.append(one)
    return handed


def _forget_fulfilled(session: Session, from_id: int, into_id: int) -> None:
    """Who was told of a product before waits for it once more, if the other does."""
    wish = _table("stock_wish")
    waits = select(wish.c.product_id).where(wish.c.customer_id == from_id, wish.c.fulfilled_at.is_(None))
    session.execute(
        delete(wish).where(
            wish.c.customer_id == into_id,
            wish.c.fulfilled_at.is_not(None),
            wish.c.product_id.in_(waits),
        )
    )


def _hand_over_journeys(session: Session, ids: Sequence[int | str], from_id: int, to_id: int) -> Ids:
    """One by one, each with its steps: what the other is on for the same reason stays, and reaches nobody."""
    step, handed = _table(STEP), []
    for entry_id in ids:
        steps = select(step.c.id).where(step.c.entry_id == entry_id).order_by(step.c.id)
        try:
            with session.begin_nested():
                _hand_over(session, JOURNEY, [entry_id], from_id, to_id)
                _hand_over(session, STEP, session.scalars(steps).all(), from_id, to_id)
        except IntegrityError:
            continue
        handed.append(entry_id)
    return handed


def _key(table: Table) -> ColumnElement[Any]:
    return cast("ColumnElement[Any]", next(iter(table.primary_key.columns)))


def _table(name: str) -> Table:
    return Base.metadata.tables[name]
