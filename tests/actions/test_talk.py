"""Greeting, and what is said when nothing was understood."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from actions import guesses
from actions.talk import OFFERED
from actions.words import intent_button, something_else_button
from rapport.customers import service as customers
from rapport.kit.database import session_scope
from rapport.kit.languages import LANGUAGES
from rapport.outreach.journeys.definition import load_all
from rapport.shop.models import Product, ProductText
from tests.actions.conftest import Answer, Chat
from tests.bot import project

EVERY_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)
NOT_SERVED = pytest.mark.parametrize("action", ["action_default_fallback", "action_out_of_scope"])


def said(*responses: str | None) -> list[dict[str, Any]]:
    """The events of turns before, each answered with one of these responses."""
    return [
        event
        for response in responses
        for event in (
            {"event": "user", "text": "?", "parse_data": {"intent": {"name": "any"}}, "timestamp": 1.0},
            {
                "event": "bot",
                "text": "…",
                "metadata": {"utter_action": response} if response else {},
                "timestamp": 1.0,
            },
        )
    ]


def run(
    chat: Chat,
    action: str,
    ranking: tuple[tuple[str, float], ...] = (),
    before: tuple[str | None, ...] = (),
    intent: str = "nlu_fallback",
    **slots: Any,
) -> Answer:
    call = chat.call(action, **slots)
    tracker = call["tracker"]
    tracker["latest_message"]["intent"] = {"name": intent, "confidence": 0.5}
    ranked = [{"name": name, "confidence": sure} for name, sure in ranking]
    tracker["latest_message"]["intent_ranking"] = ranked
    tracker["events"] = said(*before) + tracker["events"]
    return chat._run(call)


def buttons(answer: Answer) -> list[tuple[str, str]]:
    return [(button["title"], button["payload"]) for button in answer.messages[0]["buttons"]]


def wait_for_a_person(chat: Chat) -> None:
    assert chat.run("action_hand_over").said == ["utter_handed_over_closed"]  # it is a Sunday


@EVERY_LANGUAGE
def test_hello_to_a_stranger(chat: Chat, language: str) -> None:
    answer = run(chat, "action_greet", language=language)
    assert answer.said == ["utter_greet"]
    assert answer.texts(language)


@EVERY_LANGUAGE
def test_hello_by_name_once_we_know_who_it_is(anns_chat: Chat, language: str) -> None:
    [text] = run(anns_chat, "action_greet", language=language).texts(language)
    assert "Ann" in text


def test_a_name_is_not_told_to_somebody_unverified(chat: Chat, ann: int) -> None:
    assert run(chat, "action_greet", email="ann@example.com", verified=True).said == ["utter_greet"]


def test_a_customer_without_a_name(engine: Engine, chat: Chat) -> None:
    with session_scope(engine) as session:
        nameless = customers.ensure_customer(session, references=[("csv", "1")]).id
    chat.verify_as(nameless)
    assert run(chat, "action_greet").said == ["utter_greet"]


@EVERY_LANGUAGE
def test_hello_while_waiting_for_a_person(anns_chat: Chat, language: str) -> None:
    wait_for_a_person(anns_chat)
    answer = run(anns_chat, "action_greet", language=language)
    assert answer.said == ["utter_greet_waiting"]
    assert answer.texts(language)


@NOT_SERVED
@EVERY_LANGUAGE
def test_what_is_not_understood_goes_to_the_person_who_is_waited_for(
    chat: Chat, action: str, language: str
) -> None:
    wait_for_a_person(chat)
    answer = run(chat, action, (("cancel_order", 0.4),), before=("utter_still_waiting",), language=language)
    assert answer.said == ["utter_still_waiting"]
    assert ":" in answer.texts(language)[0], "the hours"


@EVERY_LANGUAGE
def test_did_you_mean(chat: Chat, language: str) -> None:
    answer = run(
        chat, "action_default_fallback", (("cancel_order", 0.3), ("get_refund", 0.2)), language=language
    )
    assert answer.said == ["utter_did_you_mean"]
    assert answer.texts(language)
    assert buttons(answer) == [
        intent_button("cancel_order", language),
        intent_button("get_refund", language),
        something_else_button(language),
    ]


def test_what_was_understood_and_has_no_rule_is_no_guess(chat: Chat) -> None:
    """A button that leads nowhere would otherwise offer itself again."""
    answer = run(chat, "action_default_fallback", (("cancel_order", 1.0),), intent="cancel_order")
    assert answer.said == ["utter_fallback"]


def test_what_the_message_named_comes_along_with_the_button(chat: Chat) -> None:
    chat.entities = [
        {"entity": "language", "value": "en"},
        {"entity": "verified", "value": "true"},
        {"entity": "order_number", "value": 'FJ-1"}'},
        {"entity": "category", "value": "tents"},
        {"entity": "category", "value": "boots"},
        {"entity": "category", "value": "tents"},
        {"entity": "code", "value": "123456"},
        {"entity": "insult", "value": "insult"},
    ]
    answer = run(chat, "action_default_fallback", (("cancel_order", 0.3),))
    [(_, payload), other] = buttons(answer)
    assert payload == '/cancel_order{"order_number":"FJ-1\\"}","category":["tents","boots"]}'
    assert other == something_else_button("en")


@NOT_SERVED
def test_a_topic_of_the_shops_own_files_is_answered_first(chat: Chat, action: str) -> None:
    wait_for_a_person(chat)
    chat.entities = [{"entity": "topic", "value": "recover_password"}]
    answer = run(chat, action, (("cancel_order", 0.3),), before=("utter_fallback",))
    assert answer.said == ["utter_knowledge"]


def name(chat: Chat, text: str, *named: tuple[str, str, str]) -> None:
    """The chat's message is `text` and names these: (entity, value, as it stands in the text)."""
    chat.text = text
    chat.entities = [
        {"entity": entity, "value": value, "start": text.index(words), "end": text.index(words) + len(words)}
        for entity, value, words in named
    ]


@NOT_SERVED
@pytest.mark.parametrize("text", ["Skur Light", "what about the Skur Light then?", "Skur Light jackets"])
def test_what_is_only_named_is_shown(engine: Engine, chat: Chat, action: str, text: str) -> None:
    with session_scope(engine) as session:
        product = Product(sku="J1", category="jackets", price_minor=1, currency="NOK")
        product.texts = [ProductText(language="en", name="Skur Light rain jacket")]
        session.add(product)
    extra = [("category", "jackets", "jackets")] if "jackets" in text else []
    name(chat, text, ("product", "J1", "Skur Light"), *extra)
    answer = run(chat, action, (("cancel_order", 0.3),), before=("utter_fallback",))
    assert answer.said == ["utter_product"]
    assert answer.slots == {"product": "J1", "category": "jackets"}
    name(chat, "jackets?", ("category", "jackets", "jackets"))
    assert run(chat, action).said == ["utter_category"]


@NOT_SERVED
def test_what_says_more_than_a_name_is_no_question_for_it(chat: Chat, action: str) -> None:
    name(chat, "may I sleep in a tent here", ("category", "tents", "tent"))
    assert run(chat, action).said == [action.replace("action_", "utter_").replace("_default", "")]


@NOT_SERVED
@pytest.mark.parametrize("first", sorted(guesses.MISSES))
def test_the_second_time_in_a_row_a_person_is_offered(chat: Chat, action: str, first: str) -> None:
    for before in ((first,), (first, "utter_fallback_person"), ("utter_greet", first, None)):
        assert run(chat, action, (("cancel_order", 0.3),), before=before).said == ["utter_fallback_person"]


@pytest.mark.parametrize("between", ["utter_greet", "utter_knowledge", "utter_delivery_options"])
def test_an_answer_in_between_begins_anew(chat: Chat, between: str) -> None:
    before = ("utter_fallback", between)
    assert run(chat, "action_default_fallback", before=before).said == ["utter_fallback"]
    assert run(chat, "action_out_of_scope", before=before).said == ["utter_out_of_scope"]


@NOT_SERVED
@EVERY_LANGUAGE
def test_no_guess_and_nothing_before(chat: Chat, action: str, language: str) -> None:
    answer = run(chat, action, (("greet", 0.4), ("out_of_scope", 0.3)), language=language)
    assert answer.said == [action.replace("action_", "utter_").replace("_default", "")]
    assert answer.texts(language)


@EVERY_LANGUAGE
def test_the_same_answer_the_third_time_in_a_row_was_none(chat: Chat, language: str) -> None:
    same, more = "utter_payment_methods", "utter_anything_else"
    assert run(chat, "action_payment_methods", before=(same,)).said == [same]
    assert run(chat, "action_payment_methods", before=(same, same, "utter_greet")).said == [same]
    assert run(chat, "action_payment_methods", before=(same, "utter_greet", same)).said == [same]
    answer = run(chat, "action_payment_methods", before=(same, same), language=language)
    assert answer.said == [same, more]
    assert answer.texts(language)
    chat.loop = "verification_form"
    assert run(chat, "action_payment_methods", before=(same, same)).said == [same]


@pytest.mark.parametrize(
    ("ranking", "offered"),
    [
        ((), []),
        ((("cancel_order", 0.149), ("get_refund", 0.149)), []),
        ((("cancel_order", 0.15), ("get_refund", 0.09)), ["cancel_order"]),
        ((("cancel_order", 0.3), ("get_refund", 0.1), ("reorder", 0.1)), ["cancel_order", "get_refund"]),
        ((("out_of_scope", 0.3), ("thank", 0.2), ("get_refund", 0.2)), ["get_refund"]),
        ((("inform_code", 0.3), ("inform_order_number", 0.2)), []),
    ],
)
def test_guesses(ranking: tuple[tuple[str, float], ...], offered: list[str]) -> None:
    assert guesses.guesses([{"name": name, "confidence": sure} for name, sure in ranking]) == offered


def test_what_counts_as_a_miss_exists() -> None:
    assert set(project.responses()) >= guesses.MISSES


def after_a_person(chat: Chat, action: str, words: str) -> Answer:
    """What is said to a message that comes right after somebody of the team said these words."""
    call = chat.call(action)
    heard = {"event": "bot", "text": words, "metadata": {"said_by": "staff"}, "timestamp": 1.0}
    call["tracker"]["events"] = [*said("utter_greet"), heard, *call["tracker"]["events"]]
    return chat._run(call)


@EVERY_LANGUAGE
def test_a_yes_to_a_person_is_theirs(chat: Chat, language: str) -> None:
    chat.slots["language"] = language
    assert chat.run("action_affirm").said == ["utter_affirm_what"]
    answer = after_a_person(chat, "action_affirm", "Shall I send a new one?")
    assert answer.said == ["utter_passed_on"]
    assert answer.texts(language)
    assert after_a_person(chat, "action_deny", "Anything else?").said == ["utter_already_handed_over"]


def after_a_journey(chat: Chat, action: str, next_: str | None) -> Answer:
    """What is said to a message that comes right after words nobody asked for, with this offer in them."""
    call = chat.call(action)
    metadata = {"said_by": "journey"} | ({"next": next_} if next_ else {})
    heard = {"event": "bot", "text": "Time to refill?", "metadata": metadata, "timestamp": 1.0}
    call["tracker"]["events"] = [*said("utter_greet"), heard, *call["tracker"]["events"]]
    return chat._run(call)


@pytest.mark.parametrize(
    ("action", "next_", "said_then", "follows"),
    [
        ("action_affirm", "reorder", [], "action_reorder"),
        ("action_affirm", "redeem_points", [], "action_redeem_points"),
        ("action_affirm", None, ["utter_affirm_what"], None),
        ("action_deny", "reorder", ["utter_deny"], None),
    ],
)
def test_a_yes_to_a_journey_means_what_it_offered(
    chat: Chat, action: str, next_: str | None, said_then: list[str], follows: str | None
) -> None:
    answer = after_a_journey(chat, action, next_)
    assert answer.said == said_then
    assert [e["name"] for e in answer.events if e["event"] == "followup"] == ([follows] if follows else [])


def test_whatever_a_journey_offers_can_be_done() -> None:
    offers = {intent for one in load_all().values() for step in one.steps for intent in step.next}
    assert offers
    assert offers <= OFFERED.keys()


@pytest.mark.parametrize(
    ("words", "response"), [("Which day suits you?", "utter_passed_on"), ("Done.", "utter_fallback")]
)
def test_words_nobody_understands_go_to_the_person_who_asked(chat: Chat, words: str, response: str) -> None:
    assert after_a_person(chat, "action_default_fallback", words).said == [response]
