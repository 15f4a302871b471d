"""What somebody chooses on a page; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from rapport.customers import choices, contact, repository, service
from rapport.customers.choices import Said
from rapport.customers.models import ConsentEvent, ContactPolicy
from rapport.customers.rules import REFUSABLE
from rapport.kit import clock
from rapport.kit.errors import InvalidInputError
from rapport.kit.settings import Settings
from rapport.outreach import service as outreach
from rapport.outreach.models import OutboxMessage
from tests.customers.asking import agrees_to_mail

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN = "ann@example.com"
MAIL, TIPS, APP = ("newsletter", "email"), ("tips", "email"), ("newsletter", "whatsapp")
SAID = Said("page:1", "page-1", {"confirmed_at": "now"})


@pytest.fixture(autouse=True)
def _still(settings: Settings) -> Iterator[None]:
    with clock.freeze(NOW):
        yield


@pytest.fixture
def ann(session: Session) -> int:
    return service.ensure_customer(session, identities=[("email", ANN)]).id


def policy(session: Session, customer_id: int) -> ContactPolicy:
    session.flush()
    session.expire_all()
    return session.get_one(ContactPolicy, customer_id)


def queue(session: Session, key: str, purpose: str = "newsletter") -> None:
    outreach.enqueue(session, key=key, purpose=purpose, recipient=ANN, subject="s", text="t", language="en")


def queued(session: Session) -> set[str]:
    session.expire_all()
    return set(session.scalars(select(OutboxMessage.key).where(OutboxMessage.status == "queued")))


def test_a_yes_is_appended_once_and_with_its_proof(session: Session, ann: int) -> None:
    assert choices.agree(session, ann, [MAIL, TIPS], SAID) == [MAIL, TIPS]
    assert choices.agree(session, ann, [TIPS, APP], SAID) == [APP]
    events = session.scalars(select(ConsentEvent).order_by(ConsentEvent.id)).all()
    assert [(event.purpose, event.channel) for event in events] == [MAIL, TIPS, APP]
    assert {(e.source, e.wording_version, str(e.proof)) for e in events} == {
        ("page:1", "page-1", "{'confirmed_at': 'now'}")
    }
    assert repository.stage_of(session, ann) == "interest"
    with pytest.raises(InvalidInputError):
        choices.agree(session, ann, [("newsletter", "pigeon")], SAID)


def test_who_ticks_a_refused_channel_has_it_again(session: Session, ann: int) -> None:
    choices.agree(session, ann, [MAIL], SAID)
    contact.set_channels(session, ann, refused=["email", "sms"])
    assert choices.agree(session, ann, [MAIL], SAID) == [MAIL]
    assert policy(session, ann).refused_channels == ["sms"]


def test_a_no_stops_what_is_queued_on_its_channel(session: Session, ann: int) -> None:
    choices.agree(session, ann, [MAIL, TIPS], SAID)
    queue(session, "news")
    queue(session, "code", "verification_code")
    queue(session, "confirm", "subscription")
    assert choices.withdraw(session, ann, [APP], SAID) == []
    assert queued(session) == {"news", "code", "confirm"}
    assert choices.withdraw(session, ann, [MAIL], SAID) == [MAIL]
    assert queued(session) == {"code", "confirm"}
    assert repository.granted_consents(session, ann) == [TIPS]
    assert choices.withdraw(session, ann, [MAIL], SAID) == []


def test_leaving_ends_all_purposes_and_can_be_repeated(session: Session, ann: int) -> None:
    choices.agree(session, ann, [MAIL, TIPS, APP], SAID)
    queue(session, "news")
    assert choices.leave(session, ann, SAID)
    assert queued(session) == set()
    assert repository.granted_consents(session, ann) == []
    assert not choices.leave(session, ann, SAID)
    assert len(session.scalars(select(ConsentEvent)).all()) == 6
    assert policy(session, ann).left_at == NOW


def test_goodbye_and_the_way_back(session: Session, ann: int) -> None:
    service.note(session, ann, "ordered")
    choices.agree(session, ann, [MAIL], SAID)
    contact.pause(session, ann, NOW + timedelta(days=9))
    choices.prefer(session, ann, "email")
    choices.say_goodbye(session, ann, SAID)
    gone = policy(session, ann)
    assert (gone.refused_channels, gone.preferred_channel, gone.paused_until) == ([*REFUSABLE], None, None)
    assert repository.stage_of(session, ann) == "know"
    assert not agrees_to_mail(session, ann)
    with clock.freeze(NOW + timedelta(seconds=1)):
        choices.agree(session, ann, [MAIL], SAID)
        assert agrees_to_mail(session, ann)
    assert "email" not in policy(session, ann).refused_channels


def test_the_phone_can_be_what_somebody_likes_best(session: Session, ann: int) -> None:
    contact.set_channels(session, ann, refused=["phone"])
    choices.prefer(session, ann, "phone")
    assert policy(session, ann).preferred_channel == "phone"
    assert policy(session, ann).refused_channels == []
    choices.prefer(session, ann, None)
    assert policy(session, ann).preferred_channel is None


def test_what_they_like_can_be_corrected(session: Session, ann: int) -> None:
    assert choices.like(session, ann, ["tents", "boots"], "page") == ["tents", "boots"]
    assert choices.like(session, ann, ["tents"], "page") == []
    assert choices.like_no_more(session, ann, ["tents", "skis"]) == ["tents"]
    assert repository.interests_of(session, ann) == ["boots"]
    assert repository.stage_of(session, ann) == "interest"
