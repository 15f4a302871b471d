"""The conversation log's lists and transcripts, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from rapport.conversations import log
from rapport.kit import clock
from rapport.kit.database import read_scope
from rapport.kit.errors import InvalidInputError, NotFoundError
from tests.conversations.conftest import MakeTurns, new_conversation, receive
from tests.fake_rasa import FakeRasa, answer, reply


def test_lists_and_transcripts(engine: Engine, rasa: FakeRasa, make_turns: MakeTurns) -> None:
    turns = make_turns()
    empty, english, spanish = (new_conversation(engine, language) for language in ("en", "en", "es"))
    receive(engine, english, "hello")
    turns.take(english)
    buttons = [{"title": "Sí", "payload": "/affirm"}]
    rasa.behave = lambda _: answer(reply("¿Seguro?", buttons=buttons), intent="ask_discount")
    receive(engine, spanish, "quiero un descuento")
    turns.take(spanish)
    receive(engine, spanish, "ok")

    with read_scope(engine) as session:
        listed = log.list_conversations(session)
        assert [summary.id for summary in listed] == [spanish, english]
        assert (listed[0].messages, listed[0].unanswered, listed[0].language) == (3, 1, "es")
        assert listed[0].lowest_confidence == 0.93

        def ids(**filters: object) -> list[str]:
            return [summary.id for summary in log.list_conversations(session, **filters)]  # type: ignore[arg-type]

        assert ids(language="en") == [english]
        assert ids(intent="ask_discount") == [spanish]
        assert ids(channel="telegram") == []
        assert ids(status="bot", limit=1) == [spanish]
        assert ids(below_confidence=0.5) == []
        assert ids(below_confidence=0.95) == [spanish, english]
        assert ids(since=clock.now() + timedelta(minutes=1)) == []
        assert empty not in ids()

        transcript = log.show(session, spanish[:8].upper())
        assert [entry.author for entry in transcript.entries] == ["customer", "bot", "customer"]
        asked, replied, _ = transcript.entries
        assert (asked.intent, asked.confidence, asked.actions) == ("ask_discount", 0.93, ["utter_echo"])
        assert asked.took_ms is not None
        assert (replied.response, replied.buttons) == ("utter_echo", ["Sí"])
        with pytest.raises(NotFoundError):
            log.show(session, "zzzz")
        with pytest.raises(InvalidInputError):
            log.show(session, "a")
        with pytest.raises(NotFoundError):
            log.show(session, "%%%%")
