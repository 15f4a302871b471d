"""The stream of a conversation as server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from anyio import to_thread
from sqlalchemy import Engine
from sse_starlette import EventSourceResponse, ServerSentEvent

from rapport.conversations import repository, service
from rapport.conversations.events import Events, Place
from rapport.conversations.rules import PublicMessage
from rapport.kit.database import read_scope

KEEP_ALIVE_SECONDS = 15
SEND_SECONDS = 30
PAGE = 100
DESCRIPTION = (
    "Server-sent events: `message` (its `id` is the message's, to resume with `Last-Event-ID`), "
    '`typing` (`{"on": true}` while an answer is being made), `status` (`{"status", "language"}`).'
)


def respond(database: Engine, events: Events, place: Place, after: int) -> EventSourceResponse:
    """The response that streams one conversation; it ends when the app does."""
    return EventSourceResponse(
        _stream(database, events, place, after),
        ping=KEEP_ALIVE_SECONDS,
        ping_message_factory=lambda: ServerSentEvent(comment="keep-alive"),
        send_timeout=SEND_SECONDS,
        sep="\n",
        headers={"Cache-Control": "no-store"},
    )


async def _stream(
    database: Engine, events: Events, place: Place, after: int
) -> AsyncIterator[ServerSentEvent]:
    told: dict[str, Any] = {}
    with events.watch(place) as watcher:
        while not watcher.closed:
            # Cleared before reading: what is committed while we read wakes us again.
            watcher.changed.clear()
            messages, state = await to_thread.run_sync(_read, database, place.conversation_id, after)
            for message in messages:
                after = message["id"]
                yield _event("message", message, after)
            for name, content in state.items():
                if told.get(name) != content:
                    told[name] = content
                    yield _event(name, content)
            if len(messages) < PAGE:
                await watcher.changed.wait()


def _read(
    database: Engine, conversation_id: str, after: int
) -> tuple[list[PublicMessage], dict[str, dict[str, Any]]]:
    with read_scope(database) as session:
        messages = service.history(session, conversation_id, after, PAGE)
        status, language, waiting = repository.state(session, conversation_id)
    return messages, {"status": {"status": status, "language": language}, "typing": {"on": waiting}}


def _event(name: str, content: dict[str, Any], event_id: int | None = None) -> ServerSentEvent:
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return ServerSentEvent(data, event=name, id=str(event_id) if event_id is not None else None)
