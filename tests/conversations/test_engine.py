"""Order, exactly once, and patience: what the conversation engine promises, on both databases."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, update

from rapport.conversations.models import Message
from rapport.conversations.turn import Turns
from rapport.kit.database import session_scope
from tests.conversations.conftest import MakeEngine, new_conversation, receive, said
from tests.fake_rasa import Body, DropConnection, FakeRasa, slow
from tests.running import until


def complete(engine: Engine, conversation_id: str, texts: list[str]) -> bool:
    """Every message has its answer, and the answers are in the messages' order."""
    replies = [text for author, text in said(engine, conversation_id) if author == "bot"]
    return replies == [f"echo: {text}" for text in texts]


def test_twenty_conversations_of_ten_messages_at_once(
    engine: Engine, rasa: FakeRasa, make_engine: MakeEngine
) -> None:
    rasa.behave = slow(0.01)
    running = make_engine()
    conversations = [new_conversation(engine) for _ in range(20)]
    texts = [f"message {number}" for number in range(10)]

    def talk(conversation_id: str) -> None:
        for text in texts:
            receive(engine, conversation_id, text)
            running.wake(conversation_id)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(talk, conversations))
    for conversation_id in conversations:
        until(lambda c=conversation_id: complete(engine, c, texts), 60, "for all answers")
        assert rasa.texts(conversation_id) == texts
    assert len(rasa.turns) == 200
    assert not rasa.overlapped


def test_conversations_do_not_wait_for_each_other(
    engine: Engine, rasa: FakeRasa, make_engine: MakeEngine
) -> None:
    running = make_engine()
    stuck, free = new_conversation(engine), new_conversation(engine)
    release = threading.Event()

    def hold(turn: Body) -> None:
        if turn["conversation_id"] == stuck:
            release.wait(20)

    rasa.before = hold
    receive(engine, stuck, "one")
    running.wake(stuck)
    receive(engine, free, "two")
    running.wake(free)
    until(lambda: complete(engine, free, ["two"]), 5)
    assert not complete(engine, stuck, ["one"])
    release.set()
    until(lambda: complete(engine, stuck, ["one"]), 5)


def test_what_was_left_unanswered_is_answered_at_the_start(
    engine: Engine, rasa: FakeRasa, make_engine: MakeEngine
) -> None:
    conversation_id = new_conversation(engine)
    for text in ("one", "two", "three"):
        receive(engine, conversation_id, text)
    make_engine()
    until(lambda: complete(engine, conversation_id, ["one", "two", "three"]), 10)


def test_a_forgotten_message_is_found(engine: Engine, rasa: FakeRasa, make_engine: MakeEngine) -> None:
    make_engine(sweep_seconds=0.2)
    time.sleep(0.3)
    conversation_id = new_conversation(engine)
    receive(engine, conversation_id, "nobody woke anybody")
    until(lambda: complete(engine, conversation_id, ["nobody woke anybody"]), 10)


def test_rasa_away_and_back(engine: Engine, rasa: FakeRasa, make_engine: MakeEngine) -> None:
    running = make_engine()
    conversations = [new_conversation(engine) for _ in range(30)]
    rasa.stop()
    for conversation_id in conversations:
        receive(engine, conversation_id, "hello")
        running.wake(conversation_id)
    time.sleep(1)
    assert all(said(engine, c) == [("customer", "hello")] for c in conversations)
    rasa.restart()
    for conversation_id in conversations:
        until(lambda c=conversation_id: complete(engine, c, ["hello"]), 10)
    assert len(rasa.turns) == 30


def test_503_is_waited_out_and_order_kept(engine: Engine, rasa: FakeRasa, make_engine: MakeEngine) -> None:
    running = make_engine()
    conversation_id = new_conversation(engine)
    rasa.status = 503
    for text in ("one", "two"):
        receive(engine, conversation_id, text)
        running.wake(conversation_id)
    time.sleep(0.5)
    rasa.status = 200
    until(lambda: complete(engine, conversation_id, ["one", "two"]), 10)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_rasa_dies_before_or_after_saving(
    engine: Engine, rasa: FakeRasa, make_engine: MakeEngine, moment: str
) -> None:
    running = make_engine()
    conversation_id = new_conversation(engine)
    deaths = iter([True, True])

    def die(_: Body) -> None:
        if next(deaths, False):
            raise DropConnection

    setattr(rasa, moment, die)
    receive(engine, conversation_id, "hello")
    running.wake(conversation_id)
    until(lambda: complete(engine, conversation_id, ["hello"]), 10)
    assert len(rasa.turns) == 1, "the turn was decided twice"


def test_a_rasa_that_hangs_is_asked_again(engine: Engine, rasa: FakeRasa, make_engine: MakeEngine) -> None:
    running = make_engine(turn_seconds=0.3)
    conversation_id = new_conversation(engine)
    hangs = iter([1.0])
    rasa.before = lambda _: time.sleep(next(hangs, 0))
    receive(engine, conversation_id, "hello")
    running.wake(conversation_id)
    until(lambda: complete(engine, conversation_id, ["hello"]), 10)


def test_two_engines_decide_one_answer(engine: Engine, rasa: FakeRasa, make_engine: MakeEngine) -> None:
    """As when an app was thought dead and is not."""
    rasa.behave = slow(0.05)
    conversations = [new_conversation(engine) for _ in range(5)]
    for conversation_id in conversations:
        for number in range(5):
            receive(engine, conversation_id, f"m{number}")
    make_engine()
    make_engine()
    texts = [f"m{number}" for number in range(5)]
    for conversation_id in conversations:
        until(lambda c=conversation_id: complete(engine, c, texts), 30)
        assert [m for m in said(engine, conversation_id) if m[0] == "bot"] == [
            ("bot", f"echo: {text}") for text in texts
        ]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("crash_at", ["before the answer is stored", "after it is stored"])
def test_the_app_dies_in_mid_turn(
    engine: Engine,
    rasa: FakeRasa,
    make_engine: MakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    crash_at: str,
) -> None:
    """A thread that never comes back from the crash is as good as a killed process."""
    conversation_id = new_conversation(engine)
    receive(engine, conversation_id, "one")
    receive(engine, conversation_id, "two")
    crashed, store = threading.Event(), Turns._store

    def die(self: Turns, *arguments: Any) -> None:
        if crash_at == "after it is stored":
            store(self, *arguments)
        crashed.set()
        raise SystemExit

    monkeypatch.setattr(Turns, "_store", die)
    make_engine(sweep_seconds=60)
    assert crashed.wait(10)
    monkeypatch.setattr(Turns, "_store", store)
    make_engine(sweep_seconds=60)
    until(lambda: complete(engine, conversation_id, ["one", "two"]), 10)
    assert rasa.texts(conversation_id) == ["one", "two"]


def test_a_bug_is_apologised_for_and_does_not_stop_the_rest(
    engine: Engine, rasa: FakeRasa, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    match = Turns._follow_language

    def broken(self: Turns, head: Any, found: Any) -> None:
        if head.text == "bug":
            raise ZeroDivisionError
        match(self, head, found)

    monkeypatch.setattr(Turns, "_follow_language", broken)
    running = make_engine()
    conversation_id = new_conversation(engine)
    for text in ("bug", "fine"):
        receive(engine, conversation_id, text)
    running.wake(conversation_id)
    until(lambda: len(said(engine, conversation_id)) == 4, 20)
    assert said(engine, conversation_id)[3] == ("bot", "echo: fine")


def test_stopping_does_not_wait_for_a_slow_turn(
    engine: Engine, rasa: FakeRasa, make_engine: MakeEngine
) -> None:
    answers = threading.Event()
    rasa.before = lambda _: answers.wait(20) and None
    running = make_engine()
    conversation_id = new_conversation(engine)
    receive(engine, conversation_id, "hello")
    running.wake(conversation_id)
    until(lambda: rasa.running[conversation_id], 5)
    started = time.monotonic()
    running.stop(0.5)
    assert time.monotonic() - started < 1.5
    answers.set()


def test_messages_kept_for_a_person_stay_kept(
    engine: Engine, rasa: FakeRasa, make_engine: MakeEngine
) -> None:
    conversation_id = new_conversation(engine)
    receive(engine, conversation_id, "hello")
    with session_scope(engine) as session:
        session.execute(update(Message).values(status="kept"))
    make_engine(sweep_seconds=0.1)
    time.sleep(0.5)
    assert rasa.turns == []
