"""Customers: who is who, what they like, whether they may be written to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rapport.conversations.models import Conversation
from rapport.customers import contact, service
from rapport.customers.models import Customer, Interest
from rapport.customers.service import Preferences
from rapport.kit import clock
from rapport.kit.errors import NotFoundError
from tests.customers.asking import agrees_to_mail

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_customer(session: Session, email: str = "ann@example.com") -> Customer:
    return service.ensure_customer(session, identities=[("email", email)], name="Ann")


def a_conversation(session: Session, customer: Customer | None = None) -> Conversation:
    conversation = Conversation(channel="web", language="en")
    if customer:
        conversation.customer_id = customer.id
        conversation.verified_until = clock.now() + timedelta(minutes=5)
    session.add(conversation)
    session.flush()
    return conversation


def test_someone_is_found_by_any_of_their_names(session: Session) -> None:
    ann = service.ensure_customer(
        session,
        references=[("shop", "17")],
        identities=[("email", "Ann@Example.com"), ("phone", "912 34 567"), ("email", "nonsense")],
        name="Ann",
        country="NO",
        birthday=date(1990, 5, 17),
    )
    assert service.find_by_identity(session, "email", "ANN@example.com") is ann
    assert service.find_by_identity(session, "phone", "+47 91234567") is ann
    assert service.find_by_identity(session, "email", "nonsense") is None
    assert service.find_by_identity(session, "email", "bob@example.com") is None


def test_the_same_person_again_changes_only_what_is_given(session: Session) -> None:
    ann = service.ensure_customer(session, references=[("shop", "17")], name="Ann", language="nb")
    again = service.ensure_customer(
        session,
        references=[("shop", "17"), ("csv", "a")],
        identities=[("email", "ann@example.com")],
        name="Anna",
    )
    assert again is ann
    assert (ann.name, ann.language) == ("Anna", "nb")
    assert service.ensure_customer(session, references=[("csv", "a")]) is ann
    assert session.scalar(select(func.count()).select_from(Customer)) == 1


def test_two_people_are_never_made_one(session: Session) -> None:
    ann = a_customer(session)
    bob = service.ensure_customer(session, references=[("shop", "2")], name="Bob")
    same = service.ensure_customer(
        session, references=[("shop", "2")], identities=[("email", "ann@example.com")]
    )
    assert same is bob
    assert service.find_by_identity(session, "email", "ann@example.com") is ann


def test_an_interest_is_noted_once(session: Session) -> None:
    ann = a_customer(session)
    conversation = a_conversation(session, ann)
    service.record_interest(session, conversation, "tents")
    service.record_interest(session, conversation, "tents")
    service.record_interest(session, conversation, "boots")
    assert service.preferences(session, ann.id).interests == ("tents", "boots")


def test_a_strangers_interest_stays_with_the_conversation(session: Session) -> None:
    conversation = a_conversation(session)
    service.record_interest(session, conversation, "tents")
    service.record_interest(session, conversation, "tents")
    interest = session.scalars(select(Interest)).one()
    assert (interest.customer_id, interest.conversation_id) == (None, conversation.id)


def test_an_expired_verification_gets_nothing_noted(session: Session) -> None:
    ann = a_customer(session)
    conversation = a_conversation(session, ann)
    conversation.verified_until = clock.now() - timedelta(seconds=1)
    service.record_interest(session, conversation, "tents")
    assert service.preferences(session, ann.id).interests == ()


def test_preferences_are_read_back(session: Session) -> None:
    ann = a_customer(session)
    assert service.preferences(session, ann.id) == Preferences("Ann", None, (), None)
    contact.set_channels(session, ann.id, "sms")
    contact.set_channels(session, ann.id, "whatsapp")
    assert service.preferences(session, ann.id).channel == "whatsapp"
    with pytest.raises(NotFoundError):
        service.preferences(session, ann.id + 1)


def consent(session: Session, customer_id: int, granted: bool, at: datetime, purpose: str = "news") -> None:
    service.record_consent(
        session,
        customer_id,
        purpose=purpose,
        channel="email",
        granted=granted,
        wording_version="2026-01",
        source="test",
        at=at,
    )


def test_the_latest_word_counts(session: Session) -> None:
    ann = a_customer(session)
    consent(session, ann.id, True, NOW)
    consent(session, ann.id, False, NOW + timedelta(days=1))
    assert not agrees_to_mail(session, ann.id, "news")
    consent(session, ann.id, True, NOW - timedelta(days=1))  # an older record imported later changes nothing
    assert not agrees_to_mail(session, ann.id, "news")
    consent(session, ann.id, True, NOW + timedelta(days=1))  # said at the same moment: the later entry
    assert agrees_to_mail(session, ann.id, "news")
