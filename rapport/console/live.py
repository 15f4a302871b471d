"""What staff are told at once, as server-sent events: who waits, who wrote to them, what has changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends
from fastapi.responses import Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from rapport.console.desk import COOKIE, Desk, allowed
from rapport.handoff import queue
from rapport.kit.database import read_scope
from rapport.kit.errors import UnauthorizedError
from rapport.staff import service
from rapport.staff.rules import May, may

routes = APIRouter()

KEEP_ALIVE_SECONDS = 15
SEND_SECONDS = 30
# However much is going on, the database is asked no oftener.
REST_SECONDS = 0.5
# However little is: so long after somebody was logged out, their stream ends.
LOOK_SECONDS = 30.0


@routes.get("/live")
async def live(desk: Annotated[Desk, Depends(allowed(May.ANSWER))]) -> Response:
    """`state` as it is and whenever it is another, `changed` with the ids of conversations, `ended` when they
    are logged out. The stream does not count as using the console.
    """
    desk.parts.events.check_staff_room(desk.staff.id)
    return EventSourceResponse(
        _stream(desk),
        ping=KEEP_ALIVE_SECONDS,
        ping_message_factory=lambda: ServerSentEvent(comment="keep-alive"),
        send_timeout=SEND_SECONDS,
        sep="\n",
        headers={"Cache-Control": "no-store"},
    )


async def _stream(desk: Desk) -> AsyncIterator[ServerSentEvent]:
    told: dict[str, Any] | None = None
    with desk.parts.events.watch_as_staff(desk.staff.id) as watcher:
        while not watcher.closed:
            # Cleared before reading: what is committed while we read wakes us again.
            watcher.changed.clear()
            conversations = sorted(watcher.take())
            try:
                state = await to_thread.run_sync(_look, desk)
            except UnauthorizedError:
                yield _event("ended", {})
                return
            if state != told:
                told = state
                yield _event("state", state)
            if conversations:
                yield _event("changed", {"conversations": conversations})
            await asyncio.sleep(REST_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(watcher.changed.wait(), LOOK_SECONDS)


def _look(desk: Desk) -> dict[str, Any]:
    """Raises UnauthorizedError when they are logged out, or may not answer any more."""
    secret = desk.parts.settings.secret_key.get_secret_value()
    with read_scope(desk.parts.database) as session:
        staff, _ = service.logged_in(session, secret, desk.request.cookies.get(COOKIE, ""))
        if not may(staff.role, May.ANSWER):
            raise UnauthorizedError("They may not answer any more.")
        return queue.told_at_once(session, staff.id)


def _event(name: str, content: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(content, separators=(",", ":")), event=name)
