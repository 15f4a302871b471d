"""Reviews and stars, in all languages, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from rapport.cases.models import Case
from rapport.conversations import reviews
from rapport.kit import clock
from rapport.kit.database import read_scope
from rapport.kit.languages import LANGUAGES
from tests.actions.conftest import NOW, Answer, Chat

EVERY_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)
FORM, VALIDATE = "review_form", "validate_review_form"
STORY = "the tent held for two weeks in rain and storm, I am so happy with it"


def user(text: str) -> dict[str, Any]:
    return {"event": "user", "timestamp": 1.5, "text": text, "parse_data": {}}


def bot(response: str) -> dict[str, Any]:
    return {"event": "bot", "timestamp": 1.6, "text": "…", "metadata": {"utter_action": response}}


def begun_with(text: str) -> list[dict[str, Any]]:
    """What Rasa has noted when the form asks for the first time."""
    return [user(text), {"event": "active_loop", "timestamp": 1.6, "name": FORM}]


def cases(engine: Engine) -> list[tuple[str, str, int | None]]:
    with read_scope(engine) as session:
        return [
            (case.kind, case.text, case.rating) for case in session.scalars(select(Case).order_by(Case.id))
        ]


def take(chat: Chat, text: str, message_id: str | None = None, **slots: Any) -> Answer:
    chat.text = text
    return chat.run("action_take_review", message_id, review_text=text, **slots)


@EVERY_LANGUAGE
def test_it_asks_for_the_review_or_offers_to_send_what_was_said(chat: Chat, language: str) -> None:
    for opening, response in [
        ("I want to leave a review", "utter_review_what"),
        ("/review", "utter_review_what"),
        (STORY, "utter_review_as_it_is"),
    ]:
        chat.earlier = begun_with(opening)
        answer = chat.run("action_ask_review_text", language=language)
        assert answer.said == [response]
        assert answer.texts(language)


@EVERY_LANGUAGE
def test_a_review_is_kept_once_and_stars_are_asked_for(engine: Engine, chat: Chat, language: str) -> None:
    chat.slots["language"] = language
    chat.earlier = begun_with("a review please")
    first, again = (take(chat, "Great boots, warm and dry", "m1") for _ in range(2))
    assert first == again
    assert first.said == ["utter_review_taken"]
    assert first.texts(language)
    assert first.slots == {"review_text": None, "rating": None}
    assert cases(engine) == [("review", "Great boots, warm and dry", None)]


def test_an_opening_that_told_it_is_part_of_the_review(engine: Engine, chat: Chat) -> None:
    chat.earlier = begun_with(STORY)
    take(chat, "and the colour is nice")
    assert cases(engine) == [("review", f"{STORY}\n\nand the colour is nice", None)]


def test_a_yes_sends_the_opening(engine: Engine, chat: Chat) -> None:
    chat.loop, chat.intent, chat.earlier = FORM, "affirm", begun_with(STORY)
    chat.slots["requested_slot"] = "review_text"
    answer = chat.fill(VALIDATE, review_text="yes")
    assert (answer.said, answer.slots) == ([], {"review_text": STORY})
    take(chat, STORY)
    assert cases(engine) == [("review", STORY, None)]


def test_a_yes_to_nothing_is_no_review(chat: Chat) -> None:
    chat.loop, chat.intent, chat.earlier = FORM, "affirm", begun_with("a review please")
    chat.slots["requested_slot"] = "review_text"
    answer = chat.fill(VALIDATE, review_text="yes")
    assert (answer.said, answer.slots) == (["utter_form_continue"], {"review_text": None})


@EVERY_LANGUAGE
def test_a_review_says_something(chat: Chat, language: str) -> None:
    chat.loop = FORM
    chat.slots |= {"requested_slot": "review_text", "language": language}
    answer = chat.fill(VALIDATE, review_text="x")
    assert (answer.said, answer.slots) == (["utter_review_too_short"], {"review_text": None})
    assert answer.texts(language)
    assert chat.fill(VALIDATE, review_text=" ok ").slots == {"review_text": "ok"}


def test_without_a_text_it_asks_for_one(chat: Chat) -> None:
    assert chat.run("action_take_review").next == [FORM]


@EVERY_LANGUAGE
@pytest.mark.parametrize(
    ("stars", "response"),
    [("1", "low"), ("2", "low"), ("3", "middle"), ("4", "high"), ("5", "high")],
)
def test_stars_belong_to_the_review_before_them(
    engine: Engine, chat: Chat, stars: str, response: str, language: str
) -> None:
    take(chat, "Nice stove")
    chat.slots["language"], chat.earlier = language, [bot("utter_review_taken")]
    first, again = (chat.run("action_rate", "m2", rating=stars) for _ in range(2))
    assert first == again
    assert (first.said, first.slots) == ([f"utter_rating_{response}"], {"rating": None})
    assert first.texts(language)
    assert not first.messages[0]["buttons"], "who wrote one need not be asked for another"
    assert cases(engine) == [("review", "Nice stove", int(stars))]


@EVERY_LANGUAGE
def test_stars_alone_are_a_review(engine: Engine, chat: Chat, language: str) -> None:
    chat.slots["language"], chat.text = language, "5 stars"
    answer = chat.run("action_rate", "m1", rating="5")
    assert answer.said == ["utter_rating_high"]
    [button] = answer.messages[0]["buttons"]
    assert button["payload"] == "/review"
    assert chat.run("action_rate", "m1", rating="5") == answer
    assert cases(engine) == [("review", "5/5", 5)]
    chat.text, chat.earlier = "oh no, 4", [bot("utter_rating_high")]
    chat.run("action_rate", "m2", rating="4")
    assert cases(engine) == [("review", "4/5", 4)], "a change of mind"


@EVERY_LANGUAGE
@pytest.mark.parametrize("rating", ["", None, "6", "0", "many", "٣"])
def test_without_a_number_of_stars_it_asks(
    engine: Engine, chat: Chat, rating: str | None, language: str
) -> None:
    chat.earlier = [bot("utter_review_taken")]
    answer = chat.run("action_rate", rating=rating, language=language)
    assert answer.said == ["utter_rating_which"]
    assert answer.texts(language)
    assert cases(engine) == []


def test_stars_that_came_with_the_review_are_not_asked_for(engine: Engine, chat: Chat) -> None:
    answer = take(chat, "Lovely", rating="5")
    assert answer.said == ["utter_rating_high"]
    chat.entities = [{"entity": "rating", "value": "1"}]
    answer = take(chat, "one star, it broke", rating="")
    assert answer.said == ["utter_rating_low"]
    assert cases(engine) == [("review", "Lovely", 5), ("review", "one star, it broke", 1)]


@pytest.mark.parametrize("text", ["5", "dame un 50 %", "y la 2?"])
def test_a_number_out_of_nowhere_gives_no_stars(engine: Engine, chat: Chat, text: str) -> None:
    chat.text, chat.intent, chat.earlier = text, "inform_rating", [bot("utter_thanked")]
    answer = chat.run("action_rate", rating="5")
    assert (answer.said, answer.slots) == (["utter_fallback"], {"rating": None})
    assert cases(engine) == []


def test_a_button_gives_stars_whenever_it_is_pressed(engine: Engine, chat: Chat) -> None:
    chat.text, chat.earlier = '/inform_rating{"rating": "5"}', [bot("utter_thanked")]
    assert chat.run("action_rate", rating="5").said == ["utter_rating_high"]
    assert cases(engine) == [("review", "5/5", 5)]


@pytest.mark.parametrize(
    ("asked", "named", "slot", "value", "action"),
    [
        ("utter_pause_how_long", {"period": "P3M"}, "period", "P3M", "action_pause_contact"),
        ("utter_pause_change", {"period": "P3M"}, "period", "P3M", "action_pause_contact"),
        ("utter_pause_how_long", {"rating": "3"}, "period", None, "action_pause_contact"),
        ("utter_frequency_which", {"frequency": "2"}, "frequency", "2", "action_set_frequency"),
        ("utter_frequency_which", {"rating": "2"}, "frequency", "2", "action_set_frequency"),
    ],
)
def test_a_number_answers_what_was_asked(
    engine: Engine, chat: Chat, asked: str, named: dict[str, str], slot: str, value: str, action: str
) -> None:
    chat.text, chat.intent, chat.earlier = "tres meses", "inform_rating", [bot(asked)]
    chat.entities = [{"entity": entity, "value": found} for entity, found in named.items()]
    answer = chat.run("action_rate", rating="3")
    assert (answer.said, answer.next) == ([], [action])
    assert answer.slots == {"rating": None, slot: value}
    assert cases(engine) == []


@pytest.mark.parametrize(
    ("text", "intent", "entities", "said"),
    [
        ("idiots", "nlu_fallback", [{"entity": "insult", "value": "insult"}], ["utter_calm"]),
        ("perdona un momento", "out_of_scope", [], ["utter_review_too_short"]),
        ("what is my code?", "resend_code", [], []),
    ],
)
def test_what_is_no_review(
    chat: Chat, text: str, intent: str, entities: list[dict[str, str]], said: list[str]
) -> None:
    chat.loop, chat.earlier, chat.slots["requested_slot"] = FORM, begun_with("a review"), "review_text"
    chat.text, chat.intent, chat.entities = text, intent, entities
    answer = chat.fill(VALIDATE, review_text=text)
    assert (answer.said, answer.slots) == (said, {"review_text": None})


def test_stars_that_were_drawn_are_a_review(chat: Chat) -> None:
    chat.loop, chat.slots["requested_slot"] = FORM, "review_text"
    chat.text, chat.entities = "⭐⭐⭐⭐", [{"entity": "rating", "value": "4"}]
    assert chat.fill(VALIDATE, review_text="⭐⭐⭐⭐").slots == {"review_text": "⭐⭐⭐⭐"}


@EVERY_LANGUAGE
def test_a_complaint_is_not_argued_with(engine: Engine, chat: Chat, language: str) -> None:
    chat.intent = "complaint"
    answer = take(chat, "It broke and nobody answers", rating="1", language=language)
    assert answer.said == ["utter_review_critical"]
    assert answer.texts(language)
    assert cases(engine) == [("review", "It broke and nobody answers", 1)]


def test_stars_in_so_many_words_right_after_the_question(engine: Engine, chat: Chat) -> None:
    """ "5 stars from me" may be understood as the wish to write a review."""
    take(chat, "Warm jacket")
    chat.earlier, chat.text, chat.loop = [bot("utter_review_taken")], "5 stars from me", FORM
    chat.entities = [{"entity": "rating", "value": "5"}]
    answer = chat.fill(VALIDATE)
    assert (answer.said, answer.slots) == ([], {"review_text": "5 stars from me"})
    first, again = (take(chat, "5 stars from me", "m9", rating="5") for _ in range(2))
    assert first == again
    assert first.said == ["utter_rating_high"]
    assert cases(engine) == [("review", "Warm jacket", 5)]


def test_stars_that_nobody_asked_for_begin_a_review(chat: Chat) -> None:
    chat.text, chat.loop, chat.entities = "5 stars from me", FORM, [{"entity": "rating", "value": "5"}]
    assert chat.fill(VALIDATE).events == []
    chat.earlier, chat.text = [bot("utter_review_taken")], f"5 stars: {STORY}"
    assert chat.fill(VALIDATE).events == [], "a whole review"


def test_stars_of_another_day_belong_to_no_earlier_review(engine: Engine, chat: Chat) -> None:
    take(chat, "Nice stove")
    chat.text = "3 stars"
    with clock.freeze(NOW + reviews.STARS_BELONG + timedelta(seconds=1)):
        chat.run("action_rate", rating="3")
    assert cases(engine) == [("review", "Nice stove", None), ("review", "3/5", 3)]
