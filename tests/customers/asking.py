"""What the contact policy makes of what a customer said."""

from __future__ import annotations

from sqlalchemy.orm import Session

from rapport.kit import clock
from rapport.outreach.policy import service
from rapport.outreach.policy.rules import Touch


def agrees_to_mail(session: Session, customer_id: int, purpose: str = "newsletter") -> bool:
    """Whether they agreed to mails for this purpose and refuse none, wherever they would go."""
    touch = Touch("test", "test", purpose, ("email",))
    why = service.barred(session, [customer_id], [touch], clock.now()).get(customer_id)
    return why not in {"no_consent", "refused_channel"}
