"""The stream of events: everything once and in order, resumable, and it ends when the app does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, update

from rapport.conversations.models import Conversation
from rapport.kit.database import session_scope
from rapport.kit.settings import Settings
from tests.fake_rasa import FakeRasa, slow
from tests.running import Chat, RunningApp


def take_until_typing_is(on: bool, events: Iterator[tuple[str, Any]]) -> list[tuple[str, Any]]:
    taken = []
    for event in events:
        taken.append(event)
        if event == ("typing", {"on": on}):
            return taken
    raise AssertionError(f"the stream ended after {taken}")


def message_ids(events: list[tuple[str, Any]]) -> list[int]:
    return [content["id"] for name, content in events if name == "message"]


def test_it_tells_state_message_typing_and_reply(app_on_both: RunningApp, rasa: FakeRasa) -> None:
    rasa.behave = slow(0.2)
    chat = app_on_both.chat("es")
    with chat.events() as events:
        assert take_until_typing_is(False, events) == [
            ("status", {"status": "bot", "language": "es"}),
            ("typing", {"on": False}),
        ]
        chat.post({"text": "hola", "client_id": "c1"})
        said = take_until_typing_is(True, events)
        assert [(n, c["text"], c["client_id"]) for n, c in said if n == "message"] == [
            ("message", "hola", "c1")
        ]
        replied = take_until_typing_is(False, events)
        assert replied[0][0] == "message"
        assert replied[0][1] == chat.history()[1]


def test_it_goes_on_where_it_broke_off(chat: Chat) -> None:
    chat.say("one")
    with chat.events() as events:
        assert message_ids(take_until_typing_is(False, events)) == [1, 2]
    chat.say("two")
    with chat.events(after=2) as events:
        assert message_ids(take_until_typing_is(False, events)) == [3, 4]
    with chat.events(after=99) as events:
        assert message_ids(take_until_typing_is(False, events)) == []


def test_a_long_conversation_comes_whole(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rapport.channels.web_stream.PAGE", 2)
    for number in range(5):
        chat.say(f"message {number}")
    with chat.events() as events:
        seen: list[int] = []
        while len(seen) < 10:
            name, content = next(events)
            seen += [content["id"]] if name == "message" else []
    assert seen == list(range(1, 11))


def test_many_streams_see_the_same(chat: Chat, app: RunningApp) -> None:
    results: list[list[int]] = []

    def follow() -> None:
        seen: list[int] = []
        with chat.events() as events:
            ready.release()
            for name, content in events:
                seen += [content["id"]] if name == "message" else []
                if len(seen) == 20:
                    results.append(seen)
                    return

    ready = threading.Semaphore(0)
    threads = [threading.Thread(target=follow) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in threads:
        ready.acquire()
    for number in range(10):
        chat.say(f"message {number}")
    for thread in threads:
        thread.join(10)
    assert results == [list(range(1, 21))] * 4


def test_a_change_of_status_is_told(chat: Chat, app: RunningApp, sqlite_engine: Engine) -> None:
    with chat.events() as events:
        take_until_typing_is(False, events)
        with session_scope(sqlite_engine) as session:
            session.execute(update(Conversation).values(status="waiting"))
        app.app.state.events.changed(chat.id)
        assert next(events) == ("status", {"status": "waiting", "language": "en"})


def test_keep_alives(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rapport.channels.web_stream.KEEP_ALIVE_SECONDS", 0.1)
    with chat.client.stream("GET", "/api/chat/events", headers=chat.headers) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert response.headers["Cache-Control"] == "no-store"
        assert any(line == ": keep-alive" for line in response.iter_lines())


def test_typing_goes_on_while_rasa_is_away(chat: Chat, rasa: FakeRasa) -> None:
    rasa.stop()
    chat.post({"text": "anybody?"})
    time.sleep(0.5)
    with chat.events() as events:
        take_until_typing_is(True, events)
        rasa.restart()
        assert message_ids(take_until_typing_is(False, events)) == [2]


def test_too_many_streams_of_one_conversation_are_refused(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rapport.conversations.events.MAX_STREAMS", 1)
    with chat.events() as events:
        next(events)
        refused = chat.client.get("/api/chat/events", headers=chat.headers)
        assert refused.status_code == 429


def test_too_many_streams_of_one_address_are_refused(
    app: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rapport.conversations.events.MAX_STREAMS_PER_ADDRESS", 2)
    one, other, third = (app.chat() for _ in range(3))
    with one.events() as first, other.events() as second:
        next(first)
        next(second)
        refused = app.client.get("/api/chat/events", headers=third.headers)
        assert refused.status_code == 429
    with third.events() as events:
        next(events)


@pytest.mark.parametrize("last", ["x", "-1", "1e9", "99999999999999999999", "1; DROP"])
def test_a_senseless_last_event_id_is_refused(chat: Chat, last: str) -> None:
    refused = chat.client.get("/api/chat/events", headers=chat.headers | {"Last-Event-ID": last})
    assert refused.status_code == 422


def test_streams_and_waits_end_with_the_app(
    settings: Settings, sqlite_engine: Engine, rasa: FakeRasa
) -> None:
    running = RunningApp(settings, sqlite_engine, rasa)
    rasa.behave = slow(30)
    chat = running.chat()
    ended: list[float] = []

    def follow() -> None:
        with chat.events() as events:
            list(events)
        ended.append(time.monotonic())

    def wait() -> None:
        assert chat.post({"text": "hi"}, wait=True).status_code == 202
        ended.append(time.monotonic())

    threads = [threading.Thread(target=target) for target in (follow, follow, wait)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    started = time.monotonic()
    running.stop()
    for thread in threads:
        thread.join(5)
    assert len(ended) == 3
    assert max(ended) - started < 3
