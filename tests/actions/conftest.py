"""Running actions the way Rasa does: a real call through the executor, on a real database."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from actions.server import executor
from rapport.conversations import service as conversations
from rapport.customers import service as customers
from rapport.kit import clock
from rapport.kit.database import session_scope
from rapport.kit.settings import Settings
from rapport.outreach.models import OutboxMessage

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN = "ann@example.com"
RESPONSES = Path(__file__).parents[2] / "data" / "responses"
_message_ids = count(1)


@cache
def responses() -> dict[str, list[dict[str, Any]]]:
    """Every response the bot has, by name."""
    files = (yaml.safe_load(path.read_text("utf-8")) for path in RESPONSES.glob("*.yml"))
    return {name: variations for content in files for name, variations in content["responses"].items()}


@dataclass
class Answer:
    """What an action returned."""

    events: list[dict[str, Any]]
    messages: list[dict[str, Any]]

    @property
    def said(self) -> list[str]:
        return [message["response"] for message in self.messages if message["response"]]

    @property
    def cards(self) -> list[dict[str, Any]]:
        return [message["custom"] for message in self.messages if message["custom"]]

    @property
    def slots(self) -> dict[str, Any]:
        return {event["name"]: event["value"] for event in self.events if event["event"] == "slot"}

    @property
    def next(self) -> list[str]:
        return [event["name"] for event in self.events if event["event"] == "followup"]

    def texts(self, language: str = "en") -> list[str]:
        """Each response in words; fails when one does not exist or a placeholder stays empty."""
        return [_render(message, language) for message in self.messages if message["response"]]


def _render(message: dict[str, Any], language: str) -> str:
    variations = responses()[message["response"]]
    ours = [
        v
        for v in variations
        if {"type": "slot", "name": "language", "value": language} in v.get("condition", [])
    ]
    chosen = ours or [v for v in variations if not v.get("condition")]
    text: str = chosen[0]["text"]
    assert ours or language == "en", f"{message['response']} is missing in {language}"
    return re.sub(r"\{(\w+)\}", lambda found: str(message[found.group(1)]), text)


@dataclass
class Chat:
    """One conversation with its slots, as Rasa would keep them."""

    id: str
    engine: Engine
    slots: dict[str, Any] = field(default_factory=lambda: {"language": "en"})
    loop: str | None = None
    entities: list[dict[str, Any]] = field(default_factory=list)  # of the latest message
    intent: str = "any"  # what it was understood as
    text: str = "hello"
    earlier: list[dict[str, Any]] = field(default_factory=list)  # events before it

    def call(
        self,
        action: str,
        message_id: str | None = None,
        extracted: dict[str, Any] | None = None,
        **slots: Any,
    ) -> dict[str, Any]:
        """The body Rasa posts. `extracted` are the slots a form just filled, `slots` those that were set
        before.
        """
        self.slots.update(slots)
        message_id = message_id or str(next(_message_ids))
        message = {
            "intent": {"name": self.intent, "confidence": 1.0},
            "entities": self.entities,
            "text": self.text,
            "message_id": message_id,
            "metadata": {"message_id": message_id, "language": "en", "verified": False},
            "intent_ranking": [],
        }
        candidates = extracted or {}
        events = [
            {"event": "action", "timestamp": 1.0, "name": "action_session_start"},
            {"event": "session_started", "timestamp": 1.0},
            {"event": "action", "timestamp": 1.0, "name": "action_listen"},
            *self.earlier,
            {"event": "user", "timestamp": 2.0, "text": self.text, "parse_data": message},
            {"event": "action", "timestamp": 2.0, "name": self.loop or "action_extract_slots"},
            *(
                {"event": "slot", "timestamp": 2.0, "name": name, "value": value}
                for name, value in candidates.items()
            ),
        ]
        return {
            "next_action": action,
            "sender_id": self.id,
            "tracker": {
                "sender_id": self.id,
                "slots": {**self.slots, **candidates},
                "latest_message": message,
                "latest_event_time": 2.0,
                "followup_action": None,
                "paused": False,
                "events": events,
                "latest_input_channel": "rapport",
                "active_loop": {"name": self.loop} if self.loop else {},
                "latest_action": {"action_name": "action_listen"},
                "latest_action_name": "action_listen",
            },
            "version": "3.6.21",
        }

    def run(self, action: str, message_id: str | None = None, **slots: Any) -> Answer:
        return self._run(self.call(action, message_id, **slots))

    def fill(self, action: str, message_id: str | None = None, **extracted: Any) -> Answer:
        """Run a form's validation on what was extracted; keeps the slots it returns."""
        return self._run(self.call(action, message_id, extracted))

    def _run(self, call: dict[str, Any]) -> Answer:
        result = asyncio.run(executor.run({**call, "domain": {}}))
        assert result is not None
        answer = Answer(result.events, result.responses)
        self.slots.update(answer.slots)
        return answer

    def verify_as(self, customer_id: int) -> None:
        with session_scope(self.engine) as session:
            conversation = conversations.get(session, self.id)
            conversation.customer_id = customer_id
            conversation.verified_until = clock.now() + timedelta(hours=1)


@pytest.fixture(autouse=True)
def _still() -> Iterator[None]:
    with clock.freeze(NOW):
        yield


@pytest.fixture(autouse=True)
def crm(engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The database the actions use."""
    monkeypatch.setattr("rapport.kit.database.get_engine", lambda: engine)
    return engine


@pytest.fixture
def chat(engine: Engine) -> Chat:
    """An anonymous conversation."""
    return new_chat(engine)


@pytest.fixture
def ann(engine: Engine) -> int:
    """A customer's id."""
    with session_scope(engine) as session:
        return customers.ensure_customer(session, identities=[("email", ANN)], name="Ann").id


@pytest.fixture
def anns_chat(engine: Engine, ann: int) -> Chat:
    """A conversation verified as Ann."""
    chat = new_chat(engine)
    chat.verify_as(ann)
    return chat


def new_chat(engine: Engine) -> Chat:
    with session_scope(engine) as session:
        return Chat(conversations.start(session, "web", "en").id, engine)


def mailed_code(session: Session) -> str:
    """The code in the newest mail."""
    text = session.scalars(
        select(OutboxMessage.text).where(OutboxMessage.text.is_not(None)).order_by(OutboxMessage.id.desc())
    ).first()
    match = re.search(r"\b\d{6}\b", text or "")
    assert match
    return match.group()


def rows(engine: Engine, table: type) -> int:
    with session_scope(engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0
