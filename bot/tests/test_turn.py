"""Turns against a real Rasa model, tracker store and an action server."""

import sqlite3
import uuid
from typing import Any

import pytest

from bot.actions_client import ActionsUnreachable
from bot.messages import InvalidTurn
from bot.tests.conftest import CONVERSATION, Bot
from bot.turn import MESSAGES_PER_SESSION

TRACK = {"text": "where is my order"}


def stored(bot: Bot) -> int:
    with sqlite3.connect(bot.database) as connection:
        return connection.execute("select count(*) from events").fetchone()[0]


def test_a_static_answer_in_the_language_of_the_metadata(bot: Bot) -> None:
    spanish, english = bot.take(
        {"text": "hello", "metadata": {"language": "es", "verified": True}},
        {"text": "hello", "metadata": {"language": "en"}},
    )
    assert [r["text"] for r in spanish["replies"]] == ["¡Hola!"]
    assert spanish["understood"]["intent"] == "greet"
    assert spanish["understood"]["entities"] == [
        {"entity": "language", "value": "es"},
        {"entity": "verified", "value": True},
    ]
    assert len(spanish["understood"]["ranking"]) == 3
    assert english["replies"] == [
        {
            "text": "Hello!",
            "buttons": [{"title": "Track", "payload": "/track_order"}],
            "image": None,
            "custom": None,
            "response": "utter_greet",
        }
    ]


def test_an_action_and_the_metadata_it_gets(bot: Bot) -> None:
    metadata = {"language": "en", "entities": [{"entity": "product", "value": "sku-1", "text": "order"}]}
    (answer,) = bot.take({"text": "where is my order FJ-123", "metadata": metadata})
    assert answer["actions"] == ["action_track_order"]
    assert answer["replies"][0]["text"] == "Order FJ-123 is on its way"
    assert answer["replies"][0]["custom"] == {"type": "card"}
    call = bot.actions.calls[0]
    assert call["sender_id"] == CONVERSATION
    assert call["tracker"]["latest_message"]["metadata"]["message_id"] == "m0"
    assert "domain" not in call
    assert {"entity": "product", "value": "sku-1", "start": 12, "end": 17} in answer["understood"]["entities"]


def test_the_same_message_again_after_a_restart(bot: Bot) -> None:
    (first,) = bot.take(TRACK)
    before = stored(bot)
    (again,) = bot.take(TRACK)
    assert again == {**first, "repeated": True}
    assert len(bot.actions.calls) == 1
    assert stored(bot) == before


def test_an_old_message_again_after_later_ones_and_a_new_session(bot: Bot) -> None:
    many = [TRACK, *[{"text": "hello"}] * (MESSAGES_PER_SESSION + 2)]
    first = bot.take(*many)[0]
    assert bot.take(TRACK)[0] == {**first, "repeated": True}


def test_a_new_session_keeps_slots_and_is_short(bot: Bot) -> None:
    spoken = {"metadata": {"language": "es"}}
    messages: list[dict[str, Any]] = [
        {"text": "where is my order FJ-777", **spoken},
        *[{"text": "hello"}] * MESSAGES_PER_SESSION,
        TRACK,
    ]
    answers = bot.take(*messages)
    assert answers[-2]["replies"][0]["text"] == "¡Hola!"
    call = bot.actions.calls[-1]
    assert call["tracker"]["slots"]["order_number"] == "FJ-777"
    users = [event for event in call["tracker"]["events"] if event["event"] == "user"]
    assert len(users) < 5


def test_a_form_is_not_cut_by_a_new_session(bot: Bot) -> None:
    hello = [{"text": "hello"}] * (MESSAGES_PER_SESSION - 1)
    asked, *_, taken = bot.take(*hello, {"text": "I have a complaint"}, {"text": "the tent leaks"})[-2:]
    assert [r["response"] for r in asked["replies"]] == ["utter_ask_complaint_text"]
    assert [r["response"] for r in taken["replies"]] == ["utter_complaint_taken"]


@pytest.mark.parametrize("behaviour", ["broken", "silent"])
def test_unreachable_actions_leave_nothing_behind(bot: Bot, behaviour: str) -> None:
    bot.take({"text": "hello", "message_id": "first"})
    before = stored(bot)
    bot.actions.behaviour = behaviour
    with pytest.raises(ActionsUnreachable):
        bot.take(TRACK)
    assert stored(bot) == before
    bot.actions.behaviour = "ok"
    (answer,) = bot.take(TRACK)
    assert answer["repeated"] is False
    assert answer["replies"][0]["text"] == "Order FJ-1 is on its way"


def test_a_wrong_secret_is_unreachable(bot: Bot) -> None:
    with pytest.raises(ActionsUnreachable, match="401"):
        bot.run(lambda turns: bot._each(turns, (TRACK,)), secret="another")


def test_nobody_there_is_unreachable(bot: Bot) -> None:
    bot.actions.stop()
    with pytest.raises(ActionsUnreachable):
        bot.take(TRACK)


@pytest.mark.parametrize("behaviour", ["crashed", "unknown"])
def test_a_crashed_action_ends_the_turn_without_a_reply(bot: Bot, behaviour: str) -> None:
    bot.actions.behaviour = behaviour
    (answer,) = bot.take(TRACK)
    assert answer["replies"] == []
    assert answer["actions"] == ["action_track_order"]
    assert bot.take(TRACK)[0]["repeated"] is True


def test_actions_that_are_all_rejected_come_to_an_end(bot: Bot) -> None:
    bot.actions.behaviour = "rejected"
    (answer,) = bot.take(TRACK)
    assert answer["replies"] == []
    assert bot.actions.calls[-1]["next_action"] == "action_default_fallback"
    bot.actions.behaviour = "ok"
    assert bot.take({"text": "hello", "message_id": "next"})[0]["replies"]


def test_a_payload_sets_slots_from_itself_and_from_metadata(bot: Bot) -> None:
    payload = {"payload": '/track_order{"order_number": "FJ-9"}', "metadata": {"language": "es"}}
    button, greeting = bot.take(payload, {"text": "hello"})
    assert button["replies"][0]["text"] == "Order FJ-9 is on its way"
    assert button["understood"]["confidence"] == 1.0
    assert greeting["replies"][0]["text"] == "¡Hola!"


def test_a_payload_with_an_unknown_intent(bot: Bot) -> None:
    with pytest.raises(InvalidTurn):
        bot.take({"payload": "/no_such_intent"})


@pytest.mark.parametrize("text", ["/restart", "  /track_order", '/greet{"language": "es"}'])
def test_typed_text_is_never_a_command(bot: Bot, text: str) -> None:
    (answer,) = bot.take({"text": text})
    assert answer["understood"]["confidence"] < 1.0
    assert all(entity["entity"] != "language" for entity in answer["understood"]["entities"])


@pytest.mark.parametrize("text", ["", "   ", "😀😀", "\0", "a\0b", "\ud800", "x" * 4000, "?!"])
def test_odd_texts_get_an_answer(bot: Bot, text: str) -> None:
    (answer,) = bot.take({"text": text})
    assert answer["replies"]


def test_forgetting_leaves_nothing_in_the_files(bot: Bot) -> None:
    secret = uuid.uuid4().hex
    bot.take({"text": f"hello {secret}"})

    bot.run(lambda turns: turns.forget(CONVERSATION))
    assert stored(bot) == 0
    for file in bot.database.parent.glob("tracker.db*"):
        assert secret.encode() not in file.read_bytes()
    assert bot.take({"text": "hello"})[0]["repeated"] is False
