"""A conversation engine with a fake Rasa, without the web around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from rapport.channels.base import InboundMessage
from rapport.conversations import service
from rapport.conversations.engine import ConversationEngine
from rapport.conversations.events import Events
from rapport.conversations.rasa import Rasa
from rapport.conversations.texts import TROUBLE, TROUBLE_FILE, load_response
from rapport.conversations.turn import Turns
from rapport.kit.database import session_scope
from rapport.shop.catalogue import Catalogue
from tests.fake_rasa import SECRET, FakeRasa

MakeTurns = Callable[..., Turns]
MakeEngine = Callable[..., ConversationEngine]


@pytest.fixture
def make_turns(engine: Engine, rasa: FakeRasa) -> Iterator[MakeTurns]:
    clients: list[Rasa] = []

    def make(turn_seconds: float = 10) -> Turns:
        client = Rasa(f"http://127.0.0.1:{rasa.port}", SECRET, connections=8, turn_seconds=turn_seconds)
        clients.append(client)
        return Turns(engine, client, Events(), Catalogue(engine), load_response(TROUBLE, TROUBLE_FILE))

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def make_engine(engine: Engine, make_turns: MakeTurns) -> Iterator[MakeEngine]:
    started: list[ConversationEngine] = []

    def make(sweep_seconds: float = 3, turn_seconds: float = 10) -> ConversationEngine:
        made = ConversationEngine(engine, make_turns(turn_seconds), sweep_seconds=sweep_seconds)
        made.start()
        started.append(made)
        return made

    yield make
    for made in started:
        made.stop(10)


def new_conversation(engine: Engine, language: str = "en") -> str:
    with session_scope(engine) as session:
        return service.start(session, "web", language).id


def receive(engine: Engine, conversation_id: str, text: str, payload: str | None = None) -> int:
    """Stores a message as a channel does; its id."""
    with session_scope(engine) as session:
        conversation = service.get(session, conversation_id)
        inbound = InboundMessage("web", f"{conversation_id}:{uuid4().hex}", text, payload)
        return service.receive(session, conversation, inbound)[0].id


def said(engine: Engine, conversation_id: str) -> list[tuple[str, str | None]]:
    """(author, text) of everything in the conversation."""
    with session_scope(engine) as session:
        return [(m["author"], m["text"]) for m in service.history(session, conversation_id)]
