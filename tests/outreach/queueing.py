"""Mails that wait in the outbox, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from rapport.customers import service as customers
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.outreach import service
from rapport.outreach.mail import Mailer
from rapport.outreach.models import OutboxMessage

ANN = "ann@example.com"


class FakeMailer(Mailer):
    """Fails as often as told, then keeps what it is given."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.sent: list[EmailMessage] = []
        self.tried: list[str] = []

    def send(self, mail: EmailMessage) -> None:
        self.tried.append(mail["Message-ID"])
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append(mail)


def a_customer(engine: Engine, address: str = ANN) -> int:
    """Somebody who agreed to tips and alerts by mail, and has shown that the address is theirs."""
    with session_scope(engine) as session:
        customer = customers.ensure_customer(session, identities=[("email", address)])
        session.flush()
        session.refresh(customer)
        customer.identities[0].verified_at = clock.now()
        for purpose in ("tips", "alerts"):
            agree(session, customer.id, purpose)
        return customer.id


def agree(session: Session, customer_id: int, purpose: str, granted: bool = True) -> None:
    customers.record_consent(
        session,
        customer_id,
        purpose=purpose,
        channel="email",
        granted=granted,
        wording_version="test",
        source="test",
    )


def queue(
    engine: Engine,
    customer_id: int | None,
    purpose: str = "tips",
    keys: Sequence[str] = ("k1",),
    recipient: str = ANN,
) -> None:
    """Mails to one customer, all in one go."""
    with session_scope(engine) as session:
        for key in keys:
            service.enqueue(
                session,
                key=key,
                purpose=purpose,
                recipient=recipient,
                subject="How is the jumper?",
                text="Hello Ann,\n\nair it now and then.\n",
                language="en",
                customer_id=customer_id,
            )


def row(engine: Engine, key: str = "k1") -> OutboxMessage:
    with read_scope(engine) as session:
        found = session.scalars(select(OutboxMessage).where(OutboxMessage.key == key)).one()
        session.expunge(found)
        return found


def statuses(engine: Engine) -> list[str]:
    with read_scope(engine) as session:
        return list(session.scalars(select(OutboxMessage.status).order_by(OutboxMessage.id)))
