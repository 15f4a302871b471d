"""The conversation log's lists and transcripts, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from rapport.conversations import log
from rapport.kit import clock
from rapport.kit.database import read_scope
from rapport.kit.errors import InvalidInputError, NotFoundError
from rapport.review import service
from rapport.review.filters import Filters
from rapport.review.service import Reader
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
        listed = service.page(session, Filters(), Reader()).rows
        assert [summary.id for summary in listed] == [spanish, english]
        assert (listed[0].messages, listed[0].unanswered, listed[0].language) == (3, 1, "es")
        assert listed[0].lowest_confidence == 0.93

        def ids(limit: int = 50, **filters: Any) -> list[str]:
            page = service.page(session, Filters(**filters), Reader(), size=limit)
            return [summary.id for summary in page.rows]

        assert ids(language="en") == [english]
        assert ids(intent="ask_discount") == [spanish]
        assert ids(channel="telegram") == []
        assert ids(status="bot", limit=1) == [spanish]
        assert ids(below=0.5) == []
        assert ids(below=0.95) == [spanish, english]
        assert ids(days=1) == [spanish, english]
        with clock.freeze(clock.now() + timedelta(days=2)):
            assert ids(days=1) == []
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
