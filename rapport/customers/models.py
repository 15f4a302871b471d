"""Who they are: people, the addresses they are known by, what they agreed to and what they like."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from rapport.customers.mailboxes import of_identity
from rapport.kit import clock
from rapport.kit.database import Base


class Customer(Base):
    """A customer or prospect: anyone the shop knows by some address or number.

    `timezone`: the IANA zone they live in, where somebody told it.
    """

    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(200))
    language: Mapped[str | None] = mapped_column(String(2))
    country: Mapped[str | None] = mapped_column(String(60))
    birthday: Mapped[date | None]
    timezone: Mapped[str | None] = mapped_column(String(60))
    stage: Mapped[str] = mapped_column(String(10), default="know")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    identities: Mapped[list[Identity]] = relationship(back_populates="customer")


class Identity(Base):
    """An address of a customer, normalised, on one channel; it belongs to one customer at most.

    `mailbox` is what the address of a mail leads to, however it is written; several may share one.
    """

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("kind", "value"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    value: Mapped[str] = mapped_column(String(320))
    mailbox: Mapped[str | None] = mapped_column(String(320), default=of_identity, index=True)
    verified_at: Mapped[datetime | None]

    customer: Mapped[Customer] = relationship(back_populates="identities")


class ExternalRef(Base):
    """What another system (a shop, a CRM, an imported file) calls a customer."""

    __tablename__ = "external_ref"
    __table_args__ = (UniqueConstraint("system", "value"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    system: Mapped[str] = mapped_column(String(60))
    value: Mapped[str] = mapped_column(String(120))


class ContactPolicy(Base):
    """How, how often and when this customer wants to hear from us.

    `message_key` is the message that last changed it, so that a repeated turn changes nothing. `left_at`:
    when they last wanted nothing unasked any more; what they agreed to since counts.
    """

    __tablename__ = "contact_policy"

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    preferred_channel: Mapped[str | None] = mapped_column(String(20))
    refused_channels: Mapped[list[str]] = mapped_column(JSON, default=list)
    max_per_month: Mapped[int | None]
    paused_until: Mapped[datetime | None]
    left_at: Mapped[datetime | None]
    message_key: Mapped[str | None] = mapped_column(String(80))
    updated_at: Mapped[datetime] = mapped_column(default=clock.now)


class ConsentEvent(Base):
    """Append-only: who agreed to (or withdrew) what, on which channel, in which wording, from where, when.

    `proof` is how they showed that it was they, if anybody might have said it: when it was asked for and
    confirmed, and from which address on the network (hashed).
    """

    __tablename__ = "consent_event"
    __table_args__ = (
        Index("ix_consent_event_lookup", "customer_id", "purpose", "channel", "at"),
        Index("ix_consent_event_at", "purpose", "at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    purpose: Mapped[str] = mapped_column(String(40))
    channel: Mapped[str] = mapped_column(String(20))
    granted: Mapped[bool]
    wording_version: Mapped[str] = mapped_column(String(60))
    source: Mapped[str] = mapped_column(String(120))
    proof: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    at: Mapped[datetime] = mapped_column(default=clock.now)


class Interest(Base):
    """A category or product someone likes. Held by the conversation until we know whose it is."""

    __tablename__ = "interest"
    __table_args__ = (
        UniqueConstraint("customer_id", "topic"),
        UniqueConstraint("conversation_id", "topic", name="uq_interest_conversation_id_topic"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    conversation_id: Mapped[str | None] = mapped_column(ForeignKey("conversation.id"))
    topic: Mapped[str] = mapped_column(String(80))
    source: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(default=clock.now)


class CustomerMerge(Base):
    """A prospect that turned out to be a customer. `moved`: the ids of what changed hands, by table; of
    `contact_policy` what there was of both, and what became of it.
    """

    __tablename__ = "customer_merge"

    id: Mapped[int] = mapped_column(primary_key=True)
    from_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    into_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    why: Mapped[str] = mapped_column(String(40))
    moved: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    undone_at: Mapped[datetime | None]


class Verification(Base):
    """A one-time code sent to an address: 6 digits, stored hashed, few tries, short life.

    `customer_id` is None when nobody has that address; the row exists all the same, so that the
    conversation goes on in the same words either way.
    """

    __tablename__ = "verification"

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id"), index=True)
    message_key: Mapped[str] = mapped_column(String(80), unique=True)
    address_hash: Mapped[str] = mapped_column(String(64), index=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    identity_id: Mapped[int | None] = mapped_column(ForeignKey("identity.id"))
    code_hash: Mapped[str] = mapped_column(String(64))
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    last_try_key: Mapped[str | None] = mapped_column(String(80))
    last_try_result: Mapped[str | None] = mapped_column(String(20))
