"""All queries on customers, what they are known by, what they agreed to, and the codes sent to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, case, delete, func, or_, select, text, update
from sqlalchemy.orm import Session

from rapport.conversations.models import Conversation, Message
from rapport.customers.models import (
    ConsentEvent,
    ContactPolicy,
    Customer,
    CustomerMerge,
    ExternalRef,
    Identity,
    Interest,
    Verification,
)


def get_customer(session: Session, customer_id: int) -> Customer | None:
    return session.get(Customer, customer_id)


def find_identity(session: Session, kind: str, value: str) -> Identity | None:
    return session.scalar(select(Identity).where(Identity.kind == kind, Identity.value == value))


def find_reference(session: Session, system: str, value: str) -> ExternalRef | None:
    return session.scalar(select(ExternalRef).where(ExternalRef.system == system, ExternalRef.value == value))


def owners_of_number(session: Session, kinds: Collection[str], number: str) -> set[int]:
    """The customers known by this number under any of these kinds."""
    query = select(Identity.customer_id).where(Identity.kind.in_(kinds), Identity.value == number)
    return set(session.scalars(query))


def has_proven(session: Session, customer_id: int, kind: str) -> bool:
    """Whether an address of this kind was shown to be the customer's."""
    query = select(Identity.id).where(
        Identity.customer_id == customer_id, Identity.kind == kind, Identity.verified_at.is_not(None)
    )
    return session.scalar(query.limit(1)) is not None


def identity_kinds_of(session: Session, customer_id: int) -> set[str]:
    """The kinds of addresses the customer has."""
    return set(session.scalars(select(Identity.kind).where(Identity.customer_id == customer_id)))


def systems_of(session: Session, customer_id: int) -> set[str]:
    """The other systems that know the customer."""
    return set(session.scalars(select(ExternalRef.system).where(ExternalRef.customer_id == customer_id)))


def policy_of(session: Session, customer_id: int) -> ContactPolicy | None:
    return session.get(ContactPolicy, customer_id)


def latest_consent(session: Session, customer_id: int, purpose: str, channel: str) -> ConsentEvent | None:
    return session.scalar(
        select(ConsentEvent)
        .where(
            ConsentEvent.customer_id == customer_id,
            ConsentEvent.purpose == purpose,
            ConsentEvent.channel == channel,
        )
        .order_by(ConsentEvent.at.desc(), ConsentEvent.id.desc())
        .limit(1)
    )


def consents_of(session: Session, customer_id: int) -> dict[tuple[str, str], bool]:
    """Of each (purpose, channel) this customer was asked about, whether they agree to it now."""
    events = session.scalars(
        select(ConsentEvent)
        .where(ConsentEvent.customer_id == customer_id)
        .order_by(ConsentEvent.at, ConsentEvent.id)
    )
    return {(event.purpose, event.channel): event.granted for event in events}


def granted_consents(session: Session, customer_id: int) -> list[tuple[str, str]]:
    """(purpose, channel) of all that this customer agreed to and did not withdraw."""
    return [consent for consent, granted in consents_of(session, customer_id).items() if granted]


def consent_recorded(session: Session, customer_id: int, granted: bool, source: str) -> bool:
    """Whether something was agreed to, or withdrawn, from this source."""
    query = select(ConsentEvent.id).where(
        ConsentEvent.customer_id == customer_id,
        ConsentEvent.granted == granted,
        ConsentEvent.source == source,
    )
    return session.scalar(query.limit(1)) is not None


def stage_of(session: Session, customer_id: int) -> str:
    return session.execute(select(Customer.stage).where(Customer.id == customer_id)).scalar_one()


def merges(session: Session, customer_id: int | None, limit: int) -> Sequence[CustomerMerge]:
    """The newest merges, or those into or out of one customer."""
    query = select(CustomerMerge).order_by(CustomerMerge.id.desc()).limit(limit)
    if customer_id is not None:
        query = query.where(or_(CustomerMerge.from_id == customer_id, CustomerMerge.into_id == customer_id))
    return session.scalars(query).all()


def merged_into(session: Session, customer_id: int) -> int | None:
    """Whom a record was merged into, if that was not undone."""
    return session.scalar(
        select(CustomerMerge.into_id).where(
            CustomerMerge.from_id == customer_id, CustomerMerge.undone_at.is_(None)
        )
    )


def lock_customer(session: Session, customer_id: int) -> None:
    """Let nobody else change what this customer wants until this session ends.

    (On SQLite the session's write transaction does that already.)
    """
    session.execute(select(Customer.id).where(Customer.id == customer_id).with_for_update(key_share=True))


def set_stage(session: Session, customer_id: int, after: dict[str, str]) -> None:
    """Move the customer to `after[stage]`, in one statement that touches no row when nothing changes."""
    changes = {old: new for old, new in after.items() if old != new}
    if changes:
        _change(
            session,
            update(Customer)
            .where(Customer.id == customer_id, Customer.stage.in_(changes))
            .values(stage=case(changes, value=Customer.stage, else_=Customer.stage)),
        )


def addresses_of(session: Session, customer_id: int) -> Sequence[str]:
    """The customer's e-mail addresses."""
    query = select(Identity.value).where(Identity.customer_id == customer_id, Identity.kind == "email")
    return session.scalars(query).all()


def interests_of(session: Session, customer_id: int) -> Sequence[str]:
    return session.scalars(
        select(Interest.topic).where(Interest.customer_id == customer_id).order_by(Interest.at, Interest.id)
    ).all()


def drop_interests(session: Session, customer_id: int, topics: Collection[str]) -> None:
    if topics:
        _change(
            session,
            delete(Interest).where(Interest.customer_id == customer_id, Interest.topic.in_(topics)),
        )


def interests_held(session: Session, conversation_id: str) -> Sequence[str]:
    """What someone unverified said in this conversation, newest first."""
    return session.scalars(
        select(Interest.topic)
        .where(Interest.conversation_id == conversation_id)
        .order_by(Interest.at.desc(), Interest.id.desc())
    ).all()


def move_interests(session: Session, conversation_id: str, customer_id: int) -> bool:
    """Give what the conversation holds to the customer, leaving out what they have already.

    False when it holds nothing.
    """
    known = select(Interest.topic).where(Interest.customer_id == customer_id)
    held = Interest.conversation_id == conversation_id
    repeated = _change(session, delete(Interest).where(held, Interest.topic.in_(known)))
    given = update(Interest).where(held).values(customer_id=customer_id, conversation_id=None)
    return _change(session, given) + repeated > 0


def lock_codes_of(session: Session, conversation: Conversation, address_hash: str) -> None:
    """Let nobody else count or send codes for this conversation or address until this transaction ends.

    SQLite needs nothing: a writing transaction is alone there.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    session.execute(
        select(Conversation.id).where(Conversation.id == conversation.id).with_for_update(key_share=True)
    )
    number = int(address_hash[:15], 16)
    session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def unverify(session: Session, conversation_id: str) -> None:
    """Also when it is being verified at this moment: that comes first."""
    _change(
        session, update(Conversation).where(Conversation.id == conversation_id).values(verified_until=None)
    )


def unproven_waits(session: Session, conversation_id: str) -> bool:
    """Whether, after the message in hand, one waits that anybody may have sent."""
    waiting = session.scalars(
        select(Message.content)
        .where(Message.conversation_id == conversation_id, Message.status == "received")
        .order_by(Message.sequence)
        .offset(1)
    )
    return any((content or {}).get("unproven") for content in waiting)


def find_verification(session: Session, message_key: str) -> Verification | None:
    return session.scalar(select(Verification).where(Verification.message_key == message_key))


def newest_verification(session: Session, conversation_id: str) -> Verification | None:
    return session.scalar(
        select(Verification)
        .where(Verification.conversation_id == conversation_id)
        .order_by(Verification.id.desc())
        .limit(1)
    )


def find_try(session: Session, conversation_id: str, message_key: str) -> Verification | None:
    """The code that this very message was tried on, when the turn is a repetition."""
    return session.scalar(
        select(Verification).where(
            Verification.conversation_id == conversation_id, Verification.last_try_key == message_key
        )
    )


def count_codes_in_conversation(session: Session, conversation_id: str, since: datetime) -> int:
    return _count(session, Verification.conversation_id == conversation_id, Verification.created_at > since)


def count_codes_to_address(session: Session, address_hash: str, since: datetime) -> int:
    return _count(session, Verification.address_hash == address_hash, Verification.created_at > since)


def count_codes_for_client(session: Session, client_hash: str, since: datetime) -> int:
    conversations = select(Conversation.id).where(Conversation.client_hash == client_hash)
    asked = Verification.conversation_id.in_(conversations)
    return _count(session, asked, Verification.created_at > since)


def count_codes_on_channel(session: Session, channel: str, since: datetime) -> int:
    conversations = select(Conversation.id).where(Conversation.channel == channel)
    return _count(session, Verification.created_at > since, Verification.conversation_id.in_(conversations))


def take_try(session: Session, verification: Verification, now: datetime, limit: int) -> bool:
    """Use up one try; False when none is left. Counted by the database, so parallel guesses cannot exceed the
    limit.
    """
    taken = _change(
        session,
        update(Verification)
        .where(
            Verification.id == verification.id,
            Verification.tries < limit,
            Verification.used_at.is_(None),
            Verification.expires_at > now,
        )
        .values(tries=Verification.tries + 1),
    )
    session.refresh(verification)
    return taken == 1


def use_code(session: Session, verification: Verification, now: datetime) -> bool:
    """Mark a code used; False when someone else was faster."""
    used = _change(
        session,
        update(Verification)
        .where(Verification.id == verification.id, Verification.used_at.is_(None))
        .values(used_at=now),
    )
    session.refresh(verification)
    return used == 1


def _count(session: Session, *conditions: Any) -> int:
    return session.scalar(select(func.count()).select_from(Verification).where(*conditions)) or 0


def _change(session: Session, statement: Any) -> int:
    result = session.execute(statement.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", result).rowcount
