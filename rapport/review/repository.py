"""All queries behind the list of conversations: what is listed, and what is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    TableClause,
    TextClause,
    and_,
    column,
    func,
    literal_column,
    or_,
    select,
    table,
    text,
    tuple_,
)
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.conversations.models import Conversation, Message
from rapport.customers.models import Customer, Identity
from rapport.insight.models import Satisfaction
from rapport.notes.models import ConversationTag
from rapport.review.filters import NOBODY, RATINGS, Filters, Place
from rapport.review.models import FirstView, SavedView
from rapport.review.words import Query
from rapport.shop.models import Order
from rapport.value.models import CustomerValue

# Word for word the conditions of the indexes, or SQLite does not use them.
NOT_WITH_BOT = text("conversation.status <> 'bot'")
OPEN_COMPLAINT = text('"case".kind = \'complaint\' AND "case".resolved_at IS NULL')
Condition = ColumnElement[bool] | TextClause
MOST_PEOPLE = 200
ADDRESSES = ("email", "phone", "telegram", "whatsapp", "messenger")


@dataclass(frozen=True)
class Match:
    """A message that is found; `listed`: its conversation passes the filters."""

    message_id: int
    conversation_id: str
    listed: bool


def conditions(
    filters: Filters, staff_id: int | None, start: datetime | None, end: datetime | None
) -> list[Condition]:
    """What `filters` ask of a conversation, but for words; `staff_id` is who `me` is."""
    found: list[Condition] = [Conversation.last_sequence > 0]
    for wanted, value in (
        (Conversation.channel, filters.channel),
        (Conversation.language, filters.language),
        (Conversation.status, filters.status),
        (Conversation.customer_id, filters.customer),
    ):
        if value is not None:
            found.append(wanted == value)
    if filters.status not in {None, "bot"}:
        found.append(NOT_WITH_BOT)
    if filters.intent is not None:
        found.append(Conversation.intents.contains(f",{filters.intent},", autoescape=True))
    if filters.below is not None:
        found.append(Conversation.lowest_confidence < filters.below)
    if filters.missed:
        found.append(Conversation.not_understood.is_(True))
    if filters.complaint:
        found.append(Conversation.id.in_(select(Case.conversation_id).where(OPEN_COMPLAINT)))
    if filters.rating is not None:
        rated = select(Satisfaction.conversation_id).where(
            Satisfaction.score.between(*RATINGS[filters.rating])
        )
        found.append(Conversation.id.in_(rated))
    if filters.segment is not None:
        people = select(CustomerValue.customer_id).where(CustomerValue.segment == filters.segment)
        found.append(Conversation.customer_id.in_(people))
    if filters.tag is not None:
        tagged = select(ConversationTag.conversation_id).where(ConversationTag.tag == filters.tag)
        found.append(Conversation.id.in_(tagged))
    if filters.assignee == NOBODY:
        found.append(Conversation.assigned_to.is_(None))
    elif filters.assignee is not None:
        who = int(filters.assignee) if filters.assignee.isdigit() else staff_id
        found.append(Conversation.assigned_to == who)
    if start is not None:
        found.append(Conversation.updated_at >= start)
    if end is not None:
        found.append(Conversation.updated_at < end)
    return found


def listed(session: Session, which: Sequence[Condition], place: Place | None, limit: int) -> list[str]:
    """Ids of conversations from a place on, the newest first; with `place.newer`, the oldest first."""
    key = tuple_(Conversation.updated_at, Conversation.id)
    query = select(Conversation.id).where(*which).limit(limit)
    if place is not None and place.newer:
        query = query.where(key > (place.at, place.id))
        return list(session.scalars(query.order_by(Conversation.updated_at, Conversation.id)))
    if place is not None:
        query = query.where(key < (place.at, place.id))
    return list(session.scalars(query.order_by(Conversation.updated_at.desc(), Conversation.id.desc())))


def count(session: Session, which: Sequence[Condition], most: int) -> int:
    """How many conversations there are, counted up to `most`."""
    some = select(Conversation.id).where(*which).limit(most)
    return session.scalar(select(func.count()).select_from(some.subquery())) or 0


def any_conversation(session: Session) -> bool:
    return session.scalar(select(Conversation.id).where(Conversation.last_sequence > 0).limit(1)) is not None


def rows(session: Session, ids: Sequence[str]) -> dict[str, tuple[Conversation, Message | None, str | None]]:
    """(conversation, its last message, its customer's name) by the conversation's id."""
    query = (
        select(Conversation, Message, Customer.name)
        .outerjoin(
            Message,
            and_(
                Message.conversation_id == Conversation.id,
                Message.sequence == Conversation.last_sequence,
            ),
        )
        .outerjoin(Customer, Customer.id == Conversation.customer_id)
        .where(Conversation.id.in_(ids))
    )
    return {row[0].id: (row[0], row[1], row[2]) for row in session.execute(query)}


def addresses(session: Session, customer_ids: set[int]) -> dict[int, list[str]]:
    """The addresses of mail of customers that have some, the first known first."""
    query = (
        select(Identity.customer_id, Identity.value)
        .where(Identity.customer_id.in_(customer_ids), Identity.kind == "email")
        .order_by(Identity.id)
    )
    found: dict[int, list[str]] = {}
    for customer_id, value in session.execute(query):
        found.setdefault(customer_id, []).append(value)
    return found


def with_open_complaint(session: Session, ids: Sequence[str]) -> set[str]:
    query = select(Case.conversation_id).where(Case.conversation_id.in_(ids), OPEN_COMPLAINT)
    return {found for found in session.scalars(query) if found is not None}


def tags(session: Session, ids: Sequence[str]) -> dict[str, list[str]]:
    """The tags of conversations, by their ids."""
    query = select(ConversationTag.conversation_id, ConversationTag.tag).where(
        ConversationTag.conversation_id.in_(ids)
    )
    found: dict[str, list[str]] = {}
    for conversation_id, tag in session.execute(query.order_by(ConversationTag.tag)):
        found.setdefault(conversation_id, []).append(tag)
    return found


def all_tags(session: Session, limit: int) -> Sequence[str]:
    """Tags in use, by the alphabet."""
    return session.scalars(
        select(ConversationTag.tag).distinct().order_by(ConversationTag.tag).limit(limit)
    ).all()


def counts(session: Session, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """(messages, those without an answer yet) of conversations, by their ids."""
    query = (
        select(Message.conversation_id, func.count(), func.count().filter(Message.status == "received"))
        .where(Message.conversation_id.in_(ids))
        .group_by(Message.conversation_id)
    )
    return {row[0]: (row[1], row[2]) for row in session.execute(query)}


def matches(
    session: Session,
    query: Query,
    which: Sequence[Condition],
    before: int | None,
    limit: int,
) -> list[Match]:
    """The next messages that a query finds, the newest first; no more are looked at than `limit`."""
    index = _index(session, "message")
    found = select(index.key).where(index.finds(query)).order_by(index.key.desc()).limit(limit)
    if before is not None:
        found = found.where(index.key < before)
    some = found.subquery()
    passes = and_(*which)
    statement = (
        select(Message.id, Message.conversation_id, passes)
        .select_from(some)
        .join(Message, Message.id == some.c[0])
        .join(Conversation, Conversation.id == Message.conversation_id)
        .order_by(Message.id.desc())
    )
    return [Match(row[0], row[1], bool(row[2])) for row in session.execute(statement)]


def texts(session: Session, message_ids: Sequence[int]) -> dict[int, Message]:
    """Messages by their ids."""
    return {row.id: row for row in session.scalars(select(Message).where(Message.id.in_(message_ids)))}


def texts_since(session: Session, ids: Sequence[str], message_id: int) -> list[tuple[str, str | None]]:
    """(conversation, text) of what was said in these conversations from a message on."""
    query = select(Message.conversation_id, Message.text).where(
        Message.conversation_id.in_(ids), Message.id >= message_id, Message.text.is_not(None)
    )
    return [(row[0], row[1]) for row in session.execute(query)]


def owners(session: Session, ids: Sequence[str]) -> dict[str, tuple[str | None, int | None, int | None]]:
    """(customer's name, who of the staff has it, the customer) of conversations, by their ids."""
    query = (
        select(Conversation.id, Customer.name, Conversation.assigned_to, Conversation.customer_id)
        .outerjoin(Customer, Customer.id == Conversation.customer_id)
        .where(Conversation.id.in_(ids))
    )
    return {row[0]: (row[1], row[2], row[3]) for row in session.execute(query)}


def by_number(session: Session, number: str, which: Sequence[Condition], limit: int) -> Sequence[str]:
    """Conversations of whom this order is, or that opened this case, or a case about this order."""
    people = select(Order.customer_id).where(Order.number == number, Order.customer_id.is_not(None))
    about = Case.order_number == number
    if number.isdecimal() and len(number) < 10:
        about = or_(about, Case.id == int(number))
    cases = select(Case.conversation_id).where(about, Case.conversation_id.is_not(None))
    customers = session.scalars(people.limit(MOST_PEOPLE)).all()
    conversations = session.scalars(cases.limit(MOST_PEOPLE)).all()
    return _latest(session, customers, conversations, which, limit)


def by_person(
    session: Session, query: Query, address: str, which: Sequence[Condition], limit: int
) -> Sequence[str]:
    """Conversations of customers with a name or address like that."""
    index = _index(session, "customer")
    named = session.scalars(
        select(index.key).where(index.finds(query)).order_by(index.key.desc()).limit(MOST_PEOPLE)
    ).all()
    known = session.scalars(
        select(Identity.customer_id)
        .where(Identity.kind.in_(ADDRESSES), Identity.value == address)
        .limit(MOST_PEOPLE)
    ).all()
    return _latest(session, [*known, *named], [], which, limit)


def named(session: Session, query: Query) -> Select[int]:
    """The ids of the customers whose name has these words, for another query."""
    index = _index(session, "customer")
    return select(index.key).where(index.finds(query))


def _latest(
    session: Session,
    customers: Sequence[int | None],
    conversations: Sequence[str | None],
    which: Sequence[Condition],
    limit: int,
) -> Sequence[str]:
    if not customers and not conversations:
        return []
    theirs = or_(Conversation.customer_id.in_(customers), Conversation.id.in_(conversations))
    query = select(Conversation.id).where(theirs, *which)
    return session.scalars(
        query.order_by(Conversation.updated_at.desc(), Conversation.id.desc()).limit(limit)
    ).all()


def compact(session: Session) -> None:
    """SQLite marks what was removed, and drops it when it merges; PostgreSQL's own cleaning does the same."""
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("INSERT INTO message_search (message_search) VALUES ('optimize')"))
        session.execute(text("INSERT INTO customer_search (customer_search) VALUES ('optimize')"))


class _OnSqlite:
    """A full-text table of SQLite."""

    def __init__(self, name: str) -> None:
        self.name = f"{name}_search"
        self.key: ColumnElement[int] = cast(
            ColumnElement[int], table(self.name, column("rowid", Integer)).c.rowid
        )

    def finds(self, query: Query) -> Condition:
        return text(f"{self.name} MATCH :words").bindparams(words=fts5(query))


class _OnPostgresql:
    """A table with a tsvector."""

    def __init__(self, name: str) -> None:
        own: TableClause = table(f"{name}_search", column("id", Integer), column("words"))
        self.key: ColumnElement[int] = cast(ColumnElement[int], own.c.id)
        self._words = own.c.words

    def finds(self, query: Query) -> Condition:
        wanted = func.to_tsquery(literal_column("'simple'"), tsquery(query))
        return self._words.bool_op("@@")(wanted)


def _index(session: Session, name: str) -> _OnSqlite | _OnPostgresql:
    return _OnSqlite(name) if session.get_bind().dialect.name == "sqlite" else _OnPostgresql(name)


def fts5(query: Query) -> str:
    """A query in SQLite's language. Its words are letters and digits only: nothing in it is an operator."""
    return " AND ".join(f'"{" ".join(term.words)}"' + (" *" if term.begins else "") for term in query.terms)


def tsquery(query: Query) -> str:
    """The same in PostgreSQL's."""
    return " & ".join(
        "("
        + " <-> ".join(
            f"'{word}'" + (":*" if term.begins and last else "")
            for word, last in zip(term.words, [False] * (len(term.words) - 1) + [True], strict=True)
        )
        + ")"
        for term in query.terms
    )


def views(session: Session, staff_id: int) -> Sequence[SavedView]:
    """The views somebody sees: their own and those for all, by name."""
    mine = or_(SavedView.staff_id == staff_id, SavedView.shared.is_(True))
    return session.scalars(select(SavedView).where(mine).order_by(SavedView.name, SavedView.id)).all()


def first_view(session: Session, staff_id: int) -> FirstView | None:
    return session.get(FirstView, staff_id)
