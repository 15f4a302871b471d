"""Taking over, giving back, and what becomes of what nobody answered. On both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TypeVar

import pytest
from sqlalchemy import Engine, select

from rapport.conversations import service as conversations
from rapport.conversations.models import Conversation, Handoff, Message
from rapport.conversations.rasa import Rasa, RasaBrokeOffError
from rapport.conversations.turn import MAX_ATTEMPTS
from rapport.handoff import rules, service
from rapport.handoff.rules import STEPS, Step
from rapport.handoff.service import TakenError
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.errors import ConflictError, InvalidInputError
from tests.console.client import add_staff
from tests.conversations.conftest import MakeEngine, MakeTurns, new_conversation, receive, said
from tests.fake_rasa import Body, FakeRasa
from tests.running import until

T = TypeVar("T")
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
STATUSES = ("bot", "waiting", "human")


def do(engine: Engine, step: Callable[..., T], conversation_id: str, *more: object, **named: object) -> T:
    """One step in a transaction of its own."""
    with session_scope(engine) as session:
        return step(session, session.get_one(Conversation, conversation_id), *more, **named)


def two(engine: Engine) -> tuple[int, int]:
    return add_staff(engine, "agent"), add_staff(engine, "manager")


def state(engine: Engine, conversation_id: str) -> tuple[str, int | None]:
    with read_scope(engine) as session:
        conversation = session.get_one(Conversation, conversation_id)
        return conversation.status, conversation.assigned_to


def handoff(engine: Engine, conversation_id: str) -> Handoff:
    with session_scope(engine) as session:
        return session.scalars(select(Handoff).where(Handoff.conversation_id == conversation_id)).one()


def statuses(engine: Engine, conversation_id: str) -> list[str]:
    with read_scope(engine) as session:
        rows = select(Message.status).where(Message.conversation_id == conversation_id)
        return list(session.scalars(rows.order_by(Message.sequence)))


@pytest.mark.parametrize(("status", "step"), list(product(STATUSES, Step)))
def test_every_step_from_every_state_leads_somewhere_or_is_refused(status: str, step: Step) -> None:
    if (status, step) in STEPS:
        assert rules.after(status, step) in STATUSES
    else:
        with pytest.raises(ConflictError):
            rules.after(status, step)
    # A person has it only by taking it, and who has it loses it only by giving it away.
    if rules.STEPS.get((status, step)) == "human":
        assert step is Step.TAKE or status == "human"
    if status == "human" and (status, step) in STEPS and STEPS[status, step] != "human":
        assert step in {Step.RELEASE, Step.HAND_BACK}


def test_of_two_at_once_one_gets_it_and_the_other_is_told_who(engine: Engine) -> None:
    people = two(engine)
    for _ in range(5):
        conversation_id = new_conversation(engine)
        together = threading.Barrier(2)

        def take(
            staff_id: int, c: str = conversation_id, together: threading.Barrier = together
        ) -> int | None:
            together.wait(10)
            try:
                do(engine, service.take_over, c, staff_id)
            except TakenError as error:
                return error.staff_id
            return None

        with ThreadPoolExecutor(2) as pool:
            told = list(pool.map(take, people))
        winner = people[told.index(None)]
        assert sorted(told, key=str) == sorted([None, winner], key=str)
        assert state(engine, conversation_id) == ("human", winner)


def test_from_asking_to_handing_back_with_its_times(engine: Engine) -> None:
    (ada, mia), conversation_id = two(engine), new_conversation(engine)

    def at(minutes: int) -> datetime:
        return NOON + timedelta(minutes=minutes)

    with clock.freeze(at(0)):
        assert do(engine, conversations.hand_over, conversation_id, "asked for a person", "k1")
    with clock.freeze(at(4)):
        do(engine, service.take_over, conversation_id, ada)
    with clock.freeze(at(5)):
        do(engine, service.take_over, conversation_id, ada)  # twice is once
    with pytest.raises(TakenError):
        do(engine, service.take_over, conversation_id, mia)
    with pytest.raises(TakenError):
        do(engine, service.answer, conversation_id, mia, "Hello")
    with clock.freeze(at(6)):
        do(engine, service.answer, conversation_id, ada, "Hello, Ada here.")
    row = handoff(engine, conversation_id)
    assert (row.requested_at, row.taken_at, row.first_answer_at) == (at(0), at(4), at(6))
    assert (row.staff_id, row.waiting_since, row.closed_at) == (ada, None, None)
    do(engine, service.pass_on, conversation_id, ada, mia)
    assert state(engine, conversation_id) == ("human", mia)
    with clock.freeze(at(8)):
        do(engine, service.release, conversation_id, mia)
    row = handoff(engine, conversation_id)
    assert state(engine, conversation_id) == ("waiting", None)
    assert (row.waiting_since, row.taken_at) == (at(8), at(4))
    with clock.freeze(at(9)):
        do(engine, service.take_over, conversation_id, mia)
        assert do(engine, service.hand_back, conversation_id, mia) is False
    row = handoff(engine, conversation_id)
    assert state(engine, conversation_id) == ("bot", None)
    assert (row.first_answer_at, row.closed_at, row.staff_id) == (at(6), at(9), mia)
    # Asked for again, it is another wish.
    assert do(engine, conversations.hand_over, conversation_id, "asked for a person", "k2")


def test_released_before_a_word_they_have_waited_all_along(engine: Engine) -> None:
    ada, conversation_id = add_staff(engine, "agent"), new_conversation(engine)
    with clock.freeze(NOON):
        do(engine, conversations.hand_over, conversation_id, "asked for a person", "k1")
    do(engine, service.take_over, conversation_id, ada)
    do(engine, service.release, conversation_id, ada)
    assert handoff(engine, conversation_id).waiting_since == NOON


def test_taken_from_a_colleague_only_knowingly(engine: Engine) -> None:
    (ada, mia), conversation_id = two(engine), new_conversation(engine)
    do(engine, service.take_over, conversation_id, ada)
    do(engine, service.take_over, conversation_id, mia, instead_of=ada)
    assert state(engine, conversation_id) == ("human", mia)
    with pytest.raises(TakenError):
        do(engine, service.hand_back, conversation_id, ada)
    with pytest.raises(InvalidInputError):
        do(engine, service.pass_on, conversation_id, mia, 999)


@pytest.mark.parametrize(
    ("lines", "settled", "answered"),
    [
        ((("customer", "a"), ("staff", "b"), ("customer", "c"), ("customer", "d")), False, ["d"]),
        ((("customer", "a"), ("staff", "b"), ("customer", "c")), True, []),
        ((("customer", "a"), ("staff", "b")), False, []),
        ((("customer", "a"),), False, ["a"]),
        ((), False, []),
    ],
)
def test_the_bot_answers_what_nobody_answered_and_knows_the_rest(
    engine: Engine,
    rasa: FakeRasa,
    make_turns: MakeTurns,
    lines: tuple[tuple[str, str], ...],
    settled: bool,
    answered: list[str],
) -> None:
    ada, conversation_id, turns = add_staff(engine, "agent"), new_conversation(engine), make_turns()
    do(engine, service.take_over, conversation_id, ada)
    for author, text in lines:
        if author == "staff":
            do(engine, service.answer, conversation_id, ada, text)
        else:
            receive(engine, conversation_id, text)
            turns.take(conversation_id)
    assert rasa.turns == []
    assert do(engine, service.hand_back, conversation_id, ada, settled=settled) is bool(answered)
    turns.take(conversation_id)
    receive(engine, conversation_id, "last")
    turns.take(conversation_id)
    assert rasa.texts(conversation_id) == [*answered, "last"]
    told = [(message["author"], message["text"]) for message in rasa.told[conversation_id]]
    assert told == [line for line in lines if line[1] not in answered]
    assert all(message["steps_in"] for message in rasa.told[conversation_id])
    with read_scope(engine) as session:
        assert conversations.history(session, conversation_id)[-1]["text"] == "echo: last"


def test_the_bot_that_was_thinking_holds_its_tongue_and_nothing_is_lost(
    engine: Engine, rasa: FakeRasa, make_engine: MakeEngine
) -> None:
    ada, conversation_id, running = add_staff(engine, "agent"), new_conversation(engine), make_engine()
    thinking, go_on = threading.Event(), threading.Event()

    def think(_turn: Body) -> None:
        thinking.set()
        go_on.wait(10)

    rasa.before = think
    receive(engine, conversation_id, "my tent leaks")
    running.wake(conversation_id)
    assert thinking.wait(10)
    do(engine, service.take_over, conversation_id, ada)
    go_on.set()
    until(lambda: statuses(engine, conversation_id) == ["kept"])
    assert said(engine, conversation_id) == [("customer", "my tent leaks")]
    # Handed back without a word, the bot says what it had thought of: once.
    assert do(engine, service.hand_back, conversation_id, ada)
    running.wake(conversation_id)
    until(lambda: len(said(engine, conversation_id)) == 2)
    assert said(engine, conversation_id)[1] == ("bot", "echo: my tent leaks")
    assert len(rasa.turns) == 1


def test_taken_while_messages_wait_for_the_bot_they_are_the_persons(
    engine: Engine, rasa: FakeRasa, make_turns: MakeTurns
) -> None:
    ada, conversation_id, turns = add_staff(engine, "agent"), new_conversation(engine), make_turns()
    receive(engine, conversation_id, "one")
    receive(engine, conversation_id, "two")
    do(engine, service.take_over, conversation_id, ada)
    turns.take(conversation_id)
    assert statuses(engine, conversation_id) == ["kept", "kept"]
    assert rasa.turns == []
    do(engine, service.answer, conversation_id, ada, "I see both.")
    assert do(engine, service.hand_back, conversation_id, ada) is False


def test_nobody_is_needed_any_more(engine: Engine) -> None:
    conversation_id = new_conversation(engine)
    do(engine, conversations.hand_over, conversation_id, "asked for a person", "k1")
    do(engine, service.dismiss, conversation_id)
    assert state(engine, conversation_id) == ("bot", None)
    assert handoff(engine, conversation_id).closed_at is not None
    with pytest.raises(ConflictError):
        do(engine, service.dismiss, conversation_id)


def test_a_bot_that_cannot_be_told_answers_in_the_end(
    engine: Engine, rasa: FakeRasa, make_turns: MakeTurns, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, conversation_id, turns = add_staff(engine, "agent"), new_conversation(engine), make_turns()
    do(engine, service.take_over, conversation_id, ada)
    do(engine, service.answer, conversation_id, ada, "Hello")
    do(engine, service.hand_back, conversation_id, ada)
    receive(engine, conversation_id, "last")

    def breaks_off(*_: object) -> None:
        raise RasaBrokeOffError("tell_failed")

    monkeypatch.setattr(Rasa, "tell", breaks_off)
    for _ in range(MAX_ATTEMPTS - 1):
        with pytest.raises(RasaBrokeOffError):
            turns.take(conversation_id)
    turns.take(conversation_id)
    assert rasa.texts(conversation_id) == ["last"]
