"""The facts behind a decision, read from the database; on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.channels.models import ContactPoint
from rapport.conversations.models import Conversation
from rapport.customers import service as customers
from rapport.customers.models import ConsentEvent, ContactPolicy, Customer, Identity
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import NotFoundError
from rapport.kit.settings import Settings, get_settings
from rapport.mentions.models import Mention
from rapport.outreach import repository as outbox
from rapport.outreach import rules as outreach_rules
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.outreach.policy import repository, service
from rapport.outreach.policy.models import ContactDecision
from rapport.outreach.policy.rules import Touch
from rapport.value.models import CustomerValue
from tests.plans import read_whole, statements

# A Monday, noon in Oslo.
NOW = datetime(2026, 3, 2, 11, tzinfo=UTC)
DAY = timedelta(days=1)
CHANNELS = ("email", "whatsapp", "telegram", "messenger", "sms", "phone")
NEWS = Touch("welcome", "first", "newsletter", CHANNELS)
DEAR = Touch("win_back", "gift", "newsletter", CHANNELS, cost="medium")


@pytest.fixture(autouse=True)
def _still(settings: Settings) -> Iterator[None]:
    with clock.freeze(NOW):
        yield


@pytest.fixture
def ann(session: Session) -> int:
    return known_by_mail(session)


def known_by_mail(session: Session) -> int:
    """Has shown that her mail is hers, and wants the newsletter there."""
    ann = customers.ensure_customer(session, identities=[("email", "ann@example.com")], country="NO")
    session.scalars(select(Identity)).one().verified_at = NOW - 9 * DAY
    agree(session, ann.id)
    return ann.id


def agree(session: Session, customer_id: int, granted: bool = True, wording: str = "chat-1") -> None:
    customers.record_consent(
        session,
        customer_id,
        purpose="newsletter",
        channel="email",
        granted=granted,
        wording_version=wording,
        source="test",
    )


def wishes(session: Session, customer_id: int, **values: Any) -> None:
    session.add(ContactPolicy(customer_id=customer_id, **{"refused_channels": [], **values}))


def unverified(session: Session) -> None:
    session.scalars(select(Identity)).one().verified_at = None


def hashed(address: str) -> str:
    return outreach_rules.address_hash(get_settings().secret_key.get_secret_value(), address)


def talk(session: Session, customer_id: int | None = None, **values: Any) -> str:
    found = Conversation(customer_id=customer_id, **{"channel": "web", "language": "en", **values})
    session.add(found)
    session.flush()
    return found.id


def app(
    session: Session, customer_id: int, preferred: str | None = None, status: str = "bot", **values: Any
) -> str:
    """They write from Telegram."""
    conversation_id = talk(session, channel="telegram", status=status)
    point = ContactPoint(
        channel="telegram",
        address="77",
        conversation_id=conversation_id,
        customer_id=customer_id,
        last_inbound_at=NOW - 9 * DAY,
        **values,
    )
    session.add(point)
    if preferred:
        wishes(session, customer_id, preferred_channel=preferred)
    return conversation_id


def valued(session: Session, customer_id: int, clv_minor: int) -> None:
    bought = {"orders": 1, "buying_days": 1, "revenue_minor": 1, "costed_minor": 0, "margin_minor": 0}
    session.add(CustomerValue(customer_id=customer_id, clv_minor=clv_minor, **bought))


def case(session: Session, **values: Any) -> None:
    made = {"kind": "complaint", "text": "t", "language": "en", "message_key": "k", **values}
    session.add(Case(**made))


def mention(session: Session, customer_id: int, kind: str = "complaint", **values: Any) -> None:
    session.add(
        Mention(
            source="mastodon",
            source_id="1",
            author="ann",
            text="t",
            language="en",
            at=NOW - DAY,
            kind=kind,
            customer_id=customer_id,
            **values,
        )
    )


def mention_with_case(session: Session, customer_id: int, kind: str) -> None:
    case(session, id=5, customer_id=customer_id, kind="mention", message_key="mention:1:1")
    session.flush()
    mention(session, customer_id, kind, case_id=5, state="case")


def written(session: Session, customer_id: int, at: datetime, outcome: str = "send") -> None:
    session.add(
        ContactDecision(
            customer_id=customer_id, journey="j", step="s", outcome=outcome, reason="allowed", at=at
        )
    )


def change(session: Session, customer_id: int, **values: Any) -> None:
    for name, value in values.items():
        setattr(session.get_one(Customer, customer_id), name, value)


# What becomes of a decision once something is known of the customer.
KNOWN: dict[str, tuple[Callable[[Session, int], object], str, str | None]] = {
    "nothing more": (lambda session, ann: None, "allowed", "email"),
    "withdrawn": (lambda session, ann: agree(session, ann, granted=False), "no_consent", None),
    "left": (lambda session, ann: wishes(session, ann, left_at=NOW + DAY), "no_consent", None),
    "refused": (
        lambda session, ann: wishes(session, ann, refused_channels=["email"]),
        "refused_channel",
        None,
    ),
    "prefers an app": (lambda session, ann: app(session, ann, preferred="telegram"), "allowed", "telegram"),
    "said STOP there": (
        lambda session, ann: app(session, ann, preferred="telegram", stopped_at=NOW - DAY),
        "allowed",
        "email",
    ),
    "blocked us there": (
        lambda session, ann: app(session, ann, preferred="telegram", unreachable_since=NOW),
        "allowed",
        "email",
    ),
    "mail not shown to be theirs": (lambda session, ann: unverified(session), "no_channel", None),
    "mail agreed to in a file": (
        lambda session, ann: (unverified(session), agree(session, ann, wording="imported")),
        "allowed",
        "email",
    ),
    "mail came back": (
        lambda session, ann: outbox.note_trouble(session, hashed("ann@example.com"), True, "550", NOW),
        "unreachable",
        None,
    ),
    "worth nothing": (lambda session, ann: valued(session, ann, 500), "too_costly", None),
    "worth enough": (lambda session, ann: valued(session, ann, 9000), "allowed", "email"),
    "complained": (lambda session, ann: case(session, customer_id=ann), "open_complaint", None),
    "complained in a talk": (
        lambda session, ann: case(session, conversation_id=talk(session, customer_id=ann)),
        "open_complaint",
        None,
    ),
    "complained in an app": (
        lambda session, ann: case(session, conversation_id=app(session, ann)),
        "open_complaint",
        None,
    ),
    "complained, solved": (
        lambda session, ann: case(session, customer_id=ann, resolved_at=NOW),
        "allowed",
        "email",
    ),
    "wants to be called": (
        lambda session, ann: case(session, customer_id=ann, kind="callback"),
        "allowed",
        "email",
    ),
    "complained in public": (lambda session, ann: mention(session, ann), "bad_mention", None),
    "complained in public, somebody is at it": (
        lambda session, ann: mention_with_case(session, ann, "complaint"),
        "bad_mention",
        None,
    ),
    "doubted in public": (
        lambda session, ann: mention_with_case(session, ann, "doubt"),
        "allowed",
        "email",
    ),
    "told us of a bad word": (
        lambda session, ann: case(session, customer_id=ann, kind="mention", message_key="staff:1"),
        "bad_mention",
        None,
    ),
    "paused": (lambda session, ann: wishes(session, ann, paused_until=NOW + DAY), "paused", None),
    "with staff": (
        lambda session, ann: talk(session, customer_id=ann, status="human"),
        "handled_by_staff",
        None,
    ),
    "with staff in an app": (
        lambda session, ann: app(session, ann, status="waiting"),
        "handled_by_staff",
        None,
    ),
    "with staff, long ago": (
        lambda session, ann: talk(session, customer_id=ann, status="human", updated_at=NOW - 2 * DAY),
        "allowed",
        "email",
    ),
    "written to yesterday": (lambda session, ann: written(session, ann, NOW - DAY), "too_many", None),
    "written to as often as they want": (
        lambda session, ann: (
            wishes(session, ann, max_per_month=1),
            written(session, ann, NOW - 29 * DAY),
        ),
        "too_many",
        None,
    ),
    "not written to, but thought of": (
        lambda session, ann: written(session, ann, NOW - DAY, outcome="never"),
        "allowed",
        "email",
    ),
    "in Lima": (lambda session, ann: change(session, ann, timezone="America/Lima"), "quiet_hours", None),
    "in America": (lambda session, ann: change(session, ann, country="US"), "quiet_hours", None),
}


def test_what_is_known_decides(session: Session, ann: int) -> None:
    wrong = {}
    for name, (known, reason, channel) in KNOWN.items():
        before = session.begin_nested()
        known(session, ann)
        session.flush()
        decision = service.decide(session, ann, DEAR, NOW)
        before.rollback()
        if (decision.reason, decision.channel) != (reason, channel):
            wrong[name] = (decision.reason, decision.channel)
    assert wrong == {}


def test_a_decision_is_kept_with_what_it_rests_on(session: Session, ann: int) -> None:
    entry = JourneyEntry(customer_id=ann, journey="welcome", trigger_key="k", variant="a", anchor_at=NOW)
    session.add(entry)
    session.flush()
    step = JourneyStep(
        entry_id=entry.id,
        customer_id=ann,
        journey="welcome",
        step="first",
        trigger_key="k",
        due_at=NOW,
        planned_at=NOW,
    )
    session.add(step)
    session.flush()
    wishes(session, ann, paused_until=NOW + DAY)
    repository.add(session, step, service.decide(session, ann, NEWS, NOW))
    with clock.freeze(NOW + DAY):
        repository.add(session, step, service.decide(session, ann, NEWS, NOW + DAY), {"variant": "a"})
        step.status = "sent"
    sent, later = service.decisions_of(session, ann)
    consent = session.scalars(select(ConsentEvent.id)).one()
    assert (later.outcome, later.reason, later.until) == ("later", "paused", NOW + DAY)
    assert (sent.outcome, sent.channel, sent.step_id) == ("send", "email", step.id)
    assert sent.facts["consent"] == consent and sent.facts["variant"] == "a"
    assert sent.facts["zones"] == ["Europe/Oslo"] and sent.facts["hour"] == 12
    assert "ann" not in str(sent.facts).lower()
    # Of a step that was put off only what came of it is told.
    [told] = service.told(session, ann, "en")
    assert told.sent and told.at == NOW + DAY
    assert service.last_sent(session, ann) == NOW + DAY
    with clock.freeze(NOW + 2 * DAY):
        assert service.decide(session, ann, NEWS, NOW + 2 * DAY).reason == "too_many"


def test_nobody_is_no_customer(session: Session) -> None:
    with pytest.raises(NotFoundError):
        service.decide(session, 7, NEWS, NOW)


def test_few_statements_decide_and_each_goes_through_an_index(engine: Engine) -> None:
    with session_scope(engine) as session:
        ann = known_by_mail(session)
    with statements(engine) as asked, read_scope(engine) as session:
        service.decide(session, ann, NEWS, NOW)
    assert len(asked) <= 9
    assert [read_whole(engine, one) for one in asked] == [[] for _ in asked]
