"""The stream of what staff are told at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from rapport.console import live
from rapport.conversations import events
from rapport.conversations import service as conversations
from rapport.conversations.models import Conversation
from rapport.handoff import service
from rapport.kit.database import session_scope
from rapport.staff import service as staff
from tests.console.client import PASSWORD, add_staff, address
from tests.console.talks import talk
from tests.running import RunningApp, parse_events


@contextmanager
def stream(running: RunningApp, client: httpx.Client) -> Iterator[Iterator[tuple[str, Any]]]:
    with client.stream("GET", f"{running.url}/console/live") as response:
        assert response.status_code == 200, response.read()
        yield parse_events(response.iter_lines())


def logged_in(running: RunningApp, role: str) -> httpx.Client:
    client = httpx.Client(timeout=20, trust_env=False)
    fields = {"email": address(role), "password": PASSWORD, "next": "/console/account"}
    assert client.post(f"{running.url}/console/login", data=fields).status_code == 303
    return client


def test_what_is_told_and_to_whom(
    running: RunningApp, sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.2)
    ada, mia = add_staff(sqlite_engine, "agent"), add_staff(sqlite_engine, "manager")
    conversation_id = talk(sqlite_engine, ("customer", "my secret words"), customer_id=None)
    with closing(logged_in(running, "agent")) as agent, stream(running, agent) as told:
        assert next(told) == ("state", {"count": 0, "waiting": [], "mine": []})
        with session_scope(sqlite_engine) as session:
            conversation = session.get_one(Conversation, conversation_id)
            conversations.hand_over(session, conversation, "asked for a person", "k")
        kind, state = next(told)
        assert (kind, state["count"], [one["id"] for one in state["waiting"]]) == (
            "state",
            1,
            [conversation_id],
        )
        assert "secret" not in str(state)
        assert next(told) == ("changed", {"conversations": [conversation_id]})
        with session_scope(sqlite_engine) as session:
            service.take_over(session, session.get_one(Conversation, conversation_id), mia)
        # A colleague's is nobody else's.
        assert next(told) == ("state", {"count": 0, "waiting": [], "mine": []})
        assert next(told)[0] == "changed"
        with session_scope(sqlite_engine) as session:
            service.pass_on(session, session.get_one(Conversation, conversation_id), mia, ada)
        mine = [{"id": conversation_id, "heard": 1, "unanswered": True}]
        assert next(told) == ("state", {"count": 0, "waiting": [], "mine": mine})
        assert next(told)[0] == "changed"
        # Switched off, they hear that it is over, and nothing more.
        with session_scope(sqlite_engine) as session:
            staff.set_password(session, staff.get(session, ada), "another four words that nobody guesses")
        assert next(told) == ("ended", {})
        assert list(told) == []


def test_too_many_streams_strangers_and_the_end_of_the_app(
    running: RunningApp, sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MAX_STREAMS_PER_STAFF", 1)
    add_staff(sqlite_engine, "agent")
    assert httpx.get(f"{running.url}/console/live", trust_env=False).status_code == 401
    with closing(logged_in(running, "agent")) as agent, stream(running, agent) as told:
        next(told)
        assert agent.get(f"{running.url}/console/live").status_code == 429
        began = time.monotonic()
        running.app.state.events.close()
        assert list(told) == []
        assert time.monotonic() - began < 2
