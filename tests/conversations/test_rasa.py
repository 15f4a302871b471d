"""The client of Rasa's channel: what it reads, and what it makes of trouble."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rapport.conversations.rasa import Rasa, RasaAwayError, RasaBrokeOffError, RasaRefusedError, Reply
from tests.fake_rasa import SECRET, DropConnection, FakeRasa, answer, reply, slow


@pytest.fixture
def fake() -> Iterator[FakeRasa]:
    server = FakeRasa()
    yield server
    server.stop()


@pytest.fixture
def rasa(fake: FakeRasa) -> Iterator[Rasa]:
    client = Rasa(f"http://127.0.0.1:{fake.port}", SECRET, connections=2, turn_seconds=10)
    yield client
    client.close()


def ask(rasa: Rasa) -> Any:
    return rasa.turn("c" * 32, 7, "hello", None, {"language": "en"})


def test_an_answer(rasa: Rasa, fake: FakeRasa) -> None:
    assert ask(rasa).replies == [Reply("echo: hello", [], None, None, "utter_echo")]
    assert fake.turns[0] == {
        "conversation_id": "c" * 32,
        "message_id": "7",
        "text": "hello",
        "metadata": {"language": "en"},
    }
    assert ask(rasa).replies[0].text == "echo: hello"
    assert len(fake.turns) == 1
    assert rasa.is_ready()


def test_what_cannot_be_stored_is_taken_out(rasa: Rasa, fake: FakeRasa) -> None:
    fake.behave = lambda _: answer(
        reply("a\0b\ud800", buttons=[{"title": "x\0", "payload": "/y"}, {"title": "", "payload": "/z"}])
    )
    assert ask(rasa).replies == [Reply("ab?", [("x", "/y")], None, None, "utter_echo")]


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500])
def test_definite_errors(rasa: Rasa, fake: FakeRasa, status: int) -> None:
    fake.status = status
    with pytest.raises(RasaRefusedError):
        ask(rasa)
    assert not rasa.is_ready()


@pytest.mark.parametrize("body", [None, [], "x", {}, {"replies": []}, {"replies": [1], "understood": {}}])
def test_nonsense(rasa: Rasa, fake: FakeRasa, body: Any) -> None:
    fake.behave = lambda _: body
    with pytest.raises(RasaRefusedError):
        ask(rasa)


def test_away(rasa: Rasa, fake: FakeRasa) -> None:
    fake.status = 503
    with pytest.raises(RasaAwayError):
        ask(rasa)
    fake.stop()
    with pytest.raises(RasaAwayError) as caught:
        ask(rasa)
    assert not isinstance(caught.value, RasaBrokeOffError)
    assert not rasa.is_ready()
    fake.restart()


def test_broken_off(rasa: Rasa, fake: FakeRasa) -> None:
    def drop(_: Any) -> None:
        raise DropConnection

    fake.before = drop
    with pytest.raises(RasaBrokeOffError):
        ask(rasa)


def test_slow(fake: FakeRasa) -> None:
    fake.behave = slow(1)
    impatient = Rasa(f"http://127.0.0.1:{fake.port}", SECRET, connections=2, turn_seconds=0.3)
    with pytest.raises(RasaBrokeOffError):
        ask(impatient)
    impatient.close()
