"""All queries on conversations. Those a chat turn makes are plain columns and statements: they count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    Boolean,
    ColumnElement,
    CursorResult,
    Double,
    Row,
    RowMapping,
    String,
    Table,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.channels.models import Delivery
from rapport.conversations.answers import NOT_UNDERSTOOD
from rapport.conversations.models import Conversation, Handoff, Message

# Word for word the conditions of the indexes, or SQLite does not use them.
# Without a type: SQLAlchemy would compare a truth with 1 there.
UNANSWERED: ColumnElement[Any] = literal_column("message.status = 'received'")
UNTOLD: ColumnElement[Any] = literal_column(
    "message.told_at IS NULL AND message.status IN ('kept', 'untold')"
)

_messages = cast(Table, Message.__table__)
_conversations = cast(Table, Conversation.__table__)
_PUBLIC = (
    Message.conversation_id,
    Message.sequence,
    Message.author,
    Message.text,
    Message.content,
    Message.language,
    Message.at,
    Message.provider_id,
)


# What every turn needs is built once, and as plain columns: building it costs more than running it.
_BY_TOKEN_HASH = select(Conversation).where(Conversation.token_hash == bindparam("token_hash"))
_ADVANCE = (
    update(_conversations)
    .where(_conversations.c.id == bindparam("conversation"))
    .values(last_sequence=_conversations.c.last_sequence + bindparam("count"), updated_at=bindparam("now"))
    .returning(_conversations.c.last_sequence, _conversations.c.status, _conversations.c.language)
)
_LOWEST = _conversations.c.lowest_confidence
_INTENTS = _conversations.c.intents
_UNDERSTOOD = _ADVANCE.values(
    lowest_confidence=case(
        (or_(_LOWEST.is_(None), bindparam("confidence", type_=Double) < _LOWEST), bindparam("confidence")),
        else_=_LOWEST,
    ),
    not_understood=or_(_conversations.c.not_understood, bindparam("missed", type_=Boolean)),
    # `,greet,track_order,`: each once.
    intents=case(
        (bindparam("intent") == "", _INTENTS),
        (_INTENTS == "", "," + bindparam("intent", type_=String) + ","),
        (_INTENTS.like("%," + bindparam("intent", type_=String) + ",%"), _INTENTS),
        else_=_INTENTS + bindparam("intent", type_=String) + ",",
    ),
)
_BY_PROVIDER_ID = select(Message).where(
    Message.channel == bindparam("channel"), Message.provider_id == bindparam("provider_id")
)
_INSERT_NEW = {
    name: dialect.insert(_messages)
    .on_conflict_do_nothing(index_elements=["channel", "provider_id"])
    .returning(_messages.c.id)
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}
_INSERT = insert(_messages)
_HEAD = (
    select(
        Message.id,
        Message.sequence,
        Message.text,
        Message.payload,
        Message.content,
        Message.attempts,
        Conversation,
    )
    .join(Conversation, Conversation.id == Message.conversation_id)
    .where(Message.conversation_id == bindparam("conversation"), UNANSWERED)
    .order_by(Message.sequence)
    .limit(2)
)
_UNTOLD = (
    select(
        Message.id,
        Message.author,
        Message.text,
        Message.content,
        Message.language,
        # In the web chat nothing is delivered: what is there is seen.
        func.coalesce(Delivery.status, "sent").label("delivery"),
    )
    .outerjoin(
        Delivery,
        (Delivery.conversation_id == Message.conversation_id) & (Delivery.sequence == Message.sequence),
    )
    .where(Message.conversation_id == bindparam("conversation"), UNTOLD)
    .where(Message.sequence < bindparam("sequence"))
    .order_by(Message.sequence)
)
_AFTER = (
    select(*_PUBLIC)
    .where(Message.conversation_id == bindparam("conversation"), Message.sequence > bindparam("sequence"))
    .order_by(Message.sequence)
    .limit(bindparam("count"))
)


@dataclass(frozen=True)
class Head:
    """The message whose turn it is in a conversation."""

    message_id: int
    sequence: int
    text: str
    payload: str | None
    notice: str | None  # what answers it, if not the bot
    attempts: int
    conversation: Conversation
    more: bool  # others wait behind it


def by_token_hash(session: Session, token_hash: str) -> Conversation | None:
    return session.scalar(_BY_TOKEN_HASH, {"token_hash": token_hash})


def lock(session: Session, conversation_id: str) -> str:
    """Takes the conversation's lock until the transaction ends; returns its status."""
    query = select(Conversation.status).where(Conversation.id == conversation_id).with_for_update()
    return session.execute(query).scalar_one()


def advance(session: Session, conversation_id: str, count: int, now: datetime) -> tuple[int, str, str]:
    """Takes `count` sequence numbers, and with them the lock: (last number, status, language)."""
    parameters = {"conversation": conversation_id, "count": count, "now": now}
    last, status, language = session.execute(_ADVANCE, parameters).one()
    return last, status, language


def advance_understood(
    session: Session,
    conversation_id: str,
    count: int,
    now: datetime,
    intent: str | None,
    confidence: float | None,
) -> tuple[int, str, str]:
    """The same, and keeps on the conversation what the bot understood."""
    parameters = {
        "conversation": conversation_id,
        "count": count,
        "now": now,
        "intent": intent or "",
        "confidence": confidence,
        "missed": intent in NOT_UNDERSTOOD,
    }
    last, status, language = session.execute(_UNDERSTOOD, parameters).one()
    return last, status, language


def by_provider_id(session: Session, channel: str, provider_id: str) -> Message | None:
    return session.scalar(_BY_PROVIDER_ID, {"channel": channel, "provider_id": provider_id})


def by_sequence(session: Session, conversation_id: str, sequence: int) -> Message | None:
    query = select(Message).where(Message.conversation_id == conversation_id, Message.sequence == sequence)
    return session.scalar(query)


def after(session: Session, conversation_id: str, sequence: int, limit: int) -> Sequence[RowMapping]:
    """Messages after a sequence number, oldest first, as the columns `rules.public_message` needs."""
    parameters = {"conversation": conversation_id, "sequence": sequence, "count": limit}
    return session.execute(_AFTER, parameters).mappings().all()


def replies_to(session: Session, message_id: int) -> Sequence[RowMapping]:
    query = select(*_PUBLIC).where(Message.reply_to == message_id).order_by(Message.sequence)
    return session.execute(query).mappings().all()


def message_status(session: Session, message_id: int) -> str:
    return session.execute(select(Message.status).where(Message.id == message_id)).scalar_one()


def state(session: Session, conversation_id: str) -> tuple[str, str, bool]:
    """(status, language, whether a message waits for its answer)."""
    waiting = (
        select(Message.id).where(Message.conversation_id == conversation_id, UNANSWERED).limit(1)
    ).scalar_subquery()
    query = select(Conversation.status, Conversation.language, waiting).where(
        Conversation.id == conversation_id
    )
    status, language, message_id = session.execute(query).one()
    return status, language, message_id is not None


def head(session: Session, conversation_id: str) -> Head | None:
    """The first message of a conversation that has no answer yet."""
    rows = session.execute(_HEAD, {"conversation": conversation_id}).all()
    if not rows:
        return None
    message_id, sequence, text, payload, content, attempts, conversation = rows[0]
    notice = (content or {}).get("notice")
    return Head(message_id, sequence, text or "", payload, notice, attempts, conversation, len(rows) > 1)


def untold(session: Session, conversation_id: str, before: int) -> Sequence[Row[Any]]:
    """What was said before that sequence number without the bot, and the bot does not know yet, in order:
    (id, author, text, content, language, what became of its delivery).
    """
    return session.execute(_UNTOLD, {"conversation": conversation_id, "sequence": before}).all()


def mark_told(session: Session, message_ids: Sequence[int], now: datetime) -> None:
    """The bot knows of these now."""
    session.execute(
        update(_messages)
        .where(_messages.c.id.in_(message_ids))
        .values(
            told_at=now, status=case((_messages.c.status == "untold", "stored"), else_=_messages.c.status)
        )
    )


def verified(session: Session, conversation_id: str) -> tuple[int | None, datetime | None]:
    """(customer, until when) a conversation is, or was last, verified for."""
    query = select(Conversation.customer_id, Conversation.verified_until)
    customer_id, until = session.execute(query.where(Conversation.id == conversation_id)).one()
    return customer_id, until


def unanswered_conversations(session: Session, before: datetime, limit: int) -> Sequence[str]:
    """Conversations with a message from before then that has no answer yet."""
    query = select(Message.conversation_id).where(UNANSWERED, Message.at <= before).distinct().limit(limit)
    return session.scalars(query).all()


def settle(session: Session, message_id: int, **values: Any) -> bool:
    """Writes the outcome of a message, if nobody else has; False if somebody has."""
    statement = update(_messages).where(_messages.c.id == message_id, UNANSWERED).values(**values)
    return cast(CursorResult[Any], session.execute(statement)).rowcount == 1


def count_attempt(session: Session, message_id: int) -> None:
    session.execute(
        update(Message)
        .where(Message.id == message_id)
        .values(attempts=Message.attempts + 1)
        .execution_options(synchronize_session=False)
    )


def add_unless_known(session: Session, message: Message) -> bool:
    """Stores a message and gives it its id; False when its provider id is stored already."""
    parameters = {c.key: getattr(message, c.key) for c in _messages.columns if c.key != "id"}
    message_id = session.execute(_INSERT_NEW[session.get_bind().dialect.name], parameters).scalar()
    if message_id is None:
        return False
    message.id = message_id
    return True


def add_messages(session: Session, rows: list[dict[str, Any]]) -> None:
    session.execute(_INSERT, rows)


def change_language(session: Session, conversation_id: str, language: str) -> None:
    session.execute(
        update(Conversation)
        .where(Conversation.id == conversation_id)
        .values(language=language, language_chosen=False)
        .execution_options(synchronize_session=False)
    )


def start_waiting(session: Session, conversation_id: str) -> bool:
    """Marks that the conversation waits for a person; False if it does already, or has one."""
    statement = (
        update(Conversation)
        .where(Conversation.id == conversation_id, Conversation.status == "bot")
        .values(status="waiting")
    )
    return cast(CursorResult[Any], session.execute(statement)).rowcount == 1


def handoff_by_key(session: Session, message_key: str) -> Handoff | None:
    return session.scalar(select(Handoff).where(Handoff.message_key == message_key))


def case_by_key(session: Session, message_key: str) -> Case | None:
    return session.scalar(select(Case).where(Case.message_key == message_key))


def open_complaint(session: Session, conversation_id: str, customer_id: int | None) -> Case | None:
    """The newest complaint of this conversation or customer that nobody has settled yet."""
    whose = Case.conversation_id == conversation_id
    if customer_id is not None:
        whose = or_(whose, Case.customer_id == customer_id)
    return session.scalars(
        select(Case)
        .where(whose, Case.kind == "complaint", Case.resolved_at.is_(None))
        .order_by(Case.id.desc())
        .limit(1)
    ).one_or_none()


def latest_case(session: Session, conversation_id: str, kind: str, since: datetime) -> Case | None:
    """The newest case of a kind that this conversation opened since then and nobody settled."""
    query = select(Case).where(
        Case.conversation_id == conversation_id,
        Case.kind == kind,
        Case.opened_at >= since,
        Case.resolved_at.is_(None),
    )
    return session.scalar(query.order_by(Case.id.desc()).limit(1))


def complained_of(session: Session, customer_id: int, since: datetime) -> tuple[set[str], set[str]]:
    """(SKUs, order numbers) of what the customer complained of or wanted their money back for since then: the
    products named where they did, and the orders the cases are about.
    """
    trouble = or_(Case.kind == "complaint", Case.topic == "get_refund")
    cases = session.execute(
        select(Case.conversation_id, Case.order_number)
        .where(Case.customer_id == customer_id, trouble, Case.opened_at >= since)
        .order_by(Case.opened_at.desc())
        .limit(20)
    ).all()
    told = session.scalars(
        select(Message.entities).where(
            Message.conversation_id.in_({case.conversation_id for case in cases}),
            Message.author == "customer",
            Message.entities.is_not(None),
        )
    )
    named = {
        str(entity["value"])
        for entities in told
        for entity in entities or ()
        if entity.get("entity") == "product"
    }
    return named, {case.order_number for case in cases if case.order_number}


def open_requests(
    session: Session, customer_id: int, topic: str, order_number: str | None = None
) -> Sequence[Case]:
    """The customer's requests of a kind that nobody has settled yet, newest first; of one order or of all."""
    query = (
        select(Case)
        .where(
            Case.customer_id == customer_id,
            Case.kind == "request",
            Case.topic == topic,
            Case.resolved_at.is_(None),
        )
        .order_by(Case.id.desc())
    )
    if order_number is not None:
        query = query.where(Case.order_number == order_number)
    return session.scalars(query).all()
