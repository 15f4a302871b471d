"""Several workers beside each other, and one of them killed: nothing is lost, nothing goes out twice."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import Engine, func, select, update

from rapport.customers.models import Customer
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.outreach import service
from rapport.outreach.models import OutboxMessage
from tests.channels.fakes.mailbox import Post
from tests.cli.running import rapport, start
from tests.running import until

EACH = 20
ASKED, UNASKED = "verification_code", "tips"


class SlowPost(Post):
    """A mail server that takes its time, so that a worker dies in the middle."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await asyncio.sleep(0.05)
        return await super().handle_DATA(server, session, envelope)


def works(folder: Path) -> bool:
    """Whether a worker has said that it has begun."""
    file = folder / "out"
    return file.exists() and "2 mails at once" in file.read_text("utf-8")


def fill(engine: Engine) -> None:
    with session_scope(engine) as session:
        for number in range(EACH):
            customer = Customer()
            session.add(customer)
            session.flush()
            for purpose in (ASKED, UNASKED):
                service.enqueue(
                    session,
                    key=f"{purpose} {number}",
                    purpose=purpose,
                    recipient=f"p{number}@example.com",
                    subject=f"{purpose} {number}",
                    text="words",
                    language="en",
                    customer_id=customer.id,
                )


def statuses(engine: Engine) -> Counter[str]:
    with read_scope(engine) as session:
        return Counter(session.scalars(select(OutboxMessage.status)))


def in_hand(engine: Engine) -> int:
    with read_scope(engine) as session:
        query = select(func.count()).where(
            OutboxMessage.status.in_(("queued", "sending")), OutboxMessage.lease_until.is_not(None)
        )
        return session.scalar(query) or 0


@pytest.mark.usefixtures("settings")
def test_one_of_two_is_killed_in_the_middle(engine: Engine, tmp_path: Path) -> None:
    post = SlowPost()
    settled = {
        "RAPPORT_DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "RAPPORT_SMTP_HOST": "127.0.0.1",
        "RAPPORT_SMTP_PORT": str(post.port),
        "RAPPORT_SMTP_SECURITY": "none",
        "RAPPORT_PUBLIC_URL": "https://shop.example",
    }
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    workers = [start(folder, "worker", "--senders", "2", **settled) for folder in folders]
    try:
        for folder in folders:
            until(partial(works, folder), 30)
        fill(engine)
        until(lambda: len(post.taken) >= 6, 30, "for the first mails")
        workers[0].kill()
        workers[0].join()
        # What it had in hand, one for each of its threads, is nobody else's until its lease is over.
        until(lambda: statuses(engine)["sent"] >= 2 * EACH - 2, 60, "for the other worker")
        until(lambda: statuses(engine)["sent"] + in_hand(engine) == 2 * EACH, 10)
        time.sleep(0.5)  # longer than the other has one in hand
        lost = in_hand(engine)
        # Three minutes later.
        with session_scope(engine) as session:
            past = clock.now() - timedelta(seconds=1)
            session.execute(
                update(OutboxMessage).where(OutboxMessage.lease_until.is_not(None)).values(lease_until=past)
            )
        until(lambda: not in_hand(engine), 20)
        workers[1].terminate()
        workers[1].join(10)
        assert workers[1].exitcode == 0
        seen = statuses(engine)
        assert set(seen) <= {"sent", "unknown"} and seen["unknown"] <= lost
        taken = Counter(str(mail["Subject"]) for mail in post.taken)
        assert {f"{ASKED} {number}" for number in range(EACH)} <= set(taken)
        assert all(count == 1 for subject, count in taken.items() if subject.startswith(UNASKED))
        assert sum(taken.values()) - len(taken) <= lost  # what was asked for, and in doubt
        # Whoever has one twice sees that it is one.
        assert len({mail["Message-ID"] for mail in post.taken}) == len(taken)
    finally:
        for worker in workers:
            worker.kill()
            worker.join()
        post.stop()


def test_an_old_database_is_said(tmp_path: Path) -> None:
    done = rapport("worker", RAPPORT_DATABASE_URL=f"sqlite:///{tmp_path}/new.db")
    assert done.returncode == 1
    assert "start the app first" in done.stderr


@pytest.mark.usefixtures("settings")
def test_help_says_what_it_is_for() -> None:
    shown = rapport("worker", "--help").stdout
    assert "RAPPORT_BACKGROUND=false" in shown and "nothing is lost" in shown
