"""Whatever is killed, repeated, refused or moved about in time: no step is decided twice, none is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SmtpSession
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from rapport.customers import contact
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.settings import ROOT
from rapport.outreach.journeys import deciding, finding, rules, service, tasks, triggers
from rapport.outreach.journeys.definition import Journey
from rapport.outreach.journeys.models import JourneyEntry, JourneyStep
from rapport.outreach.journeys.triggers import Found
from rapport.outreach.mail import Mailer
from rapport.outreach.models import OutboxMessage
from rapport.outreach.smtp import SmtpMailer
from rapport.outreach.tasks import send_due
from tests.loyalty.offers.shop import order
from tests.loyalty.threads import at_once
from tests.outreach.journeys.conftest import Use
from tests.outreach.journeys.walk import (
    DAY,
    NOW,
    begin,
    decisions,
    journey,
    mails,
    person,
    step,
    steps,
    walker,
)
from tests.ports import free_port

PEOPLE = 12


def crowd(engine: Engine, one: Journey, people: int = PEOPLE) -> list[int]:
    """Several people who have just entered."""
    with session_scope(engine) as session:
        found = [person(session, f"{number}@example.com") for number in range(people)]
        for customer_id in found:
            begin(session, one, customer_id)
    return found


def assert_each_once(engine: Engine, people: int) -> None:
    assert steps(engine) == [("first", "sent", "allowed")] * people
    assert decisions(engine) == [("first", "send", "allowed")] * people
    keys = [mail.key for mail in mails(engine)]
    assert sorted(keys) == sorted(f"journey:{number}" for number in range(1, people + 1))
    assert len({mail.recipient for mail in mails(engine)}) == people


def test_two_workers_at_once_decide_each_step_once(engine: Engine, use: Use) -> None:
    crowd(engine, use(journey(step())))
    done = at_once(3, lambda: tasks.decide_due(engine))
    # One who finds all that is left in others' hands comes back later.
    assert sum(done, tasks.decide_due(engine)) == {"send": PEOPLE}
    assert_each_once(engine, PEOPLE)


def test_two_workers_at_once_let_everybody_enter_once(engine: Engine, use: Use) -> None:
    one = use(journey(again_days=30))
    with session_scope(engine) as session:
        people = [person(session, f"{number}@example.com") for number in range(5)]

    def enter() -> None:
        for number in range(3):
            found = [Found(customer_id, f"order:{number}", NOW) for customer_id in people]
            with session_scope(engine) as session:
                finding.enter_some(session, "test", one, found, NOW)

    at_once(3, enter)
    enter()
    with read_scope(engine) as session:
        entered = select(JourneyEntry.customer_id, func.count()).group_by(JourneyEntry.customer_id)
        assert dict(session.execute(entered).all()) == dict.fromkeys(people, 1)
        assert session.scalar(select(func.count(JourneyStep.id))) == 2 * len(people)


class Killed(BaseException):
    """Nothing may handle it, as nothing handles a kill."""


def test_killed_between_decision_and_commit_nothing_happened(
    engine: Engine, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd(engine, use(journey(step())), 2)
    decide = deciding.decide

    def decide_and_die(*given: object) -> None:
        decide(*given)  # type: ignore[arg-type]
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(deciding, "decide", decide_and_die)
        tasks.decide_due(engine)
    assert (steps(engine), mails(engine)) == ([("first", "waiting", None)] * 2, [])
    assert decisions(engine) == []
    assert tasks.decide_due(engine) == {"send": 2}
    assert tasks.decide_due(engine) == {}
    assert_each_once(engine, 2)


KILLED = """
import os, signal, sys
from datetime import datetime
from rapport.kit import clock
from rapport.kit.database import make_engine
from rapport.outreach.journeys import deciding, service, tasks
from tests.outreach.journeys.walk import NOW, journey, step

decide, left = deciding.decide, int(sys.argv[2])
service.journeys = lambda session=None: {"test": journey(step())}

def decide_and_die(*given):
    global left
    found, left = decide(*given), left - 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return found

deciding.decide = decide_and_die
with clock.freeze(NOW):
    tasks.decide_due(make_engine(sys.argv[1]))
"""


def test_a_worker_killed_with_kill_9_loses_and_repeats_nothing(engine: Engine, use: Use) -> None:
    crowd(engine, use(journey(step())), 3)
    url = engine.url.render_as_string(hide_password=False)
    worker = subprocess.run([sys.executable, "-c", KILLED, url, "2"], cwd=ROOT, check=False, env=os.environ)
    assert worker.returncode == -signal.SIGKILL
    assert [status for _, status, _ in steps(engine)] == ["sent", "waiting", "waiting"]
    assert tasks.decide_due(engine) == {"send": 2}
    assert_each_once(engine, 3)


def test_a_clock_that_jumps_decides_nothing_twice_and_loses_nothing(engine: Engine, use: Use) -> None:
    walker(engine, use(journey(step("first"), step("second", after_days=2), step("third", after_days=3))))
    chance = random.Random(3)
    for _ in range(40):
        # Forward and back by days, over all three steps and before the first.
        with clock.freeze(NOW + timedelta(days=chance.uniform(-10, 12))):
            tasks.run(engine)
    for days in range(12, 30):
        with clock.freeze(NOW + days * DAY):
            tasks.run(engine)
    assert [status for _, status, _ in steps(engine)] == ["sent"] * 3
    assert [mail.key for mail in mails(engine)] == ["journey:1", "journey:2", "journey:3"]
    assert [name for name, outcome, _ in decisions(engine) if outcome == "send"] == [
        "first",
        "second",
        "third",
    ]


@pytest.mark.parametrize("mended", [True, False])
def test_what_cannot_be_decided_lets_the_others_pass_and_is_given_up_at_last(
    engine: Engine, use: Use, monkeypatch: pytest.MonkeyPatch, mended: bool
) -> None:
    first, *_ = crowd(engine, use(journey(step(), step("second", after_days=9))), 3)
    decide = deciding.decide

    def decide_but_one(
        session: Session, row: JourneyStep, journeys: dict[str, Journey], now: datetime
    ) -> object:
        if row.customer_id == first:
            raise ValueError("a mistake of ours")
        return decide(session, row, journeys, now)

    with monkeypatch.context() as patch:
        patch.setattr(deciding, "decide", decide_but_one)
        assert tasks.decide_due(engine) == {"failed": 1, "send": 2}
        tries = 1
        for hours in range(1, 24 if mended else 72):
            with clock.freeze(NOW + timedelta(hours=hours)):
                tries += tasks.decide_due(engine)["failed"]
    with clock.freeze(NOW + timedelta(hours=72)):
        assert tasks.decide_due(engine) == ({"send": 1} if mended else {})
        assert steps(engine)[0] == (
            ("first", "sent", "allowed") if mended else ("first", "skipped", "failed")
        )
    assert tries == (7 if mended else rules.MOST_FAILURES)
    assert decisions(engine)[-1][1:] == (("send", "allowed") if mended else ("never", "failed"))
    with clock.freeze(NOW + 13 * DAY):
        assert tasks.decide_due(engine) == {"send": 3}  # the steps after it come all the same


def test_a_database_that_is_away_is_not_the_steps_fault(
    sqlite_engine: Engine, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    walker(sqlite_engine, use(journey(step())))

    def away(*_: object) -> None:
        raise OperationalError("", None, Exception())

    with monkeypatch.context() as patch, pytest.raises(OperationalError):
        patch.setattr(deciding, "decide", away)
        tasks.decide_due(sqlite_engine)
    assert tasks.decide_due(sqlite_engine) == {"send": 1}


# --- refusals ----------------------------------------------------------------------------------------------


class Server:
    """A mail server that keeps what it took, and does something when the first mail comes."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.at_first: Callable[[], None] = lambda: None

    async def handle_DATA(self, server: SMTP, session: SmtpSession, envelope: Envelope) -> str:
        self.taken += envelope.rcpt_tos
        if len(self.taken) == 1:
            self.at_first()
        return "250 OK"


@contextmanager
def smtp(server: Server) -> Iterator[Mailer]:
    controller = Controller(server, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield SmtpMailer("127.0.0.1", controller.port, "none")
    finally:
        controller.stop()


def test_a_refusal_between_decision_and_sending_sends_nothing(engine: Engine, use: Use) -> None:
    ann, *_ = crowd(engine, use(journey(step(), step("second", after_days=1))), 2)
    tasks.decide_due(engine)
    with session_scope(engine) as session:
        contact.unsubscribe(session, ann, "talk:1")
    server = Server()
    with smtp(server) as mailer:
        assert send_due(engine, mailer) == 1
        with clock.freeze(NOW + 3 * DAY):
            tasks.decide_due(engine)
            send_due(engine, mailer)
    assert server.taken == ["1@example.com"] * 2
    assert steps(engine)[1] == ("second", "skipped", "no_consent")


def test_a_refusal_in_the_middle_of_a_batch_sends_nothing_after_it(engine: Engine, use: Use) -> None:
    """Everybody says no while the first mail is on the wire and the others are queued behind it."""
    people = crowd(engine, use(journey(step())))
    tasks.decide_due(engine)
    server = Server()

    def everybody_refuses() -> None:
        with session_scope(engine) as session:
            for customer_id in people:
                contact.unsubscribe(session, customer_id, f"talk:{customer_id}")

    server.at_first = everybody_refuses
    with smtp(server) as mailer:
        send_due(engine, mailer)
        send_due(engine, mailer)
    assert len(server.taken) == 1
    with read_scope(engine) as session:
        statuses = session.scalars(select(OutboxMessage.status).order_by(OutboxMessage.id)).all()
    assert sorted(statuses) == ["failed"] * (PEOPLE - 1) + ["sent"]


def test_a_refusal_in_the_middle_of_deciding_sends_nothing_at_all(engine: Engine, use: Use) -> None:
    people = crowd(engine, use(journey(step())))
    for _ in range(3):
        tasks.decide_next(engine)
    with session_scope(engine) as session:
        for customer_id in people:
            contact.unsubscribe(session, customer_id, f"talk:{customer_id}")
    tasks.decide_due(engine)
    server = Server()
    with smtp(server) as mailer:
        send_due(engine, mailer)
    assert server.taken == []
    assert [reason for _, _, reason in steps(engine)] == ["called_back"] * 3 + ["no_consent"] * (PEOPLE - 3)


def test_refusals_while_workers_decide_and_send_leave_nothing_to_send(engine: Engine, use: Use) -> None:
    """Whichever is first for each of them: after the refusal there is nothing in the outbox."""
    people = crowd(engine, use(journey(step())))
    todo = list(people)
    lock = threading.Lock()

    def decide_or_refuse() -> None:
        for _ in range(PEOPLE):
            tasks.decide_next(engine)
            with lock:
                customer_id = todo.pop() if todo else None
            if customer_id is not None:
                with session_scope(engine) as session:
                    contact.unsubscribe(session, customer_id, f"talk:{customer_id}")

    at_once(3, decide_or_refuse)
    assert todo == []
    assert tasks.decide_due(engine).get("send", 0) == 0
    server = Server()
    with smtp(server) as mailer:
        send_due(engine, mailer)
    assert server.taken == []
    assert {mail.status for mail in mails(engine)} <= {"failed"}
    assert {reason for _, _, reason in steps(engine)} <= {"called_back", "no_consent"}


def test_a_journey_whose_search_fails_keeps_nobody_from_the_others(
    engine: Engine, use: Use, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = use(journey(step()))
    monkeypatch.setattr(service, "journeys", lambda _session=None: {"broken": one, "test": one})
    with session_scope(engine) as session:
        order(session, person(session), NOW - 9 * DAY, delivered_at=NOW - DAY)
    due = triggers.due

    def fail(session: Session, key: str, *given: Any) -> Iterator[list[Found]]:
        if key == "broken":
            raise LookupError("Ann" + "Berg")  # as a row may be quoted
        return due(session, key, *given)

    monkeypatch.setattr(triggers, "due", fail)
    assert tasks.run(engine) == "1 entered, 1 searches failed, 1 send"
    assert "journey broken cannot be found" in caplog.text
    assert "AnnBerg" not in caplog.text
