"""All queries on mentions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    RowMapping,
    and_,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.channels.models import ContactPoint
from rapport.customers.models import Customer
from rapport.kit.upsert import add_once
from rapport.mentions import rules
from rapport.mentions.models import Mention, MentionAnswer, MentionSource

PAGE = 50
# Beyond it a count is "more than": nobody needs it exactly, and it costs.
MOST_COUNTED = 1000
SHOWN_TEXT = 300

Position = tuple[datetime, int]  # the time and id of the last mention of a page


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to."""

    kind: str | None = None
    source: str | None = None
    state: str | None = None


def get(session: Session, mention_id: int) -> Mention | None:
    return session.get(Mention, mention_id)


def lock(session: Session, mention_id: int) -> Mention | None:
    """The mention as it is now; nobody else changes it until the transaction ends."""
    return session.get(Mention, mention_id, with_for_update=True, populate_existing=True)


def lock_named(session: Session, source: str, source_id: str) -> Mention | None:
    """The same, by the source's name for it."""
    query = select(Mention).where(Mention.source == source, Mention.source_id == source_id)
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).first()


def of_case(session: Session, case_id: int) -> Mention | None:
    """The mention a case was opened for."""
    return session.scalars(select(Mention).where(Mention.case_id == case_id).order_by(Mention.id)).first()


def case_of(session: Session, mention: Mention) -> Case | None:
    """The case that was opened for a mention."""
    return session.get(Case, mention.case_id) if mention.case_id is not None else None


def contact_point(session: Session, mention: Mention) -> ContactPoint | None:
    """Where the mention's author is reached in a messaging app, if the account there is the same."""
    channel = rules.CHANNEL_OF.get(mention.source)
    if channel is None or not mention.author_id:
        return None
    query = select(ContactPoint).where(
        ContactPoint.channel == channel, ContactPoint.address == mention.author_id
    )
    return session.scalars(query).first()


def linked_before(session: Session, mention: Mention) -> Mention | None:
    """The newest mention of the same account of which staff said whose it is."""
    if not mention.author_id:
        return None
    query = select(Mention).where(
        _same_author(mention), Mention.customer_id.is_not(None), Mention.linked_by.is_not(None)
    )
    return session.scalars(query.order_by(Mention.id.desc()).limit(1)).first()


def of_author(session: Session, mention: Mention) -> Sequence[Mention]:
    """Everything of the same account that is nobody's yet."""
    if not mention.author_id:
        return []
    return session.scalars(select(Mention).where(_same_author(mention), Mention.customer_id.is_(None))).all()


def last_answered(session: Session, mention: Mention) -> datetime | None:
    """When an answer to the same account was last decided."""
    if not mention.author_id:
        return None
    query = select(func.max(MentionAnswer.created_at)).join(Mention, Mention.id == MentionAnswer.mention_id)
    return session.scalar(query.where(_same_author(mention)))


def has_trouble(session: Session, mention: Mention) -> bool:
    """Whether something of the same account or customer is not settled: a complaint here or anywhere."""
    whose = [_same_author(mention)] if mention.author_id else []
    if mention.customer_id is not None:
        open_case = exists().where(
            Case.customer_id == mention.customer_id,
            Case.kind.in_(("complaint", "mention")),
            Case.resolved_at.is_(None),
        )
        if session.scalar(select(open_case)):
            return True
        whose.append(Mention.customer_id == mention.customer_id)
    if not whose:
        return False
    return bool(session.scalar(select(exists().where(or_(*whose), _unsettled_complaint()))))


def has_unsettled_complaint(session: Session, customer_id: int, now: datetime) -> bool:
    """Whether there is one of this customer."""
    found = exists().where(Mention.customer_id == customer_id, Mention.at <= now, _unsettled_complaint())
    return bool(session.scalar(select(found)))


def _unsettled_complaint() -> ColumnElement[bool]:
    open_case = exists().where(Case.id == Mention.case_id, Case.resolved_at.is_(None))
    untouched = and_(Mention.case_id.is_(None), Mention.state == "new", Mention.removed_at.is_(None))
    return and_(Mention.kind == "complaint", or_(open_case, untouched))


def _same_author(mention: Mention) -> ColumnElement[bool]:
    return and_(Mention.source == mention.source, Mention.author_id == mention.author_id)


# --- the list ----------------------------------------------------------------------------------------------


def page(session: Session, filters: Filters, after: Position | None = None) -> Sequence[RowMapping]:
    """Up to `PAGE` + 1 mentions, the newest first."""
    query = select(
        Mention.id,
        Mention.source,
        Mention.author,
        Mention.language,
        Mention.url,
        Mention.at,
        Mention.kind,
        Mention.confidence,
        Mention.state,
        Mention.case_id,
        Mention.customer_id,
        Mention.removed_at,
        func.substr(Mention.text, 1, SHOWN_TEXT).label("text"),
        Case.owner_id,
        Customer.name.label("customer"),
    )
    query = query.outerjoin(Case, Case.id == Mention.case_id)
    query = query.outerjoin(Customer, Customer.id == Mention.customer_id).where(*_conditions(filters))
    if after is not None:
        query = query.where(tuple_(Mention.at, Mention.id) < after)
    query = query.order_by(Mention.at.desc(), Mention.id.desc()).limit(PAGE + 1)
    return session.execute(query).mappings().all()


def count_new(session: Session) -> int:
    """How many nobody has looked at, up to `MOST_COUNTED`."""
    some = select(Mention.id).where(Mention.state == "new").limit(MOST_COUNTED).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def any_at_all(session: Session) -> bool:
    return session.scalar(select(Mention.id).limit(1)) is not None


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    given = ((Mention.kind, filters.kind), (Mention.source, filters.source), (Mention.state, filters.state))
    return [column == value for column, value in given if value]


# --- answers -----------------------------------------------------------------------------------------------


def answers_of(session: Session, mention_id: int) -> Sequence[MentionAnswer]:
    """Every answer to a mention, the oldest first."""
    query = select(MentionAnswer).where(MentionAnswer.mention_id == mention_id)
    return session.scalars(query.order_by(MentionAnswer.id)).all()


def something_due(session: Session, now: datetime, sources: Collection[str]) -> bool:
    return session.scalar(select(MentionAnswer.id).where(_due(now, sources)).limit(1)) is not None


def claim(
    session: Session, now: datetime, lease_until: datetime, sources: Collection[str]
) -> tuple[MentionAnswer, bool] | None:
    """Take the next answer that is due for oneself, and whether a kill left it half sent."""
    query = select(MentionAnswer).where(_due(now, sources))
    query = query.order_by(MentionAnswer.next_attempt_at, MentionAnswer.id).limit(1)
    # SQLite leaves the lock out, and lets one writer in at a time.
    answer = session.scalars(query.with_for_update(skip_locked=True)).first()
    if answer is None:
        return None
    in_doubt = answer.status == "sending"
    answer.status, answer.lease_until = "sending", lease_until
    answer.attempts += 1
    session.flush()
    return answer, in_doubt


def release(session: Session, answer_id: int, lease_until: datetime, **values: Any) -> bool:
    """Write down what became of a claimed answer; False when the lease was lost to another."""
    changed = session.execute(
        update(MentionAnswer)
        .where(MentionAnswer.id == answer_id, MentionAnswer.lease_until == lease_until)
        .values(lease_until=None, **values)
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[Any]", changed).rowcount == 1


def cancel(session: Session, mention_id: int, why: str, by_itself: bool = False) -> None:
    """Give up what nobody has in hand; `by_itself`: only what no person wrote."""
    waiting = [MentionAnswer.mention_id == mention_id, MentionAnswer.status == "queued"]
    if by_itself:
        waiting.append(MentionAnswer.staff_id.is_(None))
    session.execute(
        update(MentionAnswer)
        .where(*waiting)
        .values(status="cancelled", last_error=why)
        .execution_options(synchronize_session=False)
    )


def _due(now: datetime, sources: Collection[str]) -> ColumnElement[bool]:
    queued = and_(MentionAnswer.status == "queued", MentionAnswer.next_attempt_at <= now)
    left = and_(MentionAnswer.status == "sending", MentionAnswer.lease_until < now)
    return and_(MentionAnswer.source.in_(sources), or_(queued, left))


# --- sources -----------------------------------------------------------------------------------------------


def source(session: Session, name: str) -> MentionSource:
    """How far a source was read."""
    found = session.get(MentionSource, name)
    if found is None:
        add_once(session, MentionSource(name=name, cursor={}))
        found = session.get_one(MentionSource, name)
    return found


def seen_sources(session: Session) -> dict[str, MentionSource]:
    """What is known of each source, by name."""
    return {one.name: one for one in session.scalars(select(MentionSource))}


def longest_unchecked(session: Session, name: str, now: datetime) -> Sequence[Mention]:
    """The mentions of a source whose author may have changed something since we looked."""
    query = select(Mention).where(
        Mention.source == name,
        Mention.removed_at.is_(None),
        Mention.at > now - rules.WATCHED_FOR,
        Mention.checked_at < now - rules.LOOK_AGAIN_AFTER,
    )
    return session.scalars(query.order_by(Mention.checked_at, Mention.id).limit(rules.LOOKED_AT)).all()
