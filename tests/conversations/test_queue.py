"""The queue of conversations: one worker each, in turn, later when it failed."""

from __future__ import annotations

import threading
import time

from rapport.conversations.queue import ConversationQueue


def test_first_come_first_served_and_never_twice() -> None:
    queue = ConversationQueue()
    for name in ("a", "b", "a", "c"):
        queue.put(name)
    assert [queue.take() for _ in range(3)] == ["a", "b", "c"]
    for name in ("a", "b", "c"):
        queue.done(name, more=False)
    queue.put("d")
    assert queue.take() == "d"


def test_what_comes_while_it_is_worked_on_comes_again() -> None:
    queue = ConversationQueue()
    queue.put("a")
    queue.take()
    queue.put("a")
    queue.put("b")
    assert queue.take() == "b"
    queue.done("a", more=False)
    assert queue.take() == "a"
    queue.done("a", more=True)
    assert queue.take() == "a"


def test_a_failed_one_comes_back_later_and_later() -> None:
    queue = ConversationQueue()
    queue.put("a")
    waits = []
    for _ in range(3):
        queue.take()
        started = time.monotonic()
        queue.failed("a", away=False)
        queue.put("a")  # changes nothing: its turn comes
        assert queue.take() == "a"
        waits.append(time.monotonic() - started)
        queue.put("a")
        queue.failed("a", away=False)
        queue.take()
        queue.failed("a", away=False)
    assert waits[0] < waits[1] < waits[2]
    assert 0.05 < waits[0] < 0.5


def test_while_rasa_is_away_only_some_probe_and_then_all_come_at_once() -> None:
    queue = ConversationQueue()
    names = [str(number) for number in range(50)]
    for name in names:
        queue.put(name)
    for _ in names:
        queue.failed(queue.take() or "", away=True)
    tried = 0
    end = time.monotonic() + 1
    closer = threading.Timer(1.5, queue.close)
    closer.start()
    while time.monotonic() < end and (name := queue.take()):
        tried += 1
        queue.failed(name, away=True)
    assert 2 <= tried <= 6
    queue.back()
    started = time.monotonic()
    assert {queue.take() for _ in range(50)} == set(names)
    assert time.monotonic() - started < 0.2
    closer.cancel()


def test_closing_lets_all_workers_go() -> None:
    queue = ConversationQueue()
    threads = [threading.Thread(target=queue.take) for _ in range(4)]
    for thread in threads:
        thread.start()
    queue.close()
    for thread in threads:
        thread.join(2)
        assert not thread.is_alive()
    assert queue.take() is None
