"""What mail servers report of our mails, whoever sent them: the outbox or a talk by mail."""

from __future__ import annotations

from sqlalchemy.orm import Session

from rapport.channels import repository
from rapport.channels.base import Report
from rapport.channels.mail_bounces import COMPLAINT
from rapport.channels.models import ContactPoint
from rapport.outreach import feedback

EMAIL = "email"


def take(session: Session, told: Report) -> None:
    """Note it for the address and the customer it is about."""
    if told.status == "refused":
        complaint = told.reason == COMPLAINT
        if not feedback.refused(session, told.message_id, complaint):
            point = _correspondent(session, told)
            if point is not None:
                feedback.refuse(session, point.customer_id, "mail:talk", complaint)
    elif told.status == "failed":
        reason = told.reason or "bounced"
        if not feedback.bounced(session, told.message_id, reason, told.gone) and told.gone:
            point = _correspondent(session, told)
            if point is not None:
                feedback.nobody_at(session, point.address, reason)


def _correspondent(session: Session, told: Report) -> ContactPoint | None:
    """Whom a mail of a talk went to."""
    delivery = repository.by_provider_id(session, EMAIL, told.message_id)
    return None if delivery is None else repository.contact_of(session, delivery.conversation_id)
