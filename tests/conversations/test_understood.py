"""What lists ask about a conversation's messages is written on the conversation with each turn."""

from __future__ import annotations

from sqlalchemy import Engine, select

from rapport.conversations.models import Conversation
from rapport.kit.database import read_scope
from tests.conversations.conftest import MakeTurns, new_conversation, receive
from tests.fake_rasa import Body, FakeRasa, answer, reply


def test_what_the_bot_understood_stands_on_the_conversation(
    engine: Engine, rasa: FakeRasa, make_turns: MakeTurns
) -> None:
    turns = make_turns()
    conversation = new_conversation(engine, "en")
    columns = (Conversation.intents, Conversation.lowest_confidence, Conversation.not_understood)

    def after(intent: str, confidence: float) -> tuple[str, float, bool]:
        def behave(_: Body) -> Body:
            said = answer(reply("Yes."), intent=intent)
            said["understood"]["confidence"] = confidence
            return said

        rasa.behave = behave
        receive(engine, conversation, f"hello {intent} {confidence}")
        turns.take(conversation)
        with read_scope(engine) as session:
            row = session.execute(select(*columns).where(Conversation.id == conversation)).one()
            return row[0], row[1], row[2]

    assert after("greet", 0.9) == (",greet,", 0.9, False)
    assert after("track_order", 0.5) == (",greet,track_order,", 0.5, False)
    assert after("greet", 0.95) == (",greet,track_order,", 0.5, False)
    assert after("nlu_fallback", 0.2) == (",greet,track_order,nlu_fallback,", 0.2, True)
    assert after("track", 0.6) == (",greet,track_order,nlu_fallback,track,", 0.2, True)
