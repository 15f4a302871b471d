"""STOP is confirmed whoever has the conversation, and whether or not the bot is there. On both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select, update

from rapport.channels import notices
from rapport.channels.base import InboundMessage
from rapport.conversations import service
from rapport.conversations.models import Conversation, Message
from rapport.conversations.rasa import RasaAwayError
from rapport.conversations.turn import Outcome
from rapport.kit.database import session_scope
from tests.conversations.conftest import MakeTurns, new_conversation, receive, said
from tests.fake_rasa import Body, DropConnection, FakeRasa


def stop(engine: Engine, conversation_id: str) -> str:
    """STOP comes in, as a channel hands it on; its status."""
    with session_scope(engine) as session:
        conversation = service.get(session, conversation_id)
        inbound = InboundMessage("web", f"{conversation_id}:stop", "STOP", notice=notices.STOPPED)
        return service.receive(session, conversation, inbound)[0].status


def give_to(engine: Engine, conversation_id: str, status: str) -> None:
    with session_scope(engine) as session:
        session.execute(update(Conversation).where(Conversation.id == conversation_id).values(status=status))


def statuses(engine: Engine) -> list[tuple[str | None, str]]:
    with session_scope(engine) as session:
        rows = session.execute(
            select(Message.text, Message.status)
            .where(Message.author == "customer")
            .order_by(Message.sequence)
        )
        return [(text, status) for text, status in rows]


def is_confirmed(engine: Engine, conversation_id: str, count: int = 1) -> bool:
    wordings = {notices.reply(notices.STOPPED, "en", turn).text for turn in range(5)}
    return [author for author, text in said(engine, conversation_id) if text in wordings] == ["bot"] * count


def test_while_a_person_has_the_conversation(engine: Engine, make_turns: MakeTurns) -> None:
    conversation_id = new_conversation(engine)
    give_to(engine, conversation_id, "human")
    assert stop(engine, conversation_id) == "received"
    make_turns().take(conversation_id)
    assert is_confirmed(engine, conversation_id)


def test_who_takes_over_gets_all_else(engine: Engine, make_turns: MakeTurns, rasa: FakeRasa) -> None:
    """A person took over between the messages and the turn."""
    conversation_id = new_conversation(engine)
    receive(engine, conversation_id, "before")
    stop(engine, conversation_id)
    receive(engine, conversation_id, "after")
    give_to(engine, conversation_id, "human")
    assert make_turns().take(conversation_id) is Outcome.NOTHING
    assert statuses(engine) == [("before", "kept"), ("STOP", "answered"), ("after", "kept")]
    assert is_confirmed(engine, conversation_id)
    assert [turn.get("payload") for turn in rasa.turns] == ["/deny"]


def test_while_the_bot_is_away(engine: Engine, make_turns: MakeTurns, rasa: FakeRasa) -> None:
    conversation_id = new_conversation(engine)
    turns = make_turns()
    rasa.status = 503
    stop(engine, conversation_id)
    # Nothing came from the bot: nobody is to believe that it is back.
    assert turns.take(conversation_id) is Outcome.NOTHING
    assert is_confirmed(engine, conversation_id)
    receive(engine, conversation_id, "1")
    with pytest.raises(RasaAwayError):
        turns.take(conversation_id)
    rasa.status = 200
    assert turns.take(conversation_id) is Outcome.ANSWERED
    # Its open question is closed before it hears what would have answered it.
    assert [turn.get("payload") or turn["text"] for turn in rasa.turns] == ["/deny", "1"]
    assert is_confirmed(engine, conversation_id)


def test_it_brings_nobody_down_again_and_again(engine: Engine, make_turns: MakeTurns, rasa: FakeRasa) -> None:
    def drop(turn: Body) -> None:
        if turn.get("payload") == "/deny":
            raise DropConnection

    rasa.before = drop
    conversation_id = new_conversation(engine)
    turns = make_turns()
    stop(engine, conversation_id)
    turns.take(conversation_id)
    receive(engine, conversation_id, "hello")
    assert turns.take(conversation_id) is Outcome.ANSWERED
    assert said(engine, conversation_id)[-1] == ("bot", "echo: hello")
