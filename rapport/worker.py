"""The thread that does background work: it sends what the outbox holds."""

from __future__ import annotations

import logging
import threading
import traceback

from sqlalchemy import Engine

from rapport.outreach import service, tasks
from rapport.outreach.mail import Mailer

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


class Worker:
    """Runs the tasks after each commit that left work, and every second in case something became due."""

    def __init__(self, engine: Engine, mailer: Mailer) -> None:
        self._engine = engine
        self._mailer = mailer
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 15.0) -> None:
        """End after the mail in hand. What is left waits in the database."""
        self._stopping.set()
        service.queued.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            # Cleared before looking: whatever is committed while we look sets it again.
            service.queued.clear()
            self._work()
            if not self._stopping.is_set():
                service.queued.wait(POLL_SECONDS)

    def _work(self) -> None:
        try:
            tasks.send_due(self._engine, self._mailer)
        except Exception as error:  # noqa: BLE001 - the worker must outlive a database that is away for a while
            # The exception's own text may quote a row.
            log.error(
                "Worker: %s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
            )
