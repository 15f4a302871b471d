"""Which conversation is next. In memory only: the database says what is unanswered."""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections import deque
from dataclasses import dataclass

FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0
# While Rasa is away only this often one conversation tries whether it is back.
PROBE_SECONDS = 0.25


@dataclass
class _Entry:
    """A conversation that is ready, being worked on, or delayed."""

    running: bool = False
    again: bool = False
    failures: int = 0


class ConversationQueue:
    """Hands each conversation to one worker at a time, first come first served; failed ones come back."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._entries: dict[str, _Entry] = {}
        self._ready: deque[str] = deque()
        self._delayed: list[tuple[float, str]] = []
        self._away = False
        self._next_probe = 0.0
        self._closed = False

    def put(self, conversation_id: str) -> None:
        """There is a message in this conversation."""
        with self._condition:
            entry = self._entries.get(conversation_id)
            if entry is None:
                self._entries[conversation_id] = _Entry()
                self._make_ready(conversation_id)
            elif entry.running:
                entry.again = True

    def take(self) -> str | None:
        """The next conversation; waits for one. None when the queue is closed."""
        with self._condition:
            while not self._closed:
                wait = self._release_due(time.monotonic())
                if self._ready:
                    conversation_id = self._ready.popleft()
                    entry = self._entries[conversation_id]
                    entry.running, entry.again = True, False
                    return conversation_id
                self._condition.wait(wait)
            return None

    def done(self, conversation_id: str, more: bool) -> None:
        """The worker has finished with it; `more` says that another message waits."""
        with self._condition:
            entry = self._entries[conversation_id]
            if more or entry.again:
                entry.running, entry.failures = False, 0
                self._make_ready(conversation_id)
            else:
                del self._entries[conversation_id]

    def failed(self, conversation_id: str, away: bool) -> None:
        """It is to be tried again later; `away` says that the others would fail as well."""
        with self._condition:
            entry = self._entries[conversation_id]
            entry.running = False
            delay = min(FIRST_DELAY * 2**entry.failures, LONGEST_DELAY) * random.uniform(0.8, 1.2)
            entry.failures = min(entry.failures + 1, 30)
            now = time.monotonic()
            if away and not self._away:
                self._away, self._next_probe = True, now + FIRST_DELAY
            heapq.heappush(self._delayed, (now + delay, conversation_id))
            self._condition.notify()

    def back(self) -> None:
        """Rasa has answered: whoever waited for it need not wait longer."""
        if not self._away:
            return
        with self._condition:
            self._away = False
            while self._delayed:
                self._make_ready(heapq.heappop(self._delayed)[1])

    def close(self) -> None:
        """Wakes all workers; `take` gives None from now on."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def _release_due(self, now: float) -> float | None:
        """Makes ready what is due; returns the seconds until the next is."""
        while self._delayed:
            due = self._delayed[0][0]
            if self._away:
                due = max(due, self._next_probe)
            if due > now:
                return due - now
            if self._away:
                self._next_probe = now + PROBE_SECONDS
            self._make_ready(heapq.heappop(self._delayed)[1])
        return None

    def _make_ready(self, conversation_id: str) -> None:
        self._ready.append(conversation_id)
        self._condition.notify()
