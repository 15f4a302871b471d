"""The threads that answer: strictly in order within a conversation, different conversations side by side."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from datetime import timedelta

from sqlalchemy import Engine

from rapport.conversations import repository
from rapport.conversations.queue import ConversationQueue
from rapport.conversations.rasa import RasaAwayError
from rapport.conversations.turn import Outcome, Turns
from rapport.kit import clock
from rapport.kit.database import DATABASE_AWAY, read_scope

log = logging.getLogger(__name__)

THREADS = 8
SWEEP_SECONDS = 3.0
SWEEP_LIMIT = 1000


class ConversationEngine:
    """Answers what is unanswered: told by `wake`, and by looking at the start and every few seconds."""

    def __init__(
        self, database: Engine, turns: Turns, threads: int = THREADS, sweep_seconds: float = SWEEP_SECONDS
    ) -> None:
        self._database = database
        self._turns = turns
        self._queue = ConversationQueue()
        self._stopping = threading.Event()
        self._sweep_seconds = sweep_seconds
        self._away_since: float | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"conversations-{number}", daemon=True)
            for number in range(threads)
        ]
        self._threads.append(threading.Thread(target=self._sweep, name="conversations-sweep", daemon=True))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self, conversation_id: str) -> None:
        """A message of this conversation was committed. From any thread; returns at once."""
        self._queue.put(conversation_id)

    def stop(self, timeout: float = 2.0) -> None:
        """Ends after the turns in hand, or after `timeout` seconds; a turn cut short is taken again later."""
        self._stopping.set()
        self._queue.close()
        end = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        while (conversation_id := self._queue.take()) is not None:
            self._handle(conversation_id)

    def _handle(self, conversation_id: str) -> None:
        try:
            outcome = self._turns.take(conversation_id)
        except RasaAwayError as error:
            self._away(error)
            self._queue.failed(conversation_id, away=True)
        except DATABASE_AWAY as error:
            log.error("The database failed: %s. Trying again.", type(error).__name__)
            self._queue.failed(conversation_id, away=False)
        except Exception as error:  # noqa: BLE001 - a thread that ends would leave customers without answer
            self._stumble(conversation_id, error)
        else:
            if outcome is not Outcome.NOTHING:
                self._back()
            self._queue.done(conversation_id, outcome is Outcome.ANSWERED_MORE_WAIT)

    def _stumble(self, conversation_id: str, error: Exception) -> None:
        # The exception's own text may quote what the customer wrote.
        trace = "".join(traceback.format_tb(error.__traceback__))
        log.error("Conversation %s: %s\n%s", conversation_id, type(error).__name__, trace)
        try:
            self._turns.stumbled(conversation_id)
        except Exception as again:  # noqa: BLE001 - as above
            log.error("It could not even be noted: %s. Trying again.", type(again).__name__)
        finally:
            self._queue.failed(conversation_id, away=False)

    def _away(self, error: RasaAwayError) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            log.warning("Rasa cannot take messages (%s). They wait and are answered when it is back.", error)

    def _back(self) -> None:
        if self._away_since is not None:
            log.info("Rasa is back after %.1f s.", time.monotonic() - self._away_since)
            self._away_since = None
        self._queue.back()

    def _sweep(self) -> None:
        # The newest are left to `wake`: who stored one may not be listening for its answer yet.
        grace = timedelta()
        while True:
            try:
                with read_scope(self._database) as session:
                    waiting = repository.unanswered_conversations(session, clock.now() - grace, SWEEP_LIMIT)
                for conversation_id in waiting:
                    self._queue.put(conversation_id)
            except Exception as error:  # noqa: BLE001 - without this thread forgotten messages stay forgotten
                log.error("The database cannot be read: %s", type(error).__name__)
            grace = timedelta(seconds=self._sweep_seconds)
            if self._stopping.wait(self._sweep_seconds):
                return
