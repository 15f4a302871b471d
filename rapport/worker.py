"""The threads that do background work: one sends what the outbox holds, one runs the jobs that are due."""

from __future__ import annotations

import logging
import threading
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
    due jobs every half a minute, beginning half a minute after the start.
    """

    def __init__(self, engine: Engine, mailer: Mailer) -> None:
        self._engine = engine
        self._mailer = mailer
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, name="mail", daemon=True),
            threading.Thread(target=self._run_jobs, name="jobs", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 15.0) -> None:
        """End after the mail in hand. What is left waits in the database; a job may be cut off anywhere."""
        self._stopping.set()
        outreach.queued.set()
        self._threads[0].join(timeout)

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
