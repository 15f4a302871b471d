"""What customers want to hear, how often and by which way; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from rapport.customers import contact, rules, service
from rapport.customers.models import ConsentEvent, ContactPolicy
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.errors import InvalidInputError
from rapport.kit.settings import Settings
from rapport.outreach import service as outreach
from rapport.outreach.models import OutboxMessage
from tests.customers.asking import agrees_to_mail

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN = "ann@example.com"


@pytest.fixture(autouse=True)
def _still(settings: Settings) -> Iterator[None]:
    with clock.freeze(NOW):
        yield


@pytest.fixture
def ann(session: Session) -> int:
    return a_customer(session, ANN, "ann@work.example")


def a_customer(session: Session, *addresses: str) -> int:
    return service.ensure_customer(session, identities=[("email", address) for address in addresses]).id


def policy(session: Session, customer_id: int) -> ContactPolicy:
    session.flush()
    session.expire_all()
    return session.get_one(ContactPolicy, customer_id)


def queue(session: Session, key: str, recipient: str, purpose: str = "newsletter") -> None:
    outreach.enqueue(
        session, key=key, purpose=purpose, recipient=recipient, subject="s", text="t", language="en"
    )


def queued(session: Session) -> set[str]:
    session.expire_all()
    return set(session.scalars(select(OutboxMessage.key).where(OutboxMessage.status == "queued")))


def consents(session: Session) -> list[tuple[str, str, bool, str]]:
    events = session.scalars(select(ConsentEvent).order_by(ConsentEvent.id))
    return [(event.purpose, event.channel, event.granted, event.source) for event in events]


# Channels


def test_preferring_a_channel_ends_its_refusal(session: Session, ann: int) -> None:
    contact.set_channels(session, ann, refused=["email", "phone", "sms"])
    assert policy(session, ann).refused_channels == ["email", "phone", "sms"]
    contact.set_channels(session, ann, "email", ["whatsapp", "sms"])
    assert policy(session, ann).preferred_channel == "email"
    assert policy(session, ann).refused_channels == ["phone", "whatsapp", "sms"]


def test_who_refuses_the_preferred_channel_prefers_none(session: Session, ann: int) -> None:
    contact.set_channels(session, ann, "sms")
    contact.set_channels(session, ann, refused=["sms"])
    assert policy(session, ann).preferred_channel is None


@pytest.mark.parametrize(
    ("preferred", "refused"), [("pigeon", []), ("", []), (None, ["pigeon"]), ("sms", ["sms"])]
)
def test_what_can_be_no_channel_changes_nothing(
    session: Session, ann: int, preferred: str | None, refused: list[str]
) -> None:
    with pytest.raises(InvalidInputError):
        contact.set_channels(session, ann, preferred, refused)
    assert session.get(ContactPolicy, ann) is None


def test_refusing_mail_stops_what_is_queued(session: Session, ann: int) -> None:
    bob = a_customer(session, "bob@example.com")
    queue(session, "a", ANN)
    queue(session, "b", "ann@work.example", "win_back")
    queue(session, "code", ANN, "verification_code")
    queue(session, "bobs", "bob@example.com")
    contact.set_channels(session, ann, refused=["sms"])
    assert queued(session) == {"a", "b", "code", "bobs"}
    contact.set_channels(session, ann, refused=["email"])
    assert queued(session) == {"code", "bobs"}
    dropped = session.scalars(select(OutboxMessage).where(OutboxMessage.key == "a")).one()
    assert (dropped.status, dropped.last_error) == ("failed", "cancelled")
    assert (dropped.recipient, dropped.subject, dropped.text) == (None, None, None)
    contact.set_channels(session, bob, refused=["phone"])
    assert queued(session) == {"code", "bobs"}


# How often


@pytest.mark.parametrize(
    ("wish", "current", "limit"),
    [
        ("less", None, 2),
        ("less", 30, 15),
        ("less", 3, 1),
        ("less", 1, 1),
        ("more", None, 8),
        ("more", 1, 2),
        ("more", 5, 8),
        ("more", 20, 20),
        ("1", 4, 1),
        ("30", None, 30),
        ("0", 4, 1),
        ("999", 4, 30),
        ("", 4, None),
        ("-1", 4, None),
        ("²", 4, None),
        ("1000", 4, None),
        ("often", 4, None),
    ],
)
def test_a_wish_becomes_a_limit(wish: str, current: int | None, limit: int | None) -> None:
    assert rules.new_limit(wish, current) == limit


def test_less_is_half_and_a_repeated_message_halves_once(session: Session, ann: int) -> None:
    assert contact.per_month(session, ann) == 4
    assert contact.set_frequency(session, ann, "less", "m1") == 2
    assert contact.set_frequency(session, ann, "less", "m1") == 2
    assert contact.set_frequency(session, ann, "less", "m2") == 1
    assert contact.set_frequency(session, ann, "8", "m3") == 8
    assert contact.per_month(session, ann) == policy(session, ann).max_per_month == 8
    with pytest.raises(InvalidInputError):
        contact.set_frequency(session, ann, "often", "m4")


def test_two_at_once_halve_twice(engine: Engine) -> None:
    with session_scope(engine) as session:
        ann = a_customer(session, ANN)
        contact.set_frequency(session, ann, "16", "m0")

    def less(key: str) -> int:
        with session_scope(engine) as session:
            return contact.set_frequency(session, ann, "less", key)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(less, ["m1", "m2", "m3", "m4"])) == [1, 2, 4, 8]


def test_the_first_wishes_of_a_customer_at_once(engine: Engine) -> None:
    with session_scope(engine) as session:
        ann = a_customer(session, ANN)

    def refuse(channel: str) -> None:
        with session_scope(engine) as session:
            contact.set_channels(session, ann, refused=[channel])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(refuse, ["sms", "phone", "whatsapp", "email"]))
    with session_scope(engine) as session:
        assert set(policy(session, ann).refused_channels) == {"sms", "phone", "whatsapp", "email"}


# Pauses


@pytest.mark.parametrize(
    ("period", "end"),
    [
        ("P1D", datetime(2026, 3, 1, 23, tzinfo=UTC)),  # midnight in Oslo
        ("P2W", datetime(2026, 3, 14, 23, tzinfo=UTC)),
        ("P3M", datetime(2026, 5, 31, 22, tzinfo=UTC)),  # summer time
        ("P1Y", datetime(2027, 2, 28, 23, tzinfo=UTC)),
        ("2026-09-01", datetime(2026, 8, 31, 22, tzinfo=UTC)),
        ("P24M", datetime(2028, 2, 29, 23, tzinfo=UTC)),
        ("P999Y", datetime(2028, 2, 29, 23, tzinfo=UTC)),
        ("2999-01-01", datetime(2028, 2, 29, 23, tzinfo=UTC)),
        ("2026-03-01", None),
        ("2020-01-01", None),
        ("P0D", None),
        ("", None),
        ("P3", None),
        ("P1000D", None),
        ("tomorrow", None),
    ],
)
def test_a_period_has_an_end(period: str, end: datetime | None) -> None:
    assert rules.pause_end(period, NOW, "Europe/Oslo") == end


def test_a_month_later_is_never_a_day_that_is_none() -> None:
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert rules.pause_end("P1M", at, "UTC") == datetime(2026, 2, 28, tzinfo=UTC)
    assert rules.pause_end("P1M", datetime(2026, 12, 31, tzinfo=UTC), "UTC") == datetime(
        2027, 1, 31, tzinfo=UTC
    )


def test_a_pause_and_its_end(session: Session, ann: int) -> None:
    queue(session, "a", ANN)
    until = NOW + timedelta(days=30)
    assert not contact.resume(session, ann, "m0")
    contact.pause(session, ann, until, "m1")
    assert contact.paused_until(session, ann) == until
    assert queued(session) == set()
    with clock.freeze(until):
        assert contact.paused_until(session, ann) is None
        assert not contact.resume(session, ann, "m2")
    assert contact.resume(session, ann, "m3")
    assert contact.resume(session, ann, "m3"), "the same message again"
    assert not contact.resume(session, ann, "m4")
    assert contact.paused_until(session, ann) is None


# Joining and leaving


def test_joining_is_proved_and_happens_once(session: Session, ann: int) -> None:
    assert not contact.is_subscribed(session, ann)
    assert contact.subscribe(session, ann, "c:1")
    assert contact.subscribe(session, ann, "c:1"), "the same message again"
    assert not contact.subscribe(session, ann, "c:2")
    assert consents(session) == [("newsletter", "email", True, "chat:c:1")]
    assert contact.is_subscribed(session, ann)
    assert agrees_to_mail(session, ann)


def test_who_joins_no_longer_refuses_mail(session: Session, ann: int) -> None:
    contact.subscribe(session, ann, "c:1")
    contact.set_channels(session, ann, refused=["email", "sms"])
    assert not agrees_to_mail(session, ann)
    assert contact.subscribe(session, ann, "c:2")
    assert contact.subscribe(session, ann, "c:2")
    assert policy(session, ann).refused_channels == ["sms"]
    assert agrees_to_mail(session, ann)
    assert len(consents(session)) == 2


def test_leaving_takes_back_everything(session: Session, ann: int) -> None:
    bob = a_customer(session, "bob@example.com")
    for customer_id, purpose, channel in [
        (ann, "newsletter", "email"),
        (ann, "win_back", "sms"),
        (bob, "newsletter", "email"),
    ]:
        service.record_consent(
            session,
            customer_id,
            purpose=purpose,
            channel=channel,
            granted=True,
            wording_version="1",
            source="checkout",
            at=NOW - timedelta(days=1),
        )
    queue(session, "a", ANN)
    queue(session, "code", ANN, "verification_code")
    assert contact.unsubscribe(session, ann, "c:1")
    assert contact.unsubscribe(session, ann, "c:1"), "the same message again"
    assert not contact.unsubscribe(session, ann, "c:2")
    withdrawn = [(purpose, channel) for purpose, channel, granted, _ in consents(session) if not granted]
    assert withdrawn == [("newsletter", "email"), ("win_back", "sms")]
    assert queued(session) == {"code"}
    assert not contact.is_subscribed(session, ann)
    assert contact.is_subscribed(session, bob)
    assert contact.subscribe(session, ann, "c:3"), "and back again"


def test_leaving_stops_the_mails_of_who_never_joined(session: Session, ann: int) -> None:
    queue(session, "a", ANN)
    assert not contact.unsubscribe(session, ann, "c:1")
    assert queued(session) == set()


def test_two_tabs_join_once(engine: Engine) -> None:
    with session_scope(engine) as session:
        ann = a_customer(session, ANN)

    def join(key: str) -> bool:
        with session_scope(engine) as session:
            return contact.subscribe(session, ann, key)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(join, ["1", "2", "3", "4"])) == [False, False, False, True]
