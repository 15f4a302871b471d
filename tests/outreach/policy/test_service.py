"""The facts behind a decision, read from the database; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from rapport.customers import service as customers
from rapport.customers.models import ContactPolicy, Identity
from rapport.kit import clock
from rapport.kit.settings import Settings
from rapport.outreach.policy import service
from rapport.outreach.policy.rules import Touch

# A Monday, noon in Oslo.
NOW = datetime(2026, 3, 2, 11, tzinfo=UTC)
NEWS = Touch("welcome", "first", "newsletter", ("email", "whatsapp", "telegram", "messenger", "sms", "phone"))


@pytest.fixture(autouse=True)
def _still(settings: Settings) -> Iterator[None]:
    with clock.freeze(NOW):
        yield


@pytest.fixture
def ann(session: Session) -> int:
    """Has shown that her mail is hers, and wants the newsletter there."""
    ann = customers.ensure_customer(session, identities=[("email", "ann@example.com")])
    session.query(Identity).one().verified_at = NOW - timedelta(days=9)
    agree(session, ann.id)
    return ann.id


def agree(session: Session, customer_id: int, granted: bool = True, channel: str = "email") -> None:
    customers.record_consent(
        session,
        customer_id,
        purpose="newsletter",
        channel=channel,
        granted=granted,
        wording_version="chat-1",
        source="test",
    )


def test_who_agreed_and_can_be_reached_gets_it(session: Session, ann: int) -> None:
    decision = service.decide(session, ann, NEWS, NOW)
    assert (decision.outcome, decision.reason, decision.channel) == ("send", "allowed", "email")
    assert decision.facts["per_month"] == 4
    assert service.mailbox_of(session, ann) == "ann@example.com"


def test_a_pause_puts_it_off(session: Session, ann: int) -> None:
    session.add(ContactPolicy(customer_id=ann, paused_until=NOW + timedelta(days=7)))
    session.flush()
    decision = service.decide(session, ann, NEWS, NOW)
    assert (decision.outcome, decision.reason) == ("later", "paused")
    assert decision.until == NOW + timedelta(days=7)
