"""A message with two wishes: the second is taken up when the first is done with."""

from typing import Any

import numpy as np
import pytest
from rasa.core.channels.channel import UserMessage
from rasa.shared.core.trackers import DialogueStateTracker

from bot import second_wish
from bot.messages import SLASH_LOOKALIKE
from bot.nlu.intent import WISHES
from bot.nlu.wishes import MOST_SPLITS, PERSON, two_wishes
from bot.tests.conftest import Bot

COMPLAIN = "I want to complain"
BOTH = "hello | where is my order FJ-555"


@pytest.fixture
def split(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> Bot:
    """What stands after a "|" is a second wish: the tiny model is too small to be sure of halves."""
    parse = bot.agent.processor.parse_message

    async def parse_first(message: Any, *rest: Any, **options: Any) -> dict[str, Any]:
        first, _, second = message.text.partition(" | ")
        whole, message.text = message.text, first
        parsed: dict[str, Any] = await parse(message, *rest, **options)
        message.text = whole
        wishes = [{"intent": parsed["intent"]["name"], "text": first}, {"intent": "?", "text": second}]
        return {**parsed, WISHES: wishes} if second else parsed

    monkeypatch.setattr(bot.agent.processor, "parse_message", parse_first)
    return bot


def said(answer: dict[str, Any]) -> list[str]:
    return [reply["response"] for reply in answer["replies"]]


def test_both_are_answered_at_once_where_nothing_is_asked_back(split: Bot) -> None:
    (answer,) = split.take({"text": BOTH})
    assert said(answer) == ["utter_greet", "utter_order"]
    assert answer["understood"]["intent"] == "greet"
    assert answer["replies"][1]["text"] == "Order FJ-555 is on its way"


def test_the_same_message_again_gives_both_answers_again(split: Bot) -> None:
    (first,) = split.take({"text": BOTH})
    (again,) = split.take({"text": BOTH})
    assert again == {**first, "repeated": True}
    assert len(split.actions.calls) == 1


def test_an_old_one_again_after_later_messages(split: Bot) -> None:
    first, *_ = split.take({"text": BOTH}, {"text": "hello"}, {"text": "bye"})
    assert split.take({"text": BOTH})[0] == {**first, "repeated": True}


def test_the_second_has_a_key_of_its_own_and_only_what_was_named_in_it(split: Bot) -> None:
    named = [
        {"entity": "product", "value": "sku-1", "text": "hello"},
        {"entity": "product", "value": "sku-2", "text": "Order"},
    ]
    split.take({"text": BOTH, "metadata": {"language": "es", "entities": named}})
    metadata = split.actions.calls[0]["tracker"]["latest_message"]["metadata"]
    assert (metadata["message_id"], metadata["language"]) == ("m0+", "es")
    assert [entity["value"] for entity in metadata["entities"]] == ["sku-2"]


def test_it_waits_for_the_end_of_a_form(split: Bot) -> None:
    asked, taken, after = split.take(
        {"text": f"{COMPLAIN} | where is my order FJ-555"}, {"text": "the zip broke"}, {"text": "hello"}
    )
    assert said(asked) == ["utter_ask_complaint_text", "utter_also_later"]
    assert said(taken) == ["utter_complaint_taken", "utter_order"]
    assert said(after) == ["utter_greet"]


def test_it_goes_with_whoever_leaves_the_form(split: Bot) -> None:
    _, left, after = split.take(
        {"text": f"{COMPLAIN} | where is my order FJ-555"}, {"text": "no thanks"}, {"text": "hello"}
    )
    assert "utter_order" not in said(left) + said(after)


def test_the_second_half_is_never_a_command(split: Bot) -> None:
    tracker = DialogueStateTracker.from_events("x", [], split.agent.domain.slots)
    first = UserMessage("hello | /restart", message_id="m1", metadata={"language": "en"})
    message = second_wish.as_message({"text": "/restart", "entities": []}, first, tracker)
    assert message.text == SLASH_LOOKALIKE + "restart"


class Sure:
    """Understands a half by its first word and is as sure as told."""

    intents = (
        "track_order",
        "ask_points_balance",
        "check_payment_methods",
        "complaint",
        "delivery_period",
        "greet",
        "thank",
    )
    words = dict(zip(("where", "points", "pay", "broken", "when", "hi", "thanks"), intents, strict=True))

    def __init__(self, sure: float = 0.9, whole: float | None = None) -> None:
        self.sure = sure
        self.whole = whole  # of everything longer than a half; None: as sure
        self.asked = 0

    def confidences(self, text: str) -> tuple[np.ndarray, bool]:
        self.asked += 1
        meant = self.words.get(text.split()[0].lower().strip("¿?"), "thank")
        sure = self.sure if self.whole is None or len(text.split()) < 5 else self.whole
        rest = (1 - sure) / (len(self.intents) - 1)
        return np.array([sure if name == meant else rest for name in self.intents]), True


@pytest.mark.parametrize(
    ("text", "first", "wishes"),
    [
        ("where is it and points do i have", "track_order", "track_order + ask_points_balance"),
        ("where is it and points do i have", "ask_points_balance", "track_order + ask_points_balance"),
        ("points had i, and where is it", "track_order", "ask_points_balance + track_order"),
        # What needs nothing from the customer comes first.
        ("Where is it? Pay with what?", "track_order", "check_payment_methods + track_order"),
        ("where is it, and also, pay how", "track_order", "check_payment_methods + track_order"),
        ("where es y points son", "track_order", "track_order + ask_points_balance"),
        ("where er den og points jeg", "track_order", "track_order + ask_points_balance"),
        ("where este și points am", "track_order", "track_order + ask_points_balance"),
        # The hello before them says nothing of either.
        ("Hi there! points do i have and where is it", "track_order", "ask_points_balance + track_order"),
        ("where is it and where it is", "track_order", None),
        ("where is it and when comes it", "track_order", None),  # belong together
        ("broken it is and where is it", "complaint", None),  # trouble and its wish are one thing
        ("where is it, thanks a lot", "track_order", None),
        ("where and points", "track_order", None),  # too short to tell
        ("where is it and points do i have", "thank", None),  # neither is what the whole was understood as
        ("", "thank", None),
    ],
)
def test_halves(text: str, first: str, wishes: str | None) -> None:
    model: Any = Sure()
    found = two_wishes(model, text, first)
    assert (" + ".join(wish.intent for wish in found) if found else None) == wishes


def test_two_sure_halves_count_where_the_whole_is_a_guess() -> None:
    model: Any = Sure(whole=0.4)
    found = two_wishes(model, "points do i have and where is it", "check_payment_methods")
    assert found and [wish.intent for wish in found] == ["ask_points_balance", "track_order"]


@pytest.mark.parametrize(
    ("known", "wishes", "order"),
    [
        (True, ("unsubscribe", PERSON), ("unsubscribe", PERSON)),
        (True, (PERSON, "unsubscribe"), ("unsubscribe", PERSON)),
        # Whoever would be asked something first has the person asked for at once.
        (False, ("unsubscribe", PERSON), (PERSON, "unsubscribe")),
        (False, ("delivery_options", PERSON), ("delivery_options", PERSON)),
        (True, ("cancel_order", PERSON), (PERSON, "cancel_order")),
        (False, ("track_order", "cancel_order"), ("track_order", "cancel_order")),
    ],
)
def test_a_person_and_something_else(known: bool, wishes: tuple[str, ...], order: tuple[str, ...]) -> None:
    parsed = {
        "text": "both",
        "intent": {"name": wishes[0], "confidence": 1.0},
        WISHES: [{"intent": intent, "text": intent} for intent in wishes],
    }
    first = second_wish.first_in_order(parsed, known)
    assert first["intent"]["name"] == order[0]
    assert tuple(wish["intent"] for wish in first[WISHES]) == order


def test_the_words_of_the_halves() -> None:
    model: Any = Sure()
    found = two_wishes(model, "Where is it? And also pay how?", "track_order")
    assert found and [wish.text for wish in found] == ["pay how?", "Where is it?"]


def test_an_unsure_half_is_none() -> None:
    model: Any = Sure(0.7)
    assert two_wishes(model, "where is it and points do i have", "track_order") is None


def test_a_long_text_is_not_split_without_end() -> None:
    model: Any = Sure()
    two_wishes(model, "where is it, " * 300, "track_order")
    assert model.asked <= 2 * MOST_SPLITS + 2
