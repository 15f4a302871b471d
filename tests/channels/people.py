"""People in messaging apps, without the app around them: what they write is taken in as a webhook would."""

from __future__ import annotations

import re
from itertools import count
from typing import ClassVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from rapport.channels import inbound
from rapport.channels.base import Said, Sender
from rapport.channels.models import ContactPoint, Delivery
from rapport.conversations.models import Conversation, Message
from rapport.customers import service as customers
from rapport.customers import verification
from rapport.kit import clock
from rapport.outreach import service as outreach
from rapport.outreach.models import OutboxMessage
from tests.channels.fakes.toy import ToyChannel

_numbers = count(1)
NO_LIMITS = inbound.Limits(on=False)


class Telegram(ToyChannel):
    name: ClassVar[str] = "telegram"


class WhatsApp(ToyChannel):
    name: ClassVar[str] = "whatsapp"


class Sms(ToyChannel):
    name: ClassVar[str] = "sms"
    authenticates: ClassVar[bool] = False


class Mail(ToyChannel):
    name: ClassVar[str] = "email"
    authenticates: ClassVar[bool] = False


TELEGRAM, WHATSAPP, SMS, MAIL = Telegram(), WhatsApp(), Sms(), Mail()


def write(
    session: Session,
    channel: ToyChannel,
    address: str,
    text: str = "hello",
    *,
    link: str | None = None,
    button: str | None = None,
    aliases: tuple[str, ...] = (),
    language: str | None = None,
) -> Message:
    """Somebody writes; the message as it was stored."""
    said = Said(Sender(address, aliases, language), f"in-{next(_numbers)}", text, button, link)
    inbound.take(session, channel, said, NO_LIMITS)
    session.flush()
    return session.scalars(select(Message).where(Message.provider_id == said.provider_id)).one()


def point_of(session: Session, channel: ToyChannel, address: str) -> ContactPoint:
    session.flush()
    session.expire_all()
    mine = (ContactPoint.channel == channel.name, ContactPoint.address == address)
    return session.scalars(select(ContactPoint).where(*mine)).one()


def talk_of(session: Session, channel: ToyChannel, address: str) -> Conversation:
    return session.get_one(Conversation, point_of(session, channel, address).conversation_id)


def customer(session: Session, *addresses: str, name: str | None = None) -> int:
    """Somebody the shop knows by these mail addresses."""
    identities = [("email", address) for address in addresses]
    return customers.ensure_customer(session, identities=identities, name=name).id


def ask_code(session: Session, conversation: Conversation, email: str) -> str:
    """The code that was mailed."""
    key = f"{conversation.id}:{next(_numbers)}"
    verification.request_code(session, conversation, email, key)
    mail = select(OutboxMessage.text).where(OutboxMessage.key == f"verification_code:{key}")
    found = re.search(r"\b\d{6}\b", session.scalars(mail).one() or "")
    return found.group() if found else "000000"


def give_code(session: Session, conversation: Conversation, code: str) -> str:
    return verification.check_code(session, conversation, code, f"{conversation.id}:{next(_numbers)}")


def verify(session: Session, channel: ToyChannel, address: str, email: str) -> str:
    """Somebody shows in their app, by a code, whose mail address this is."""
    conversation = talk_of(session, channel, address)
    return give_code(session, conversation, ask_code(session, conversation, email))


def queue_mail(session: Session, recipient: str, purpose: str = "newsletter") -> str:
    key = f"mail-{next(_numbers)}"
    outreach.enqueue(
        session, key=key, purpose=purpose, recipient=recipient, subject="s", text="t", language="en"
    )
    return key


def queue_delivery(session: Session, channel: ToyChannel, address: str, asked: bool = False) -> int:
    """Something of ours that waits to be delivered to somebody's app; its id."""
    conversation = talk_of(session, channel, address)
    delivery = Delivery(
        conversation_id=conversation.id,
        sequence=1000 + next(_numbers),
        channel=channel.name,
        asked=asked,
        next_attempt_at=clock.now(),
    )
    session.add(delivery)
    session.flush()
    return delivery.id


def waiting(session: Session) -> set[str | int]:
    """The keys of the mails and the ids of the deliveries that are still to be sent."""
    session.flush()
    session.expire_all()
    mails = session.scalars(select(OutboxMessage.key).where(OutboxMessage.status == "queued"))
    deliveries = session.scalars(select(Delivery.id).where(Delivery.status == "queued"))
    return {*mails, *deliveries}
