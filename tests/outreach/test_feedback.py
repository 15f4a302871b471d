"""What comes back about mails: who is not there, whose mailbox is full, and who complains."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from rapport.channels import mail_feedback
from rapport.channels.base import Report
from rapport.customers import contact
from rapport.customers import repository as customers
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.settings import Settings
from rapport.outreach import repository, rules
from rapport.outreach.tasks import send_due
from tests.outreach.queueing import ANN, FakeMailer, a_customer, queue, row, statuses

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday morning: nobody is asleep


@pytest.fixture(autouse=True)
def _still(settings: Settings) -> Iterator[None]:
    with clock.freeze(NOW):
        yield


@pytest.fixture
def ann(engine: Engine) -> int:
    return a_customer(engine)


def send(engine: Engine, customer_id: int, key: str, purpose: str = "tips") -> str:
    """A mail that was sent; its Message-ID."""
    queue(engine, customer_id, purpose, [key])
    assert send_due(engine, FakeMailer()) == 1
    return row(engine, key).message_id


def tell(engine: Engine, *reports: Report) -> None:
    with session_scope(engine) as session:
        for report in reports:
            mail_feedback.take(session, report)


def trouble(engine: Engine) -> str | None:
    with read_scope(engine) as session:
        return repository.unreachable(session, ANN)


def test_a_hard_bounce_ends_mail_to_the_address(engine: Engine, ann: int) -> None:
    report = Report(send(engine, ann, "a"), "failed", "bounced: 5.1.1", gone=True)
    assert trouble(engine) is None
    tell(engine, Report("<nobody@fjordly.example>", "failed", "bounced: 5.1.1", gone=True))
    assert trouble(engine) is None
    tell(engine, report, report)
    assert (row(engine, "a").status, row(engine, "a").last_error) == ("bounced", "bounced: 5.1.1")
    assert trouble(engine) == "bounced: 5.1.1"
    with clock.freeze(NOW + timedelta(days=3650)):
        assert trouble(engine) == "bounced: 5.1.1"


def test_soft_bounces_are_counted_once_each(engine: Engine, ann: int) -> None:
    for number in range(rules.SOFT_BOUNCES):
        assert trouble(engine) is None
        report = Report(send(engine, ann, str(number)), "failed", "bounced: 5.2.2")
        tell(engine, report, report)
    assert trouble(engine) == "bounced: 5.2.2"
    with clock.freeze(NOW + rules.SOFT_FOR + timedelta(days=1)):
        assert trouble(engine) is None


def test_what_was_in_doubt_and_came_back_did_not_arrive(engine: Engine, ann: int) -> None:
    message_id = send(engine, ann, "a")
    with session_scope(engine) as session:
        message = repository.by_message_id(session, message_id)
        assert message is not None
        message.status = "unknown"
    tell(engine, Report(message_id, "failed", "bounced: 4.4.7"))
    assert statuses(engine) == ["bounced"]


@pytest.mark.parametrize("reason", ["complaint", "unsubscribed"])
def test_a_refusal_counts_at_once(engine: Engine, ann: int, reason: str) -> None:
    message_id = send(engine, ann, "a")
    queue(engine, ann, "alerts", ["waits"])
    report = Report(message_id, "refused", reason)
    tell(engine, report)
    assert send_due(engine, FakeMailer()) == 0
    assert row(engine, "waits").last_error == "cancelled"
    complained = reason == "complaint"
    assert (row(engine, "a").complained_at == NOW) is complained
    with session_scope(engine) as session:
        assert not contact.is_subscribed(session, ann)
        policy = customers.policy_of(session, ann)
        assert policy is not None and ("email" in policy.refused_channels) is complained
        contact.subscribe(session, ann, "message-1")
    # A complaint that is told again must not undo what they said since; another click of theirs must.
    tell(engine, report)
    with session_scope(engine) as session:
        assert contact.is_subscribed(session, ann) is complained


def test_who_complains_of_what_they_asked_for_is_left_alone_as_well(engine: Engine, ann: int) -> None:
    message_id = send(engine, ann, "a", "case_answer")
    tell(engine, Report(message_id, "refused", "complaint"))
    with read_scope(engine) as session:
        assert not contact.is_subscribed(session, ann)


def test_nobody_elses_mail_is_anybodys_refusal(engine: Engine, ann: int) -> None:
    send(engine, ann, "a")
    tell(engine, Report("<nobody@fjordly.example>", "refused", "complaint"))
    with read_scope(engine) as session:
        assert contact.is_subscribed(session, ann)
