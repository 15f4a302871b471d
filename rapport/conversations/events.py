"""Wake-ups for who waits: streams of a conversation, and requests that wait for an answer.

They are hints. The database is the truth: a lost hint costs a moment, never a message.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from rapport.conversations.rules import PublicMessage
from rapport.kit.errors import TooManyRequestsError

MAX_STREAMS = 10
Replies = list[PublicMessage] | None


class Watcher:
    """Tells one stream that its conversation has changed."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.changed = asyncio.Event()
        self.closed = False

    def close(self) -> None:
        self.closed = True
        self.changed.set()


class Events:
    """One per process. `changed`, `answered` and `close` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watchers: dict[str, set[Watcher]] = defaultdict(set)
        self._waiting: dict[int, set[asyncio.Future[Replies]]] = defaultdict(set)
        self.closed = False

    def check_room(self, conversation_id: str) -> None:
        """Raises TooManyRequestsError when a conversation is watched from too many places already."""
        with self._lock:
            if len(self._watchers.get(conversation_id, ())) >= MAX_STREAMS:
                raise TooManyRequestsError("This conversation is open in too many places.", 10)

    @contextmanager
    def watch(self, conversation_id: str) -> Iterator[Watcher]:
        """A watcher of a conversation."""
        watcher = Watcher()
        with self._lock:
            self._watchers[conversation_id].add(watcher)
            watcher.closed = self.closed
        try:
            yield watcher
        finally:
            with self._lock:
                self._watchers[conversation_id].discard(watcher)
                if not self._watchers[conversation_id]:
                    del self._watchers[conversation_id]

    @contextmanager
    def expect(self, message_id: int) -> Iterator[asyncio.Future[Replies]]:
        """A future of the replies to a message; None when a person has the conversation, or at the end."""
        future: asyncio.Future[Replies] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._waiting[message_id].add(future)
            if self.closed:
                future.set_result(None)
        try:
            yield future
        finally:
            with self._lock:
                self._waiting[message_id].discard(future)
                if not self._waiting[message_id]:
                    del self._waiting[message_id]

    def changed(self, conversation_id: str) -> None:
        """There is something new to be read in this conversation."""
        with self._lock:
            watchers = list(self._watchers.get(conversation_id, ()))
        for watcher in watchers:
            _call(watcher.loop, watcher.changed.set)

    def answered(self, message_id: int, replies: Replies) -> None:
        """These replies were stored (None: a person answers)."""
        with self._lock:
            futures = list(self._waiting.get(message_id, ()))
        for future in futures:
            _call(future.get_loop(), partial(_settle, future, replies))

    def close(self) -> None:
        """Ends all streams and waits."""
        with self._lock:
            self.closed = True
            watchers = [watcher for some in self._watchers.values() for watcher in some]
            messages = list(self._waiting)
        for watcher in watchers:
            _call(watcher.loop, watcher.close)
        for message_id in messages:
            self.answered(message_id, None)


def _settle(future: asyncio.Future[Replies], replies: Replies) -> None:
    if not future.done():
        future.set_result(replies)


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
    with suppress(RuntimeError):  # the loop has ended, and whoever waited with it
        loop.call_soon_threadsafe(function)
