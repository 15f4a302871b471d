"""What nobody asked for: sent once at most, never after a refusal, and never where nobody could leave."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from rapport.cases.models import Case
from rapport.customers import contact
from rapport.customers import service as customers
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.settings import Settings, get_settings
from rapport.outreach import repository, rules, service
from rapport.outreach.mail import HandOver, InDoubtError, RefusedError, TryAgainError
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


class Crash(BaseException):
    """As when the process is killed."""


class Crashing(FakeMailer):
    """Its process is killed once the server has the mail."""

    def send(self, mail: EmailMessage) -> None:
        super().send(mail)
        raise Crash


class Refusing(FakeMailer):
    """The customer leaves while the connection is made, which can take its time."""

    def __init__(self, engine: Engine, customer_id: int, at: int) -> None:
        super().__init__()
        self._engine, self._customer_id, self._at = engine, customer_id, at

    @contextmanager
    def line(self) -> Iterator[HandOver]:
        if len(self.sent) == self._at:
            with session_scope(self._engine) as session:
                contact.unsubscribe(session, self._customer_id, "message-1")
        yield self.send


def test_what_a_kill_leaves_in_doubt_is_not_repeated(engine: Engine, ann: int) -> None:
    queue(engine, ann, "tips", ["unasked"])
    with pytest.raises(Crash):
        send_due(engine, Crashing())
    queue(engine, ann, "verification_code", ["asked"])
    with pytest.raises(Crash):
        send_due(engine, asked := Crashing())
    assert row(engine, "unasked").status == "sending"
    after = FakeMailer()
    assert send_due(engine, after) == 0, "both leases still hold"
    with clock.freeze(NOW + rules.LEASE):
        assert send_due(engine, after) == 1
    assert [mail["Message-ID"] for mail in after.sent] == asked.tried
    left = row(engine, "unasked")
    assert (left.status, left.recipient, left.subject, left.text) == ("unknown", None, None, None)
    with clock.freeze(NOW + timedelta(days=9)):
        assert send_due(engine, after) == 0


def test_a_kill_before_it_was_handed_over_loses_nothing(engine: Engine, ann: int) -> None:
    class Killed(FakeMailer):
        @contextmanager
        def line(self) -> Iterator[HandOver]:
            raise Crash
            yield self.send

    queue(engine, ann)
    with pytest.raises(Crash):
        send_due(engine, Killed())
    with clock.freeze(NOW + rules.LEASE):
        assert send_due(engine, FakeMailer()) == 1


def test_a_worker_that_was_asleep_does_not_bring_back_what_was_given_up(engine: Engine, ann: int) -> None:
    class Slow(FakeMailer):
        """Another worker comes by while this one sends, and finds its lease run out."""

        def send(self, mail: EmailMessage) -> None:
            with clock.freeze(NOW + rules.LEASE):
                assert send_due(engine, FakeMailer()) == 0
            raise TryAgainError("451 later")

    queue(engine, ann)
    assert send_due(engine, Slow()) == 0
    assert row(engine).status == "unknown"


@pytest.mark.parametrize(
    ("purpose", "error", "status"),
    [
        ("tips", InDoubtError("no answer"), "unknown"),
        ("case_answer", InDoubtError("no answer"), "queued"),
        ("tips", TryAgainError("451 later"), "queued"),
        ("tips", RefusedError("554 no"), "failed"),
    ],
)
def test_what_the_servers_silence_means(
    engine: Engine, ann: int, purpose: str, error: Exception, status: str
) -> None:
    queue(engine, ann, purpose)
    assert send_due(engine, FakeMailer(error)) == 0
    found = row(engine)
    assert (found.status, found.lease_until) == (status, None)
    with clock.freeze(NOW + rules.FIRST_DELAY):
        assert send_due(engine, FakeMailer()) == (1 if status == "queued" else 0)


@pytest.mark.parametrize("already", [0, 3])
def test_a_refusal_in_the_middle_of_a_batch_ends_it(engine: Engine, ann: int, already: int) -> None:
    bob = a_customer(engine, "bob@example.com")
    queue(engine, ann, keys=[f"k{number}" for number in range(8)])
    queue(engine, bob, keys=["bobs"], recipient="bob@example.com")
    mailer = Refusing(engine, ann, already)
    send_due(engine, mailer)
    assert [mail["To"] for mail in mailer.sent] == [ANN] * already + ["bob@example.com"]
    assert statuses(engine) == ["sent"] * already + ["failed"] * (8 - already) + ["sent"]
    dropped = row(engine, "k7")
    assert (dropped.last_error, dropped.cancelled_at, dropped.text) == ("cancelled", NOW, None)


def test_a_code_is_not_refused_and_does_not_wait_behind_news(engine: Engine, ann: int) -> None:
    queue(engine, ann, keys=["a", "b"])
    with clock.freeze(NOW + timedelta(seconds=5)):
        queue(engine, ann, "verification_code", ["code"])
        mailer = Refusing(engine, ann, 0)
        assert send_due(engine, mailer) == 1
    assert mailer.sent[0]["Message-ID"] == row(engine, "code").message_id


def test_a_refusal_while_it_is_handed_over_is_the_end_of_tries(engine: Engine, ann: int) -> None:
    class Leaving(FakeMailer):
        def send(self, mail: EmailMessage) -> None:
            with session_scope(engine) as session:
                contact.unsubscribe(session, ann, "message-1")
            raise TryAgainError("451 later")

    queue(engine, ann)
    assert send_due(engine, Leaving()) == 0
    assert (row(engine).status, row(engine).last_error, row(engine).recipient) == (
        "failed",
        "cancelled",
        None,
    )


def test_a_refusal_counts_whatever_address_it_was_queued_for(engine: Engine, ann: int) -> None:
    queue(engine, ann, recipient="ann.before@example.com")
    with session_scope(engine) as session:
        contact.unsubscribe(session, ann, "message-1")
    assert send_due(engine, FakeMailer()) == 0


def test_nobody_is_written_to_who_could_not_leave(engine: Engine) -> None:
    queue(engine, None)
    assert send_due(engine, FakeMailer()) == 0
    assert row(engine).status == "failed"


@pytest.mark.parametrize("public", [None, "http://chat.fjordly.example", "https://chat.fjordly.example>"])
def test_without_a_safe_address_of_ours_nothing_unasked_leaves(
    engine: Engine, ann: int, monkeypatch: pytest.MonkeyPatch, public: str | None
) -> None:
    monkeypatch.setenv("RAPPORT_SMTP_HOST", "mail.fjordly.example")
    if public:
        monkeypatch.setenv("RAPPORT_PUBLIC_URL", public)
    get_settings.cache_clear()
    queue(engine, ann)
    queue(engine, ann, "verification_code", ["code"])
    mailer = FakeMailer()
    assert send_due(engine, mailer) == 1
    assert "RAPPORT_PUBLIC_URL" in (row(engine).last_error or "")
    monkeypatch.setenv("RAPPORT_PUBLIC_URL", "https://chat.fjordly.example")
    get_settings.cache_clear()
    with clock.freeze(NOW + rules.FIRST_DELAY):
        assert send_due(engine, mailer) == 1


def test_while_the_server_is_away_the_others_keep_their_tries(engine: Engine, ann: int) -> None:
    queue(engine, ann, keys=["a", "b", "c"])
    assert send_due(engine, FakeMailer(TryAgainError("421 closing", server=True))) == 0
    assert [row(engine, key).attempts for key in "abc"] == [1, 0, 0]
    with clock.freeze(NOW + rules.FIRST_DELAY):
        assert send_due(engine, FakeMailer()) == 3


def test_a_mail_is_tried_for_two_days() -> None:
    """Put off for hours, as servers do that are out of order; not for ever."""
    attempts, at = 1, NOW
    while (again := rules.next_attempt(attempts, at, None)) is not None:
        attempts, at = attempts + 1, again
    assert timedelta(days=2) < at - NOW < timedelta(days=3)


# --- addresses mails come back from -------------------------------------------------------------------------


def test_who_is_gone_at_the_door_gets_nothing_unasked_any_more(engine: Engine, ann: int) -> None:
    queue(engine, ann)
    send_due(engine, FakeMailer(RefusedError("550 5.1.1 no such user", gone=True)))
    with session_scope(engine) as session:
        assert repository.unreachable(session, "Ann@Example.com ") == "550 5.1.1 no such user"
        assert repository.unreachable(session, "bob@example.com") is None
        service.reachable_again(session, ANN)
    with read_scope(engine) as session:
        assert repository.unreachable(session, ANN) is None


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12))
def test_soft_bounces_count_for_a_while(days: list[int]) -> None:
    at, count, last = NOW, 0, None
    for gap in days:
        at += timedelta(days=gap)
        count = rules.soft_bounces(count, last, at)
        last = at
        assert 1 <= count <= len(days)
        assert rules.is_unreachable(False, count, last, at) == (count >= rules.SOFT_BOUNCES)
        assert rules.is_unreachable(True, count, last, at)
    assert not rules.is_unreachable(False, count, last, at + rules.SOFT_FOR + timedelta(seconds=1))


# --- what waited -------------------------------------------------------------------------------------------


def put_off(engine: Engine, ann: int, purpose: str = "tips") -> None:
    """A mail that the server would not take at once."""
    queue(engine, ann, purpose)
    assert send_due(engine, FakeMailer(TryAgainError("451 later"))) == 0


def test_what_was_put_off_does_not_wake_anybody(engine: Engine, ann: int) -> None:
    put_off(engine, ann)
    night = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)  # half past eleven in Oslo
    with clock.freeze(night):
        assert send_due(engine, FakeMailer()) == 0
    found = row(engine)
    assert (found.status, found.last_error, found.attempts) == ("queued", "quiet_hours", 1)
    assert found.next_attempt_at == datetime(2026, 3, 3, 8, tzinfo=UTC)
    with clock.freeze(found.next_attempt_at):
        assert send_due(engine, FakeMailer()) == 1


def test_what_was_put_off_is_not_sent_over_a_complaint(engine: Engine, ann: int) -> None:
    put_off(engine, ann)
    with session_scope(engine) as session:
        session.add(Case(kind="complaint", customer_id=ann, message_key="m", text="torn", language="en"))
    with clock.freeze(NOW + timedelta(hours=1)):
        assert send_due(engine, FakeMailer()) == 0
    assert (row(engine).status, row(engine).last_error) == ("failed", "not any more: open_complaint")


def test_what_was_put_off_does_not_go_to_an_address_that_is_not_theirs_any_more(
    engine: Engine, ann: int
) -> None:
    put_off(engine, ann)
    with session_scope(engine) as session:
        customers.rename_identity(session, ann, "email", ANN, "new@example.com")
    with clock.freeze(NOW + timedelta(hours=1)):
        assert send_due(engine, FakeMailer()) == 0
    assert (row(engine).status, row(engine).last_error) == ("failed", "not any more: no_channel")


def test_what_makes_good_is_sent_over_a_complaint(engine: Engine, ann: int) -> None:
    put_off(engine, ann, "other")
    with session_scope(engine) as session:
        session.add(Case(kind="complaint", customer_id=ann, message_key="m", text="torn", language="en"))
    with clock.freeze(NOW + timedelta(hours=1)):
        assert send_due(engine, FakeMailer()) == 1


def test_many_workers_send_each_once(engine: Engine, ann: int) -> None:
    queue(engine, ann, keys=[f"k{number}" for number in range(20)])
    mailers = [FakeMailer() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda mailer: send_due(engine, mailer), mailers)) == 20
    assert len({mail["Message-ID"] for mailer in mailers for mail in mailer.sent}) == 20
