"""Wake-ups for who waits: streams of a conversation, of the staff, and requests that wait for an answer.

They are hints. The database is the truth: a lost hint costs a moment, never a message.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.orm import Session

from rapport.conversations.rules import PublicMessage
from rapport.kit.errors import TooManyRequestsError

# Each holds a connection and some memory. One address may be a whole office's.
MAX_STREAMS = 10
MAX_STREAMS_PER_ADDRESS = 100
# A browser has one for all its pages; a member of staff may use several browsers, or an old one.
MAX_STREAMS_PER_STAFF = 12
Replies = list[PublicMessage] | None

# All there are in this process; there is one, but in tests.
_all: WeakSet[Events] = WeakSet()


def announce(session: Session, conversation_id: str) -> None:
    """Once `session` has committed, whoever watches this conversation is told that it changed."""

    def tell(_session: Session) -> None:
        for events in list(_all):
            events.changed(conversation_id)

    event.listen(session, "after_commit", tell, once=True)


@dataclass(frozen=True)
class Place:
    """A conversation and the network address it is watched from."""

    conversation_id: str
    address: str


class Watcher:
    """Tells one stream that its conversation has changed."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.changed = asyncio.Event()
        self.closed = False

    def close(self) -> None:
        self.closed = True
        self.changed.set()


class StaffWatcher(Watcher):
    """Tells one stream of a member of staff which conversations have changed."""

    def __init__(self) -> None:
        super().__init__()
        self._conversations: set[str] = set()

    def tell(self, conversation_id: str) -> None:
        """In the loop."""
        self._conversations.add(conversation_id)
        self.changed.set()

    def take(self) -> set[str]:
        """The conversations that changed since this was asked last. In the loop."""
        taken, self._conversations = self._conversations, set()
        return taken


class Events:
    """One per process. `changed`, `answered` and `close` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watchers: dict[str, set[Watcher]] = defaultdict(set)
        self._streams: Counter[str] = Counter()  # by address
        self._staff: dict[int, set[StaffWatcher]] = defaultdict(set)
        self._waiting: dict[int, set[asyncio.Future[Replies]]] = defaultdict(set)
        self.closed = False
        _all.add(self)

    def check_room(self, place: Place) -> None:
        """Raises TooManyRequestsError when a conversation, or an address, has too many streams already."""
        with self._lock:
            if len(self._watchers.get(place.conversation_id, ())) >= MAX_STREAMS:
                raise TooManyRequestsError("This conversation is open in too many places.", 10)
            if self._streams[place.address] >= MAX_STREAMS_PER_ADDRESS:
                raise TooManyRequestsError("Too many conversations are open at this address.", 10)

    @contextmanager
    def watch(self, place: Place) -> Iterator[Watcher]:
        """A watcher of a conversation."""
        watcher = Watcher()
        with self._lock:
            self._watchers[place.conversation_id].add(watcher)
            self._streams[place.address] += 1
            watcher.closed = self.closed
        try:
            yield watcher
        finally:
            with self._lock:
                self._forget(place, watcher)

    def _forget(self, place: Place, watcher: Watcher) -> None:
        watchers = self._watchers[place.conversation_id]
        watchers.discard(watcher)
        if not watchers:
            del self._watchers[place.conversation_id]
        self._streams[place.address] -= 1
        if not self._streams[place.address]:
            del self._streams[place.address]

    @contextmanager
    def watch_as_staff(self, staff_id: int) -> Iterator[StaffWatcher]:
        """A watcher of all conversations."""
        watcher = StaffWatcher()
        with self._lock:
            self._staff[staff_id].add(watcher)
            watcher.closed = self.closed
        try:
            yield watcher
        finally:
            with self._lock:
                self._staff[staff_id].discard(watcher)
                if not self._staff[staff_id]:
                    del self._staff[staff_id]

    def check_staff_room(self, staff_id: int) -> None:
        """Raises TooManyRequestsError when somebody has too many streams already."""
        with self._lock:
            if len(self._staff.get(staff_id, ())) >= MAX_STREAMS_PER_STAFF:
                raise TooManyRequestsError("The console is open in too many places.", 60)

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
            staff = [watcher for some in self._staff.values() for watcher in some]
        for watcher in watchers:
            _call(watcher.loop, watcher.changed.set)
        for watcher in staff:
            _call(watcher.loop, partial(watcher.tell, conversation_id))

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
            watchers += [watcher for some in self._staff.values() for watcher in some]
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
