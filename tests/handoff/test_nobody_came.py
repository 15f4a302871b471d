"""Nobody took the conversation in time: the customer is told once, and what they wanted is kept."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from rapport.cases.models import Case
from rapport.channels import notices
from rapport.channels.base import InboundMessage
from rapport.channels.models import ContactPoint, Delivery
from rapport.conversations import service as conversations
from rapport.conversations.models import Conversation, Handoff, Message
from rapport.customers.models import Customer
from rapport.handoff import service, tasks
from rapport.handoff.service import TakenError
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.errors import ConflictError
from rapport.kit.languages import LANGUAGES
from rapport.staff.models import AuditEvent
from tests.console.client import add_staff
from tests.conversations.conftest import MakeTurns, new_conversation, receive, said
from tests.fake_rasa import FakeRasa
from tests.handoff.test_stepping import do, handoff, state

# A Wednesday, and a Saturday on which the demo shop is closed.
OPEN = datetime(2026, 11, 18, 12, tzinfo=UTC)
CLOSED = datetime(2026, 11, 21, 12, tzinfo=UTC)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def waiting(engine: Engine, at: datetime, language: str = "en", channel: str = "web") -> str:
    """Somebody who asked for a person at that time."""
    with clock.freeze(at), session_scope(engine) as session:
        conversation = conversations.start(session, channel, language)
        if channel != "web":
            customer = Customer(language=language)
            session.add(customer)
            session.flush()
            session.add(
                ContactPoint(
                    channel=channel,
                    address="47",
                    conversation_id=conversation.id,
                    customer_id=customer.id,
                    last_inbound_at=at,
                )
            )
        conversation_id = conversation.id
    with clock.freeze(at):
        receive(engine, conversation_id, "my tent leaks, get me a person")
        assert do(engine, conversations.hand_over, conversation_id, "asked for a person", conversation_id)
    return conversation_id


def look(engine: Engine, at: datetime) -> str:
    with clock.freeze(at):
        return tasks.run(engine)


def cases(engine: Engine) -> list[Case]:
    with session_scope(engine) as session:
        return list(session.scalars(select(Case)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_after_ten_minutes_they_are_told_once_and_offered_mail(engine: Engine, language: str) -> None:
    conversation_id = waiting(engine, OPEN, language)
    assert look(engine, OPEN + minutes(9.9)) == "nobody has waited too long"
    assert len(said(engine, conversation_id)) == 1
    assert look(engine, OPEN + minutes(10)) == "1 told that nobody came"
    assert look(engine, OPEN + minutes(11)) == "nobody has waited too long"
    (_, (author, text)) = said(engine, conversation_id)
    assert author == "bot"
    mail = {"en": "e-mail", "es": "correo", "nb": "e-post", "ro": "e-mail"}[language]
    assert mail in str(text)
    (case,) = cases(engine)
    assert (case.kind, case.text, case.language) == ("callback", "my tent leaks, get me a person", language)
    row = handoff(engine, conversation_id)
    assert row.missed_at == row.closed_at == OPEN + minutes(10)
    assert state(engine, conversation_id)[0] == "bot"
    # They may ask again.
    assert do(engine, conversations.hand_over, conversation_id, "asked for a person", "again")


def test_out_of_hours_at_once_and_when_somebody_is_back(engine: Engine) -> None:
    conversation_id = waiting(engine, CLOSED)
    look(engine, CLOSED + minutes(0.5))
    assert "We're back: Monday 23 November, 08:00." in str(said(engine, conversation_id)[1][1])


def test_in_an_app_it_goes_there_and_after_stop_nowhere(engine: Engine) -> None:
    conversation_id, stopped = waiting(engine, OPEN, channel="telegram"), waiting(engine, OPEN)
    with clock.freeze(OPEN + minutes(1)), session_scope(engine) as session:
        stop = InboundMessage("web", f"{stopped}:stop", "STOP", notice=notices.STOPPED)
        conversations.receive(session, session.get_one(Conversation, stopped), stop)
    assert look(engine, OPEN + minutes(10)) == "2 told that nobody came"
    with session_scope(engine) as session:
        deliveries = session.execute(select(Delivery.conversation_id, Delivery.sequence)).all()
    assert [tuple(row) for row in deliveries] == [(conversation_id, 2)]
    assert "they will answer you here" in str(said(engine, conversation_id)[1][1])
    assert [author for author, _ in said(engine, stopped)] == ["customer", "customer"]
    assert len(cases(engine)) == 2


def test_an_address_left_is_kept_for_the_answer_and_only_right_after(
    engine: Engine, rasa: FakeRasa, make_turns: MakeTurns
) -> None:
    conversation_id, turns = waiting(engine, OPEN), make_turns()
    turns.take(conversation_id)
    look(engine, OPEN + minutes(10))
    with clock.freeze(OPEN + minutes(12)):
        receive(engine, conversation_id, "sure: Ana.Pop@Example.com.")
        turns.take(conversation_id)
        assert said(engine, conversation_id)[-1] == (
            "bot",
            "Thank you. The answer goes to Ana.Pop@example.com.",
        )
        assert cases(engine)[0].contact == "Ana.Pop@example.com"
        receive(engine, conversation_id, "or other@example.com")
        turns.take(conversation_id)
    assert said(engine, conversation_id)[-1] == ("bot", "echo: or other@example.com")
    assert cases(engine)[0].contact == "Ana.Pop@example.com"
    # The bot was told what it had said itself.
    assert [(m["author"], m["steps_in"]) for m in rasa.told[conversation_id]] == [("staff", False)]


def test_taken_at_that_very_moment_either_or(engine: Engine) -> None:
    ada = add_staff(engine, "agent")
    for _ in range(5):
        conversation_id = waiting(engine, OPEN)
        together = threading.Barrier(2)

        def take(c: str = conversation_id, together: threading.Barrier = together) -> None:
            together.wait(10)
            do(engine, service.take_over, c, ada)

        def miss(together: threading.Barrier = together) -> None:
            together.wait(10)
            tasks.run(engine)

        with clock.freeze(OPEN + minutes(10)), ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda work: work(), (take, miss)))
        assert state(engine, conversation_id) == ("human", ada)
        with session_scope(engine) as session:
            rows = session.scalars(select(Handoff).where(Handoff.conversation_id == conversation_id)).all()
            told = session.scalars(
                select(Message).where(
                    Message.conversation_id == conversation_id, Message.response == tasks.NOBODY_CAME
                )
            ).all()
        # Told that nobody came, and then somebody did; or taken in time, and told nothing.
        assert [len(rows), len(told)] in ([2, 1], [1, 0])
    with pytest.raises((TakenError, ConflictError)):
        do(engine, service.dismiss, conversation_id)


def test_who_took_it_and_says_nothing_loses_it(engine: Engine) -> None:
    ada, mia = add_staff(engine, "agent"), add_staff(engine, "manager")
    conversation_id = waiting(engine, OPEN)
    with clock.freeze(OPEN + minutes(5)):
        do(engine, service.take_over, conversation_id, ada)
        receive(engine, conversation_id, "hello?")
    look(engine, OPEN + minutes(24.9))
    assert state(engine, conversation_id) == ("human", ada)
    assert look(engine, OPEN + minutes(25)) == "1 back in the queue without an answer"
    assert state(engine, conversation_id) == ("waiting", None)
    with session_scope(engine) as session:
        statuses = session.scalars(select(Message.status).where(Message.text == "hello?")).all()
        event = session.scalars(select(AuditEvent)).one()
        assert (event.action, event.staff_id, event.subject_id) == ("release", None, conversation_id)
    assert statuses == ["received"], "the bot answers it"
    # Who takes it then has their time again, and who says something keeps it.
    with clock.freeze(OPEN + minutes(26)):
        do(engine, service.take_over, conversation_id, mia)
    look(engine, OPEN + minutes(45))
    assert state(engine, conversation_id) == ("human", mia)
    with clock.freeze(OPEN + minutes(45)):
        do(engine, service.answer, conversation_id, mia, "Hello, Mia here.")
    look(engine, OPEN + minutes(90))
    assert state(engine, conversation_id) == ("human", mia)


def test_back_in_the_queue_somebody_comes_or_they_are_told(engine: Engine) -> None:
    ada = add_staff(engine, "agent")
    conversation_id = waiting(engine, OPEN)
    with clock.freeze(OPEN):
        unasked = new_conversation(engine)
    with clock.freeze(OPEN + minutes(1)):
        do(engine, service.take_over, conversation_id, ada)
        do(engine, service.take_over, unasked, ada)
    look(engine, OPEN + minutes(21))
    assert state(engine, unasked) == ("human", ada), "nobody waits there"
    assert look(engine, OPEN + minutes(30)) == "nobody has waited too long"
    assert look(engine, OPEN + minutes(31)) == "1 told that nobody came"
    assert state(engine, conversation_id)[0] == "bot"


def test_the_trouble_of_one_keeps_nobody_waiting(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = waiting(engine, OPEN), waiting(engine, OPEN + minutes(1))
    open_case = tasks._open_case

    def fails_once(session: Session, conversation: Conversation, handoff: Handoff) -> None:
        if conversation.id == first:
            raise ValueError
        open_case(session, conversation, handoff)

    monkeypatch.setattr(tasks, "_open_case", fails_once)
    assert look(engine, OPEN + minutes(20)) == "1 told that nobody came"
    assert (state(engine, first)[0], state(engine, second)[0]) == ("waiting", "bot")
