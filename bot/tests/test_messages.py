"""What the channel lets in."""

from typing import Any

import pytest

from bot.messages import InvalidTurn, escape_typed_text, read_turn

GOOD: dict[str, Any] = {"conversation_id": "0" * 32, "message_id": "m1", "text": "hello"}


def test_a_plain_message() -> None:
    turn = read_turn({**GOOD, "metadata": {"language": "nb", "verified": True, "entities": []}})
    assert (turn.text, turn.payload, turn.metadata.language, turn.metadata.verified) == (
        "hello",
        None,
        "nb",
        True,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"conversation_id": "0" * 31},
        {"conversation_id": "0" * 31 + "\0"},
        {"conversation_id": "0" * 31 + "A"},
        {"conversation_id": "0" * 32 + "\n"},
        {"conversation_id": 7},
        {"message_id": ""},
        {"message_id": "a b"},
        {"message_id": "x" * 201},
        {"message_id": None},
        {"text": None},
        {"text": 5},
        {"text": "x" * 4001},
        {"payload": "/greet"},
        {"text": None, "payload": "greet"},
        {"text": None, "payload": "/greet and more"},
        {"text": None, "payload": "/GREET"},
        {"metadata": []},
        {"metadata": {"language": "english"}},
        {"metadata": {"verified": "yes"}},
        {"metadata": {"entities": {}}},
        {"metadata": {"entities": [{"entity": "product"}]}},
        {"metadata": {"entities": [{"entity": "product", "value": 1}]}},
        {"metadata": {"entities": [{"entity": "p", "value": "v"}] * 51}},
    ],
)
def test_what_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidTurn):
        read_turn({**GOOD, **change})


@pytest.mark.parametrize("body", [None, [], "text", 3])
def test_bodies_that_are_no_object(body: Any) -> None:
    with pytest.raises(InvalidTurn):
        read_turn(body)


@pytest.mark.parametrize("text", ["/greet", " /greet", "\u00a0/greet", "\n\t/greet"])
def test_no_typed_text_begins_with_a_slash(text: str) -> None:
    assert escape_typed_text(text) == "\u2215greet"
    assert escape_typed_text("a/b") == "a/b"
