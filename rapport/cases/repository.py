"""All queries on cases."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session

from rapport.cases.models import Case, CaseEvent
from rapport.channels.models import ContactPoint
from rapport.conversations.models import Message
from rapport.customers.models import Customer, Identity
from rapport.kit import clock
from rapport.value.models import CustomerValue

TABS = ("mine", "unassigned", "overdue", "open", "resolved")
PAGE = 50
# Beyond it a count is "more than": nobody needs it exactly, and it costs.
MOST_COUNTED = 1000
SHOWN_TEXT = 200

Position = tuple[datetime, int]  # the sorting time and id of the last case of a page


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to. `owner`: a member of staff's id. `since` and `until` are of opening."""

    kind: str | None = None
    topic: str | None = None
    owner: int | None = None
    language: str | None = None
    segment: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def get(session: Session, case_id: int) -> Case | None:
    return session.get(Case, case_id)


def by_key(session: Session, message_key: str) -> Case | None:
    return session.scalar(select(Case).where(Case.message_key == message_key))


def lock(session: Session, case_id: int) -> Case | None:
    """The case as it is now; nobody else changes it until the transaction ends."""
    return session.get(Case, case_id, with_for_update=True, populate_existing=True)


def open_calls(session: Session, customer_id: int, prefix: str) -> Sequence[int]:
    """A customer's call-backs still to be made whose keys begin like this."""
    query = select(Case.id).where(
        Case.customer_id == customer_id,
        Case.kind == "callback",
        Case.resolved_at.is_(None),
        Case.message_key.startswith(prefix, autoescape=True),
    )
    return session.scalars(query.order_by(Case.id)).all()


def add_event(
    session: Session,
    case: Case,
    kind: str,
    staff_id: int | None,
    text: str | None = None,
    **details: Any,
) -> None:
    """Adds a line to the case's history."""
    event = CaseEvent(
        case_id=case.id,
        version=case.version,
        at=clock.now(),
        staff_id=staff_id,
        kind=kind,
        text=text,
        details=details,
    )
    session.add(event)
    session.flush()


def history(session: Session, case_id: int, after_version: int = 0) -> Sequence[CaseEvent]:
    """What happened with a case, oldest first; all of it, or what is newer than a version."""
    query = select(CaseEvent).where(CaseEvent.case_id == case_id, CaseEvent.version > after_version)
    return session.scalars(query.order_by(CaseEvent.id)).all()


def whose(session: Session, case_ids: Collection[int]) -> dict[int, list[tuple[str, int | None, object]]]:
    """How each of these cases came to its customer and owner, oldest first: (what, who did it, to whom)."""
    query = select(CaseEvent).where(
        CaseEvent.case_id.in_(case_ids), CaseEvent.kind.in_(("opened", "customer", "assigned"))
    )
    found: dict[int, list[tuple[str, int | None, object]]] = {}
    for event in session.scalars(query.order_by(CaseEvent.id)):
        found.setdefault(event.case_id, []).append((event.kind, event.staff_id, event.details.get("after")))
    return found


def page(
    session: Session, tab: str, me: int, now: datetime, filters: Filters, after: Position | None = None
) -> Sequence[RowMapping]:
    """Up to `PAGE` + 1 cases of a tab: what is due first comes first; of what is resolved, the newest."""
    resolved = tab == "resolved"
    at = Case.resolved_at if resolved else Case.due_at
    query = select(
        Case.id,
        Case.kind,
        Case.topic,
        Case.status,
        Case.priority,
        Case.order_number,
        Case.rating,
        Case.language,
        Case.owner_id,
        Case.customer_id,
        Case.conversation_id,
        Case.opened_at,
        Case.due_at,
        Case.resolved_at,
        Case.outcome,
        Case.version,
        Case.contact,
        func.substr(Case.text, 1, SHOWN_TEXT).label("text"),
        Customer.name.label("customer"),
    ).outerjoin(Customer, Customer.id == Case.customer_id)
    query = query.where(_in_tab(tab, me, now), *_conditions(filters))
    if after is not None:
        here = tuple_(at, Case.id)
        query = query.where(here < after if resolved else here > after)
    order = (Case.resolved_at.desc(), Case.id.desc()) if resolved else (Case.due_at, Case.id)
    return session.execute(query.order_by(*order).limit(PAGE + 1)).mappings().all()


def counts(session: Session, me: int, now: datetime) -> dict[str, int]:
    """How many cases each tab has, up to `MOST_COUNTED`."""
    return {tab: _count(session, _in_tab(tab, me, now)) for tab in TABS}


def overdue_of(session: Session, me: int, now: datetime) -> int:
    """How many of somebody's own cases are overdue, up to `MOST_COUNTED`."""
    return _count(session, and_(_in_tab("mine", me, now), Case.due_at < now))


def _count(session: Session, which: ColumnElement[bool]) -> int:
    some = select(Case.id).where(which).limit(MOST_COUNTED).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def _in_tab(tab: str, me: int, now: datetime) -> ColumnElement[bool]:
    is_open = Case.resolved_at.is_(None)
    match tab:
        case "mine":
            return and_(is_open, Case.owner_id == me)
        case "unassigned":
            return and_(is_open, Case.owner_id.is_(None))
        case "overdue":
            return and_(is_open, Case.due_at < now)
        case "resolved":
            return Case.resolved_at.is_not(None)
        case _:
            return is_open


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    wanted = [
        column == value
        for column, value in (
            (Case.kind, filters.kind),
            (Case.topic, filters.topic),
            (Case.owner_id, filters.owner),
            (Case.language, filters.language),
        )
        if value is not None
    ]
    if filters.segment is not None:
        valued = exists().where(
            CustomerValue.customer_id == Case.customer_id, CustomerValue.segment == filters.segment
        )
        wanted.append(valued)
    if filters.since is not None:
        wanted.append(Case.opened_at >= filters.since)
    if filters.until is not None:
        wanted.append(Case.opened_at < filters.until)
    return wanted


def segments(session: Session) -> Sequence[str]:
    """The segments there are customers in."""
    query = select(CustomerValue.segment).distinct().order_by(CustomerValue.segment)
    return [segment for segment in session.scalars(query) if segment]


def of_conversation(session: Session, conversation_id: str, customer_id: int | None) -> Sequence[Case]:
    """The cases of a conversation and of its customer: the open ones first, the newest first."""
    whose = Case.conversation_id == conversation_id
    if customer_id is not None:
        whose = or_(whose, Case.customer_id == customer_id)
    query = select(Case).where(whose).order_by(Case.resolved_at.is_not(None), Case.id.desc()).limit(20)
    return session.scalars(query).all()


def latest_of(
    session: Session,
    conversation_id: str,
    customer_id: int | None,
    kinds: Sequence[str],
    resolved_since: datetime,
    limit: int = 5,
) -> Sequence[Case]:
    """The newest cases of a conversation or customer that are open or were resolved since then."""
    whose = Case.conversation_id == conversation_id
    if customer_id is not None:
        whose = or_(whose, Case.customer_id == customer_id)
    current = or_(Case.resolved_at.is_(None), Case.resolved_at >= resolved_since)
    query = select(Case).where(whose, Case.kind.in_(kinds), current).order_by(Case.id.desc()).limit(limit)
    return session.scalars(query).all()


def answered_requests(
    session: Session, customer_id: int, topic: str, order_number: str | None, since: datetime
) -> Sequence[Case]:
    """The customer's requests of a kind that were resolved since then, newest first; of one order or all."""
    query = select(Case).where(
        Case.customer_id == customer_id,
        Case.kind == "request",
        Case.topic == topic,
        Case.resolved_at >= since,
    )
    if order_number is not None:
        query = query.where(Case.order_number == order_number)
    return session.scalars(query.order_by(Case.id.desc())).all()


def last_heard(session: Session, conversation_id: str) -> datetime | None:
    """When the customer last wrote in a conversation."""
    query = select(Message.at).where(Message.conversation_id == conversation_id, Message.author == "customer")
    return session.scalar(query.order_by(Message.sequence.desc()).limit(1))


def contact_point(session: Session, conversation_id: str) -> ContactPoint | None:
    return session.scalar(select(ContactPoint).where(ContactPoint.conversation_id == conversation_id))


def verified_address(session: Session, customer_id: int) -> str | None:
    """The mail address a customer has last shown to be theirs."""
    query = (
        select(Identity.value)
        .where(
            Identity.customer_id == customer_id,
            Identity.kind == "email",
            Identity.verified_at.is_not(None),
        )
        .order_by(Identity.verified_at.desc(), Identity.id.desc())
        .limit(1)
    )
    return session.scalar(query)


def message_of(session: Session, case: Case) -> int | None:
    """The sequence number of the message that opened the case: its key holds the message's id."""
    parts = case.message_key.split(":")
    if case.conversation_id is None or len(parts) < 2 or not parts[1].isdigit():
        return None
    query = select(Message.sequence).where(
        Message.conversation_id == case.conversation_id, Message.id == int(parts[1])
    )
    return session.scalar(query)


def heard_while_waiting(session: Session, limit: int) -> Sequence[int]:
    """Cases that wait for the customer, who has written since: their ids."""
    asked = (
        select(func.max(CaseEvent.at)).where(CaseEvent.case_id == Case.id, CaseEvent.kind == "asked")
    ).scalar_subquery()
    heard = exists().where(
        Message.conversation_id == Case.conversation_id, Message.author == "customer", Message.at > asked
    )
    query = select(Case.id).where(Case.status == "waiting", heard).order_by(Case.id).limit(limit)
    return session.scalars(query).all()


def customer_by_address(session: Session, email: str) -> int | None:
    query = select(Identity.customer_id).where(Identity.kind == "email", Identity.value == email)
    return session.scalar(query)
