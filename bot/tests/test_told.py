"""What a person says in the bot's place, and the customer to them, is known to the bot afterwards."""

from typing import Any

import pytest

from bot.messages import InvalidTurn, read_told
from bot.tests.conftest import CONVERSATION, Bot
from bot.tests.test_turn import stored
from bot.turn import MESSAGES_PER_SESSION

TRACK = {"text": "where is my order"}


def said(message_id: str, text: str, author: str = "staff", steps_in: bool = True) -> dict[str, Any]:
    return {"message_id": message_id, "author": author, "text": text, "steps_in": steps_in}


def tell(bot: Bot, *messages: dict[str, Any]) -> int:
    return bot.run(lambda turns: turns.tell(CONVERSATION, read_told({"messages": list(messages)})))


def events_seen(bot: Bot) -> list[dict[str, Any]]:
    """The tracker's events as an action gets them."""
    return bot.actions.calls[-1]["tracker"]["events"]


def test_actions_see_who_said_what_in_order(bot: Bot) -> None:
    bot.take({"text": "hello"})
    assert tell(bot, said("7", "Where are you?", "customer"), said("8", "Here. Shall I send it again?")) == 2
    bot.take({**TRACK, "message_id": "9"})
    spoken = [
        (event["event"], event["text"], event["metadata"].get("said_by"))
        for event in events_seen(bot)
        if event["event"] in {"user", "bot"}
    ]
    assert spoken[-3:] == [
        ("user", "Where are you?", None),
        ("bot", "Here. Shall I send it again?", "staff"),
        ("user", "where is my order", None),
    ]


def test_what_a_yes_to_a_journey_means_is_noted_with_its_words(bot: Bot) -> None:
    bot.take({"text": "hello"})
    tell(bot, {**said("7", "Time to refill?", "journey", steps_in=False), "next": "reorder"})
    bot.take({**TRACK, "message_id": "9"})
    heard = [event["metadata"] for event in events_seen(bot) if event["event"] == "bot"]
    assert heard[-1].items() >= {"said_by": "journey", "next": "reorder"}.items()


def test_told_twice_is_told_once(bot: Bot) -> None:
    bot.take({"text": "hello"})
    both = (said("7", "Hello, Ada here."), said("8", "What can I do?"))
    assert tell(bot, both[0]) == 1
    assert tell(bot, *both) == 1
    before = stored(bot)
    assert tell(bot, *both) == 0
    assert stored(bot) == before


def test_the_turn_before_is_repeated_without_what_was_told_after_it(bot: Bot) -> None:
    (first,) = bot.take(TRACK)
    tell(bot, said("7", "It is on its way, I looked."), said("8", "thanks", "customer"))
    bot.take({"text": "hello", "message_id": "m1"})
    assert bot.take(TRACK) == [{**first, "repeated": True}]


@pytest.mark.parametrize(("steps_in", "response"), [(True, "utter_greet"), (False, "utter_complaint_taken")])
def test_a_form_ends_when_a_person_steps_in_and_not_when_they_only_say_something(
    bot: Bot, steps_in: bool, response: str
) -> None:
    (asked,) = bot.take({"text": "I have a complaint"})
    assert asked["replies"][0]["response"] == "utter_ask_complaint_text"
    tell(bot, said("7", "Your money is on its way back.", steps_in=steps_in))
    (answer,) = bot.take({"text": "hello", "message_id": "m2"})
    assert [reply["response"] for reply in answer["replies"]] == [response]


def test_a_form_nobody_was_shown_ends_as_well(bot: Bot) -> None:
    """The bot was thinking when somebody took over: its question was kept back."""
    bot.take({"text": "I have a complaint", "message_id": "7"})
    assert tell(bot, said("7", "I have a complaint", "customer")) == 0
    (answer,) = bot.take({"text": "hello", "message_id": "m2"})
    assert [reply["response"] for reply in answer["replies"]] == ["utter_greet"]


def test_a_conversation_that_begins_with_a_person_and_a_long_one(bot: Bot) -> None:
    assert tell(bot, said("1", "Hello, you asked us by mail.")) == 1
    many = [said(str(number), f"{number}", "customer") for number in range(2, MESSAGES_PER_SESSION + 9)]
    assert tell(bot, *many) == len(many)
    hello, track = bot.take({"text": "hello", "message_id": "x"}, {**TRACK, "message_id": "y"})
    assert [hello["replies"][0]["text"], track["replies"][0]["text"]] == [
        "Hello!",
        "Order FJ-1 is on its way",
    ]


@pytest.mark.parametrize(
    "body",
    [
        None,
        {"messages": []},
        {"messages": [said("1", "x", author="bot")]},
        {"messages": [{**said("1", "x"), "steps_in": 1}]},
        {"messages": [{**said("1", "x"), "message_id": "a b"}]},
        {"messages": [{**said("1", "x", "journey"), "next": "/restart"}]},
        {"messages": [said(str(number), "x") for number in range(51)]},
    ],
)
def test_bodies_that_make_no_sense(body: Any) -> None:
    with pytest.raises(InvalidTurn):
        read_told(body)
