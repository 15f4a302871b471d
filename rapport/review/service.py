"""Lists of conversations, and searching in them, as the console and `rapport log` use them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from rapport.conversations.models import Message
from rapport.kit import clock
from rapport.privacy.sight import Sight, telling_words
from rapport.review import filters as addresses
from rapport.review import repository, words
from rapport.review.filters import Filters, Place
from rapport.review.repository import Condition, Match
from rapport.review.words import Piece, Query
from rapport.shop.facts import get_facts

PAGE = 40
MOST_COUNTED = 1000
# A search looks at the newest matches first, in larger and larger steps, and at no more than so many for one
# page: if few of them pass the other filters, the page says how far back it has looked.
FIRST_LOOK = 200
LARGEST_LOOK = 1500
MOST_LOOKED_AT = 3500
# So many messages are compared with what a reader may see before a page ends.
AT_ONCE = 100
MOST_CHECKED = 1000
DIRECT_HITS = 20


@dataclass(frozen=True)
class Listed:
    """One conversation in a list.

    `last` is what was said last, or what was found, in pieces; `said_by` its author. `name` and `email` are
    the customer's as they are: who shows them knows who may see them (`mine`: it is in the reader's hands).
    `unanswered` is how many messages wait for their answer.
    """

    id: str
    channel: str
    language: str
    status: str
    customer_id: int | None
    name: str | None
    email: str | None
    assigned_to: int | None
    mine: bool
    messages: int
    unanswered: int
    waits_for_us: bool
    lowest_confidence: float | None
    not_understood: bool
    complaint: bool
    tags: list[str]
    said_by: str
    last: list[Piece]
    started_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class Page:
    """A page of a list.

    `newer` and `older` are the marks from which the neighbours begin, None at the ends. `direct` are those
    that a number or a person led to. `looked_back_to`: the search has not seen what is older than that.
    """

    rows: list[Listed]
    direct: list[Listed] = field(default_factory=list)
    newer: str | None = None
    older: str | None = None
    total: int | None = None
    more_than_total: bool = False
    looked_back_to: datetime | None = None


@dataclass(frozen=True)
class Reader:
    """Who looks: their id of staff, and whether they see any customer's personal data, or those of customers
    in their own hands.
    """

    staff_id: int | None = None
    sees_all: bool = True
    sees_own: bool = True

    def sees(self, assigned_to: int | None) -> bool:
        """Whether personal data in a conversation that this member of staff has are shown to them."""
        return self.sees_all or (self.sees_own and assigned_to is not None and assigned_to == self.staff_id)


def page(
    session: Session, filters: Filters, reader: Reader, place: Place | None = None, size: int = PAGE
) -> Page:
    """Conversations with at least one message that pass the filters, the latest first."""
    which = _conditions(filters, reader)
    ids = repository.listed(session, which, place, size + 1)
    more, ids = len(ids) > size, ids[:size]
    newer = place is not None and place.newer
    rows = show(session, ids[::-1] if newer else ids, reader)
    total: int | None = len(ids)
    if more or place is not None:
        total = repository.count(session, which, MOST_COUNTED + 1)
    has_newer, has_older = (more, True) if newer else (place is not None, more)
    return Page(
        rows,
        newer=addresses.mark(rows[0].last_at, rows[0].id) if rows and has_newer else None,
        older=addresses.mark(rows[-1].last_at, rows[-1].id) if rows and has_older else None,
        total=min(total or 0, MOST_COUNTED),
        more_than_total=(total or 0) > MOST_COUNTED,
    )


def search(
    session: Session, filters: Filters, reader: Reader, before: int | None = None, size: int = PAGE
) -> Page:
    """The same with the words of `filters.q`: those first in which they were said last. `before` is the id of
    the message with which the page before ended.
    """
    query = words.parse(filters.q or "")
    if not query.terms:
        return Page([], total=0)
    which = _conditions(filters, reader)
    direct = _direct(session, filters.q or "", query, which, reader)
    found, at, all_seen = _look(session, query, which, reader, before, size, set(direct))
    messages = repository.texts(session, [message_id for message_id, _ in found])
    rows = show(
        session,
        [conversation_id for _, conversation_id in found],
        reader,
        {conversation_id: messages[message_id] for message_id, conversation_id in found},
        query,
    )
    stopped = None
    if not all_seen and len(found) < size and at is not None:
        last = repository.texts(session, [at]).get(at)
        stopped = last.at if last else None
    return Page(
        rows,
        direct=show(session, direct, reader) if before is None else [],
        older=None if all_seen or at is None else str(at),
        looked_back_to=stopped,
    )


def count(session: Session, filters: Filters, reader: Reader) -> int:
    """How many conversations pass the filters, words left aside; `MOST_COUNTED` + 1 stands for more."""
    return repository.count(session, _conditions(filters, reader), MOST_COUNTED + 1)


def forget_removed(session: Session) -> None:
    """Writes the search tables anew, so that not even their pages hold words of what was removed. To be
    called by whoever erases a person, once; it takes seconds for a million messages.
    """
    repository.compact(session)


def show(
    session: Session,
    ids: Sequence[str],
    reader: Reader,
    hits: dict[str, Message] | None = None,
    query: Query | None = None,
) -> list[Listed]:
    """What a list shows of these conversations, in this order; with `hits`, these messages of them."""
    if not ids:
        return []
    rows = repository.rows(session, ids)
    complaints = repository.with_open_complaint(session, ids)
    tags = repository.tags(session, ids)
    counts = repository.counts(session, ids)
    emails = repository.addresses(
        session, {row[0].customer_id for row in rows.values() if row[0].customer_id is not None}
    )
    shown = []
    for key in ids:
        conversation, last, name = rows[key]
        said = (hits or {}).get(key) or last
        sees = reader.sees(conversation.assigned_to)
        mails = emails.get(conversation.customer_id or 0, ())
        messages, unanswered = counts.get(key, (0, 0))
        shown.append(
            Listed(
                id=key,
                channel=conversation.channel,
                language=conversation.language,
                status=conversation.status,
                customer_id=conversation.customer_id,
                name=name,
                email=next(iter(mails), None),
                assigned_to=conversation.assigned_to,
                mine=conversation.assigned_to is not None and conversation.assigned_to == reader.staff_id,
                messages=messages,
                unanswered=unanswered,
                waits_for_us=last is not None and last.author == "customer",
                lowest_confidence=conversation.lowest_confidence,
                not_understood=conversation.not_understood,
                complaint=key in complaints,
                tags=tags.get(key, []),
                said_by=said.author if said else "",
                last=words.snippet(_visible(said.text or "", name, mails, sees) if said else "", query),
                started_at=conversation.created_at,
                last_at=conversation.updated_at,
            )
        )
    return shown


def _visible(text: str, name: str | None, mails: Sequence[str], sees: bool) -> str:
    """As the conversation's own page shows it: nothing hidden there is seen, or found, here."""
    return text if sees else Sight(False, telling_words(name, mails)).text(text)


def _conditions(filters: Filters, reader: Reader) -> list[Condition]:
    start, end = addresses.span(filters, clock.now(), get_facts().timezone)
    return repository.conditions(filters, reader.staff_id, start, end)


def _direct(
    session: Session,
    line: str,
    query: Query,
    which: Sequence[Condition],
    reader: Reader,
) -> list[str]:
    """Conversations that a number, or a person's name or address, leads to."""
    found = list(repository.by_number(session, line.strip().lstrip("#"), which, DIRECT_HITS))
    if reader.sees_all:
        found += repository.by_person(session, query, line.strip().lower(), which, DIRECT_HITS)
    return list(dict.fromkeys(found))[:DIRECT_HITS]


def _look(
    session: Session,
    query: Query,
    which: Sequence[Condition],
    reader: Reader,
    before: int | None,
    size: int,
    known: set[str],
) -> tuple[list[tuple[int, str]], int | None, bool]:
    """([(message, conversation)], the last message looked at, whether there are no more).

    Each conversation once, with the newest message found in it; not those that are `known` already.
    """
    found: list[tuple[int, str]] = []
    seen = set(known)
    at, step, looked_at, checked = before, FIRST_LOOK, 0, 0
    while looked_at < MOST_LOOKED_AT:
        some = repository.matches(session, query, which, at, step)
        passing = [match for match in some if match.listed]
        for begin in range(0, len(passing), AT_ONCE):
            hits = [match for match in passing[begin : begin + AT_ONCE] if match.conversation_id not in seen]
            for hit in _visible_hits(session, query, hits, reader, before, seen):
                found.append((hit.message_id, hit.conversation_id))
                if len(found) == size:
                    return found, hit.message_id, False
            checked += len(hits)
            if checked >= MOST_CHECKED and begin + AT_ONCE < len(passing):
                return found, passing[begin + AT_ONCE - 1].message_id, False
        if len(some) < step:
            return found, at, True
        at = some[-1].message_id
        looked_at += step
        step = min(step * 3, LARGEST_LOOK)
    return found, at, False


def _visible_hits(
    session: Session,
    query: Query,
    hits: list[Match],
    reader: Reader,
    before: int | None,
    seen: set[str],
) -> Iterator[Match]:
    """Without those that stood on a page before, and those found by words that the reader must not see.
    Adds to `seen`.
    """
    if not hits:
        return
    ids = list({hit.conversation_id for hit in hits})
    owners = repository.owners(session, ids)
    emails = repository.addresses(session, {owner[2] for owner in owners.values() if owner[2] is not None})

    def found_in(conversation_id: str, text: str | None) -> bool:
        name, staff_id, customer_id = owners[conversation_id]
        mails = emails.get(customer_id or 0, ())
        return words.matches(_visible(text or "", name, mails, reader.sees(staff_id)), query)

    if before is not None:
        for conversation_id, text in repository.texts_since(session, ids, before):
            if conversation_id not in seen and found_in(conversation_id, text):
                seen.add(conversation_id)
    hidden = [hit.message_id for hit in hits if not reader.sees(owners[hit.conversation_id][1])]
    texts = repository.texts(session, hidden)
    for hit in hits:
        if hit.conversation_id in seen:
            continue
        message = texts.get(hit.message_id)
        if message is None or found_in(hit.conversation_id, message.text):
            seen.add(hit.conversation_id)
            yield hit
