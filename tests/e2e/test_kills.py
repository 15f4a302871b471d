"""kill -9 at the worst moments: nothing is lost, answered twice or written twice.

How a moment is held still: a stopped process (SIGSTOP) or the database's write lock keeps the turn where
the test wants it; then the part that owns the port is killed. `rapport up` starts it again.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest

from rapport.cli import bot_environment
from tests.e2e.test_many_conversations import SENTENCES, all_answered, assert_answered_once_and_in_order
from tests.stack import Stack, Talk, wait_until

RESTART_SECONDS = 90
INTEREST = "I love climbing"


@pytest.fixture
def talk(stack: Stack) -> Iterator[Talk]:
    wait_until(stack.answers, RESTART_SECONDS, "the parts")
    talk = stack.talk()
    talk.send("hello")
    yield talk
    for part in ("Rasa", "The app"):  # a test that failed may have left one stopped
        with suppress(AssertionError, KeyError, OSError, psutil.Error):
            stack.signal(part, signal.SIGCONT)
    wait_until(stack.answers, RESTART_SECONDS, "the parts after the test")


def last_message_id(stack: Stack, talk: Talk) -> str:
    ((number,),) = stack.rows(
        "SELECT max(id) FROM message WHERE conversation_id = ? AND author = 'customer'", talk.id
    )
    return str(number)


def interests(stack: Stack, talk: Talk) -> int:
    return len(stack.rows("SELECT 1 FROM interest WHERE conversation_id = ?", talk.id))


def kill(stack: Stack, part: str) -> None:
    """kill -9 what owns the part's port; the supervisor must start another process."""
    old = stack.pid(part)
    stack.signal(part, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(old)] if psutil.pid_exists(old) else [], timeout=5)
    wait_until(lambda: restarted(stack, part, old), RESTART_SECONDS, f"{part} to be started again")


def restarted(stack: Stack, part: str, old: int) -> bool:
    try:
        return stack.pid(part) != old
    except (AssertionError, psutil.Error):
        return False  # not started or not listening yet


def assert_one_answer_and_one_write(stack: Stack, talk: Talk) -> None:
    wait_until(lambda: all_answered(stack), RESTART_SECONDS, "the answer after the kill")
    assert_answered_once_and_in_order(stack, talk, ["hello", INTEREST])
    replies = [m for m in talk.history() if m["author"] == "bot"]
    assert len(replies) == 2
    assert "climbing" in replies[1]["text"].lower()
    assert interests(stack, talk) == 1


@pytest.mark.parametrize("part", ["Rasa", "The app"])
def test_killed_in_the_middle_of_an_action(stack: Stack, talk: Talk, part: str) -> None:
    """The action waits for the database; neither its write nor Rasa's tracker is saved."""
    stack.signal("Rasa", signal.SIGSTOP)
    talk.post(INTEREST)
    with stack.locked():
        stack.signal("Rasa", signal.SIGCONT)
        time.sleep(1)  # long enough for a turn that nothing holds up
        assert not stack.tracker_has(last_message_id(stack, talk))
        kill_in_thread = threading.Thread(target=kill, args=(stack, part))
        kill_in_thread.start()
        time.sleep(0.5)
    kill_in_thread.join()
    assert_one_answer_and_one_write(stack, talk)


def test_rasa_killed_between_an_actions_write_and_its_tracker(stack: Stack, talk: Talk) -> None:
    stack.signal("Rasa", signal.SIGSTOP)
    talk.post(INTEREST)
    with stack.locked():
        stack.signal("Rasa", signal.SIGCONT)
        time.sleep(1)
        stack.signal("Rasa", signal.SIGSTOP)
    wait_until(lambda: interests(stack, talk) == 1, 20, "the action's write")
    assert not stack.tracker_has(last_message_id(stack, talk))
    kill(stack, "Rasa")
    assert_one_answer_and_one_write(stack, talk)


@pytest.mark.parametrize("part", ["Rasa", "The app"])
def test_killed_after_rasa_saved_its_tracker(stack: Stack, talk: Talk, part: str) -> None:
    """Rasa has saved the turn; the app has not got the answer yet."""
    stack.signal("Rasa", signal.SIGSTOP)
    talk.post(INTEREST)
    message = last_message_id(stack, talk)
    time.sleep(0.3)  # the app hands the message to Rasa
    stack.signal("The app", signal.SIGSTOP)
    release_action(stack, talk, message)
    assert stack.tracker_has(message)
    if part == "Rasa":
        stack.signal("Rasa", signal.SIGKILL)
        stack.signal("The app", signal.SIGCONT)
    else:
        kill(stack, "The app")
    assert_one_answer_and_one_write(stack, talk)


def release_action(stack: Stack, talk: Talk, message: str) -> None:
    """Let the app run just long enough for the action, then hold it until Rasa has saved its tracker."""
    stack.signal("Rasa", signal.SIGCONT)
    end = time.monotonic() + RESTART_SECONDS
    while not stack.tracker_has(message):
        assert time.monotonic() < end, "Rasa never saved the turn"
        stack.signal("The app", signal.SIGCONT)
        time.sleep(0.002)
        stack.signal("The app", signal.SIGSTOP)
        if interests(stack, talk):
            time.sleep(0.2)  # the action's answer may be on its way: Rasa goes on alone


def test_kills_under_load(stack: Stack) -> None:
    """20 conversations of 10 turns while the app and Rasa are killed in turn."""
    wait_until(stack.answers, RESTART_SECONDS, "the parts")
    talks = [stack.talk() for _ in range(20)]
    posting = [threading.Thread(target=post_all, args=(stack, talk)) for talk in talks]
    for thread in posting:
        thread.start()
    time.sleep(0.5)
    kill(stack, "The app")
    time.sleep(0.5)
    kill(stack, "Rasa")
    for thread in posting:
        thread.join()
    wait_until(lambda: all_answered(stack), RESTART_SECONDS, "all answers")
    for talk in talks:
        assert_answered_once_and_in_order(stack, talk, list(SENTENCES))
        assert interests(stack, talk) == 1


def post_all(stack: Stack, talk: Talk) -> None:
    """Post every sentence as the widget does: again, with the same client id, until it was taken."""
    for number, sentence in enumerate(SENTENCES):
        retry(lambda n=number, s=sentence: talk.post(s, client_id=f"{talk.id}-{n}"))


def retry(send: Callable[[], None]) -> None:
    end = time.monotonic() + RESTART_SECONDS
    while True:
        try:
            return send()
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.2)


def test_the_parts_die_with_a_killed_supervisor(tmp_path_factory: pytest.TempPathFactory) -> None:
    stack = Stack(tmp_path_factory.mktemp("orphans"))
    stack.start("--no-demo")
    children = [psutil.Process(stack.pid(part)) for part in ("Rasa", "The app")]
    pythons = [child.cmdline()[0] for child in children]
    assert pythons == [str(bot_environment.python()), sys.executable], "each by its own environment's Python"
    stack.kill()
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert len(gone) == 2
