"""The outbox: sent once, retried, expired, wiped; on both databases."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from sqlalchemy import Engine, select

from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.languages import LANGUAGES
from rapport.kit.settings import Settings
from rapport.outreach import compose, rules, service
from rapport.outreach.mail import RefusedError, TryAgainError
from rapport.outreach.models import OutboxMessage
from rapport.outreach.tasks import send_due
from rapport.worker import Worker
from tests.outreach.queueing import FakeMailer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("settings")


def enqueue(
    engine: Engine,
    key: str = "k1",
    expires_at: datetime | None = None,
    recipient: str | None = "ann@example.com",
    purpose: str = "verification_code",
) -> bool:
    with session_scope(engine) as session:
        return service.enqueue(
            session,
            key=key,
            purpose=purpose,
            recipient=recipient,
            subject="Your code",
            text="123456",
            language="en",
            expires_at=expires_at,
        )


def only_row(engine: Engine) -> OutboxMessage:
    with read_scope(engine) as session:
        row = session.scalars(select(OutboxMessage)).one()
        session.expunge(row)
        return row


def assert_wiped(row: OutboxMessage) -> None:
    assert (row.recipient, row.subject, row.text) == (None, None, None)


@pytest.fixture(autouse=True)
def _still() -> Iterator[None]:
    with clock.freeze(NOW):
        yield


def test_a_mail_is_sent_once_and_wiped(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    mailer = FakeMailer()
    with caplog.at_level(logging.INFO):
        assert enqueue(engine)
        assert not enqueue(engine)
        assert send_due(engine, mailer) == 1
        assert send_due(engine, mailer) == 0
    [mail] = mailer.sent
    assert (mail["To"], mail["Subject"], mail.get_content()) == ("ann@example.com", "Your code", "123456\n")
    row = only_row(engine)
    assert (row.status, row.sent_at, row.attempts) == ("sent", NOW, 1)
    assert_wiped(row)
    assert "ann@" not in caplog.text
    assert "123456" not in caplog.text


def test_nothing_leaves_before_the_commit(engine: Engine) -> None:
    service.queued.clear()
    with pytest.raises(RuntimeError), session_scope(engine) as session:
        service.enqueue(
            session, key="k", purpose="p", recipient="a@b.no", subject="s", text="t", language="en"
        )
        assert not service.queued.is_set()
        raise RuntimeError
    assert not service.queued.is_set()
    assert send_due(engine, FakeMailer()) == 0
    enqueue(engine)
    assert service.queued.is_set()


def test_a_failure_is_tried_again_later_with_the_same_message_id(engine: Engine) -> None:
    mailer = FakeMailer(TryAgainError("451 later"), TryAgainError("451 later"))
    enqueue(engine)
    assert send_due(engine, mailer) == 0
    row = only_row(engine)
    assert (row.status, row.last_error, row.text) == ("queued", "451 later", "123456")
    assert row.next_attempt_at == NOW + rules.FIRST_DELAY
    with clock.freeze(NOW + rules.FIRST_DELAY):
        assert send_due(engine, mailer) == 0
    with clock.freeze(NOW + rules.FIRST_DELAY * 3):
        assert send_due(engine, mailer) == 1
    assert len(mailer.tried) == 3
    assert len(set(mailer.tried)) == 1
    assert mailer.sent[0]["Date"].datetime == NOW


def test_a_refused_mail_is_given_up(engine: Engine) -> None:
    enqueue(engine)
    assert send_due(engine, FakeMailer(RefusedError("550 no such user"))) == 0
    row = only_row(engine)
    assert (row.status, row.last_error) == ("failed", "550 no such user")
    assert_wiped(row)


def test_an_expired_mail_is_dropped_on_time(engine: Engine) -> None:
    mailer = FakeMailer(*[TryAgainError("down")] * 100)
    expires_at = NOW + timedelta(minutes=10)
    enqueue(engine, expires_at=expires_at)
    at = NOW
    while only_row(engine).status == "queued":
        at = only_row(engine).next_attempt_at
        with clock.freeze(at):
            assert send_due(engine, mailer) == 0
    assert at == expires_at
    row = only_row(engine)
    assert (row.status, row.last_error) == ("failed", "expired before it could be sent")
    assert_wiped(row)


def test_it_stops_trying_some_day(engine: Engine) -> None:
    enqueue(engine)
    mailer = FakeMailer(*[TryAgainError("down")] * 100)
    while only_row(engine).status == "queued":
        with clock.freeze(only_row(engine).next_attempt_at):
            send_due(engine, mailer)
    assert len(mailer.tried) == rules.MAX_ATTEMPTS
    assert_wiped(only_row(engine))


def test_a_crash_while_sending_repeats_the_same_mail(engine: Engine) -> None:
    class Crash(BaseException):
        pass

    class Crashing(FakeMailer):
        def send(self, mail: EmailMessage) -> None:
            super().send(mail)
            raise Crash

    enqueue(engine)
    first, second = Crashing(), FakeMailer()
    with pytest.raises(Crash):
        send_due(engine, first)
    assert send_due(engine, second) == 0, "the lease still holds"
    with clock.freeze(NOW + rules.LEASE):
        assert send_due(engine, second) == 1
    assert first.sent[0]["Message-ID"] == second.sent[0]["Message-ID"]


def test_a_mail_that_cannot_be_written_is_given_up(engine: Engine) -> None:
    enqueue(engine, recipient="a@b.no\r\nBcc: eve@example.com")
    assert send_due(engine, FakeMailer()) == 0
    assert only_row(engine).status == "failed"


def test_nobody_to_send_to_leaves_no_text(engine: Engine) -> None:
    enqueue(engine, recipient=None)
    assert_wiped(only_row(engine))
    assert send_due(engine, FakeMailer()) == 0


def test_what_is_cancelled_is_not_sent(engine: Engine) -> None:
    enqueue(engine)
    with session_scope(engine) as session:
        service.cancel(session, "k1")
        service.cancel(session, "unknown")
    assert send_due(engine, FakeMailer()) == 0
    assert_wiped(only_row(engine))


def test_what_is_in_hand_when_it_is_cancelled_is_not_tried_again(engine: Engine) -> None:
    class Leaving(FakeMailer):
        """The customer leaves while their mail is on its way."""

        def send(self, mail: EmailMessage) -> None:
            with session_scope(engine) as session:
                service.cancel_unasked(session, ["ann@example.com"])
            super().send(mail)

    enqueue(engine, purpose="newsletter")
    assert send_due(engine, Leaving(TryAgainError("down"))) == 0
    with clock.freeze(NOW + rules.FIRST_DELAY):
        assert send_due(engine, FakeMailer()) == 0
    assert only_row(engine).status == "failed"
    assert_wiped(only_row(engine))


def test_two_workers_never_send_the_same_mail(engine: Engine) -> None:
    for number in range(20):
        enqueue(engine, f"k{number}")
    mailers = [FakeMailer() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        sent = sum(pool.map(lambda mailer: send_due(engine, mailer), mailers))
    assert sent == 20
    assert len({mail["Message-ID"] for mailer in mailers for mail in mailer.sent}) == 20


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_worker_sends_after_the_commit_and_again_when_it_is_time(engine: Engine) -> None:
    mailer = FakeMailer(TryAgainError("down"))
    worker = Worker(engine, mailer)
    worker.start()
    try:
        time.sleep(0.2)  # it has looked and found nothing
        enqueue(engine)
        wait_until(lambda: only_row(engine).last_error == "down")
        with clock.freeze(NOW + timedelta(minutes=1)):
            wait_until(lambda: only_row(engine).status == "sent")
    finally:
        worker.stop()
    assert len(mailer.sent) == 1


def test_the_worker_outlives_a_crash(engine: Engine) -> None:
    class Broken(FakeMailer):
        def send(self, mail: EmailMessage) -> None:
            if not self.tried:
                self.tried.append("")
                raise RuntimeError("ann@example.com")
            super().send(mail)

    mailer = Broken()
    worker = Worker(engine, mailer)
    enqueue(engine)
    worker.start()
    try:
        wait_until(lambda: mailer.tried == [""])
        with clock.freeze(NOW + rules.LEASE):
            enqueue(engine, "k2")
            wait_until(lambda: len(mailer.sent) == 2)
    finally:
        worker.stop()


@pytest.mark.parametrize("purpose", compose.purposes())
def test_every_text_stands_in_all_languages(settings: Settings, purpose: str) -> None:
    values: dict[str, str | int] = {
        "code": "123456",
        "minutes": 10,
        "days": 7,
        "name": "Ada",
        "link": "https://x",
        "what": "it",
        "case": 7,
        "text": "All is well.",
    }
    written = [compose.compose(purpose, language, **values) for language in LANGUAGES]
    assert len({mail.text for mail in written}) == len(LANGUAGES)
    for mail in written:
        assert "Fjordly" in mail.subject
        assert "{" not in mail.subject + mail.text
    if purpose == "verification_code":
        assert all("123456" in mail.text and "123456" not in mail.subject for mail in written)
