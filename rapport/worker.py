"""The threads that do background work: some send what the outbox holds, one runs the jobs that are due.

What is to be done stands in the database (docs/adr/0017): any number of these may work at once, in the app
and beside it, and any may be killed.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable

from sqlalchemy import Engine

from rapport.outreach import service as outreach
from rapport.outreach import tasks
from rapport.outreach.mail import Mailer
from rapport.schedule import service as schedule
from rapport.schedule.jobs import JOBS

log = logging.getLogger(__name__)

MAIL_SECONDS = 1.0
JOBS_SECONDS = 30.0


class Worker:
    """Sends mail after each commit that left some, and every second in case something became due; looks for
    due jobs every half a minute, beginning half a minute after the start. `senders` mails may be on their way
    to the mail server at once.
    """

    def __init__(self, engine: Engine, mailer: Mailer, senders: int = 1) -> None:
        self._engine = engine
        self._mailer = mailer
        self._stopping = threading.Event()
        self._senders = [
            threading.Thread(target=self._send, name=f"mail {number}", daemon=True)
            for number in range(1, senders + 1)
        ]
        self._jobs = threading.Thread(target=self._run_jobs, name="jobs", daemon=True)

    def start(self) -> None:
        for thread in (*self._senders, self._jobs):
            thread.start()

    def stop(self, timeout: float = 15.0) -> None:
        """End after the mails in hand. What is left waits in the database; a job may be cut off anywhere.

        One that was not started has nothing to end.
        """
        self._stopping.set()
        outreach.queued.set()
        end = time.monotonic() + timeout
        for thread in self._senders:
            if thread.is_alive():
                thread.join(max(end - time.monotonic(), 0))

    def _send(self) -> None:
        while not self._stopping.is_set():
            # Cleared before looking: whatever is committed while we look sets it again.
            outreach.queued.clear()
            _survive(lambda: tasks.send_due(self._engine, self._mailer))
            if not self._stopping.is_set():
                outreach.queued.wait(MAIL_SECONDS)

    def _run_jobs(self) -> None:
        while not self._stopping.wait(JOBS_SECONDS):
            _survive(lambda: schedule.run_due(self._engine, JOBS))


def _survive(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - the worker must outlive a database that is away for a while
        # The exception's own text may quote a row.
        log.error("Worker: %s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
