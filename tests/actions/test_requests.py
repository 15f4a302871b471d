"""Requests to the shop's people, from the first word to the case, on both databases and in four languages.

`Talk` does what Rasa's form does between the actions: it fills the slot asked for, has it checked, asks on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from actions.requests import SLOTS, WITHOUT_CASE
from rapport.cases.models import Case
from rapport.conversations.requests import KINDS
from rapport.customers import service as customers
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.kit.languages import LANGUAGES
from rapport.shop.models import ORDER_STATUSES, Order, Product, ProductText, Refund
from tests.actions.conftest import NOW, Answer, Chat, new_chat, rows
from tests.actions.test_topics import an_order

EVERY_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)
ADDRESS = "Storgata 5, 0155 Oslo"
DETAILS = {
    "change_order": "size M instead of L",
    "change_shipping_address": ADDRESS,
    "set_up_shipping_address": ADDRESS,
    "get_refund": "the tarp leaks",
    "edit_account": "my phone is 41 23 45 67",
}


@dataclass
class Talk:
    """One conversation with the form. `said` are the responses of the last message."""

    chat: Chat
    said: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    buttons: list[dict[str, str]] = field(default_factory=list)
    rejected: bool = False
    key: str | None = None

    def begin(self, kind: str, text: str = "please", order: str | None = None) -> None:
        """The customer asks for something."""
        self._hear(kind, text)
        self._run(f"action_{kind}", order_number=order or "")

    def reply(self, text: str, intent: str | None = None, order: str | None = None) -> None:
        """They say something while a slot is asked for; `order` is the number found in it."""
        asked, intent = self.chat.slots["requested_slot"], intent or self.chat.slots["request"]
        self._hear(intent, text)
        filled = {"request_order": order} if order else {}
        if asked == "request_details" and intent not in ("deny", "affirm"):
            filled["request_details"] = text
        if asked == "request_confirmed" and intent == "affirm":
            filled["request_confirmed"] = "yes"
        self._note(self.chat.fill("validate_request_form", self.key, **filled))
        self.chat.slots = {**self.chat.slots, **{k: v for k, v in filled.items() if k not in self._set}}
        if self.rejected:
            return
        self._next()

    def _hear(self, intent: str, text: str) -> None:
        self.said, self.texts, self.buttons, self.rejected = [], [], [], False
        before = [{"event": "slot", "name": name, "value": self.chat.slots.get(name)} for name in SLOTS]
        if self.chat.text != "hello":
            parse = {"intent": {"name": self.chat.intent}}
            said = {"event": "user", "text": self.chat.text, "parse_data": parse}
            self.chat.earlier += [said, *before]
        self.chat.intent, self.chat.text = intent, text

    def _run(self, action: str, **slots: Any) -> None:
        self._note(self.chat.run(action, self.key, **slots))

    def _note(self, answer: Answer) -> None:
        self.said += answer.said
        self.texts += answer.texts(self.chat.slots["language"])
        self.buttons += [button for message in answer.messages for button in message["buttons"]]
        self.rejected = any(event["event"] == "action_execution_rejected" for event in answer.events)
        self._set = answer.slots
        if answer.next == ["request_form"]:
            self.chat.loop = "request_form"
            self._next()
        elif answer.next == ["action_take_request"]:
            self.chat.loop = None
            self._run("action_take_request")

    def _next(self) -> None:
        if self.chat.slots["request"] is None:  # the form was ended
            self._end()
            return
        asked = next((name for name in SLOTS if self.chat.slots[name] is None), None)
        self.chat.slots["requested_slot"] = asked
        if asked is None:
            self._end()
        else:
            self._run(f"action_ask_{asked}")

    def _end(self) -> None:
        self.chat.loop = self.chat.slots["requested_slot"] = None
        self._run("action_take_request")


@pytest.fixture
def talk(anns_chat: Chat) -> Talk:
    anns_chat.slots["requested_slot"] = None
    return Talk(anns_chat)


def cases(engine: Engine) -> list[Case]:
    with read_scope(engine) as session:
        found = list(session.scalars(select(Case).order_by(Case.id)))
        session.expunge_all()
    return found


def on_sale(engine: Engine, **fields: Any) -> None:
    with session_scope(engine) as session:
        product = Product(sku="sku-1", **{"price_minor": 70000, "currency": "NOK", **fields})
        product.texts = [ProductText(language=x, name=f"Vidda {x}") for x in LANGUAGES]
        session.add(product)


@EVERY_LANGUAGE
@pytest.mark.parametrize("kind", sorted(KINDS.keys() - WITHOUT_CASE))
def test_each_request_leads_to_one_case(
    engine: Engine, talk: Talk, ann: int, kind: str, language: str
) -> None:
    talk.chat.slots["language"] = language
    an_order(engine, ann, status="delivered" if kind == "get_refund" else "paid")
    on_sale(engine)
    talk.begin(kind)
    if KINDS[kind].details:
        assert talk.said == [f"utter_request_details_{kind}"]
        talk.reply(DETAILS[kind])
    if KINDS[kind].confirm:
        assert talk.said == [f"utter_request_confirm_{kind}"]
        talk.reply("yes", "affirm")
    assert talk.said == [f"utter_requested_{kind}"]
    [case] = cases(engine)
    about = "FJ10001" if KINDS[kind].statuses else None
    assert (case.kind, case.topic, case.order_number) == ("request", kind, about)
    assert (case.customer_id, case.text) == (ann, DETAILS.get(kind, "please"))
    assert str(case.id) in talk.texts[0]
    assert "None" not in talk.texts[0]
    assert [talk.chat.slots[name] for name in (*SLOTS, "order_number")] == [None] * 5


@EVERY_LANGUAGE
def test_which_order_is_asked_with_buttons(engine: Engine, talk: Talk, ann: int, language: str) -> None:
    talk.chat.slots["language"] = language
    for number in range(7):
        an_order(engine, ann, f"FJ-{10000 + number}", status="paid", placed_at=NOW - timedelta(days=number))
    an_order(engine, ann, "FJ-9", status="delivered", placed_at=NOW + timedelta(days=1))
    talk.begin("cancel_order")
    assert talk.said == ["utter_request_which_cancel_order"]
    payloads = [json.loads(button["payload"].removeprefix("/inform_order_number")) for button in talk.buttons]
    assert payloads == [{"order_number": f"FJ-{10000 + number}"} for number in range(5)]
    assert all(len(button["title"]) <= 24 and "2026" in button["title"] for button in talk.buttons)
    talk.reply("/inform_order_number", "inform_order_number", order="10003")
    assert talk.said == ["utter_request_confirm_cancel_order"]
    assert "FJ-10003" in talk.texts[0]
    talk.reply("ok", "affirm")
    assert cases(engine)[0].order_number == "FJ-10003"


def test_a_long_number_is_a_button_without_its_date(engine: Engine, talk: Talk, ann: int) -> None:
    for number in ("WEB-2026-000000000001", "WEB-2026-000000000002"):
        an_order(engine, ann, number, status="paid")
    talk.begin("get_invoice")
    assert {button["title"] for button in talk.buttons} == {"WEB-2026-000000000001", "WEB-2026-000000000002"}


@EVERY_LANGUAGE
def test_an_order_that_is_not_fit(engine: Engine, talk: Talk, ann: int, language: str) -> None:
    talk.chat.slots["language"] = language
    for status in ORDER_STATUSES:
        an_order(engine, ann, f"FJ-{status}", status=status)
    late = {"cancel_order", "change_order", "change_shipping_address"}
    for kind in late:
        for status in ("shipped", "delivered"):
            talk.begin(kind, order=f"FJ-{status}")
            assert talk.said == [f"utter_request_too_late_{kind}"]
            assert f"FJ-{status}" in talk.texts[0]
    for kind in (*late, "get_refund"):
        for status in ("cancelled", "refunded"):
            talk.begin(kind, order=f"FJ-{status}")
            assert talk.said == [f"utter_request_order_{status}"]
    for status in ("placed", "paid"):
        talk.begin("get_refund", order=f"FJ-{status}")
        assert talk.said == ["utter_request_order_unsent"]
    assert cases(engine) == []


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        ("cancel_order", "shipped", "utter_request_too_late_cancel_order"),
        ("change_order", "cancelled", "utter_request_order_cancelled"),
        ("get_refund", "placed", "utter_request_order_unsent"),
        ("get_refund", "paid", "utter_request_order_unsent"),
    ],
)
def test_no_order_is_fit(engine: Engine, talk: Talk, ann: int, kind: str, status: str, said: str) -> None:
    talk.begin(kind)
    assert talk.said == ["utter_no_orders"]
    an_order(engine, ann, status=status)
    talk.begin(kind)
    assert talk.said == [said]


def test_anothers_order_is_as_unknown_as_none(engine: Engine, talk: Talk, ann: int) -> None:
    with session_scope(engine) as session:
        bob = customers.ensure_customer(session, identities=[("email", "bob@example.com")]).id
    an_order(engine, bob, "FJ777", status="paid")
    answers = []
    for number in ("FJ777", "FJ888"):
        talk.begin("cancel_order", order=number)
        assert talk.said == ["utter_order_not_found"]
        answers.append(talk.texts[0].replace(number, "…"))
    assert answers[0] == answers[1]
    for action in ("action_check_invoice", "action_track_refund"):
        assert talk.chat.run(action, order_number="FJ777").said == ["utter_order_not_found"]
        assert talk.chat.slots["order_number"] is None


def test_a_wrong_number_is_asked_again(engine: Engine, talk: Talk, ann: int) -> None:
    for number in ("FJ-10001", "FJ-10002"):
        an_order(engine, ann, number, status="paid")
    talk.begin("change_order")
    talk.reply("10009", "inform_order_number", order="10009")
    assert talk.said == ["utter_order_not_found", "utter_request_which_change_order"]
    talk.reply("10002", "inform_order_number", order="10002")
    assert talk.said == ["utter_request_details_change_order"]


def test_a_change_of_mind(engine: Engine, talk: Talk, ann: int) -> None:
    for number in ("FJ-10001", "FJ-10002"):
        an_order(engine, ann, number, status="paid")
    an_order(engine, ann, "FJ-10003", status="shipped")
    talk.begin("cancel_order", order="10001")
    talk.reply("no, order 10002", "deny", order="10002")
    assert talk.said == ["utter_request_confirm_cancel_order"]
    assert "FJ-10002" in talk.texts[0]
    talk.reply("yes, and 10001", "affirm", order="10001")  # the yes is for which of them?
    assert talk.said == ["utter_request_confirm_cancel_order"]
    assert "FJ-10001" in talk.texts[0]
    talk.reply("no, 10003", "deny", order="10003")
    assert talk.said == ["utter_request_too_late_cancel_order"]
    assert talk.chat.loop is None
    assert cases(engine) == []


@pytest.mark.parametrize(
    ("text", "said", "opened"),
    [
        ("sí, cancélalo", "utter_requested_cancel_order", 1),
        ("ya no me hace falta, cancélalo", "utter_requested_cancel_order", 1),
        ("ikke kanseller den", "utter_request_left", 0),
        ("no, cancélalo", "utter_request_yes_or_no", 0),
        ("/cancel_order", "utter_request_confirm_cancel_order", 0),
    ],
)
def test_saying_it_again_is_a_yes(
    engine: Engine, talk: Talk, ann: int, text: str, said: str, opened: int
) -> None:
    an_order(engine, ann, status="paid")
    talk.begin("cancel_order")
    talk.begin("cancel_order", text)
    assert talk.said == [said]
    assert rows(engine, Case) == opened


@pytest.mark.parametrize(
    ("text", "intent", "said", "opened"),
    [
        ("nu-mi mai trebuie, anulați", "deny", ["utter_requested_cancel_order"], 1),
        ("anulează-o odată!", "deny", ["utter_requested_cancel_order"], 1),
        ("cancel", "deny", ["utter_request_yes_or_no", "utter_request_confirm_cancel_order"], 0),
        ("no, cancel it", "deny", ["utter_request_yes_or_no", "utter_request_confirm_cancel_order"], 0),
        ("yes, don't cancel", "affirm", ["utter_request_yes_or_no", "utter_request_confirm_cancel_order"], 0),
    ],
)
def test_a_yes_taken_for_a_no(
    engine: Engine, talk: Talk, ann: int, text: str, intent: str, said: list[str], opened: int
) -> None:
    an_order(engine, ann, status="paid")
    talk.begin("cancel_order")
    talk.reply(text, intent)
    assert talk.said == said
    assert rows(engine, Case) == opened


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("nei, behold den", "change_order"),
        ("nu, o păstrez", "ask_product_tips"),
        ("nei, ikke kanseller den likevel!", "cancel_order"),
    ],
)
def test_a_no_taken_for_a_wish(engine: Engine, talk: Talk, ann: int, text: str, intent: str) -> None:
    for number in ("FJ-10001", "FJ-10002"):
        an_order(engine, ann, number, status="paid")
    for order in ("FJ-10001", None):  # a yes is asked for, or which order
        talk.begin("cancel_order", order=order)
        talk.reply(text, intent)
        assert (talk.said, talk.chat.loop) == (["utter_request_left"], None)
    assert cases(engine) == []


def test_taking_a_request_back(engine: Engine, talk: Talk, ann: int) -> None:
    an_order(engine, ann, status="paid")
    talk.begin("cancel_order")
    talk.reply("yes", "affirm")
    talk.begin("cancel_order", "jeg vil ikke kansellere likevel")
    assert talk.said == ["utter_request_take_back"]


@pytest.mark.parametrize(("text", "number"), [("la última", "FJ-10000"), ("den andre", "FJ-10001")])
def test_an_order_by_its_place(engine: Engine, talk: Talk, ann: int, text: str, number: str) -> None:
    for place in range(3):
        an_order(engine, ann, f"FJ-{10000 + place}", status="paid", placed_at=NOW - timedelta(days=place))
    talk.begin("get_invoice")
    talk.reply(text, "nlu_fallback")
    assert talk.said == ["utter_requested_get_invoice"]
    assert cases(engine)[0].order_number == number


def test_the_last_order_is_the_newest(engine: Engine, talk: Talk, ann: int) -> None:
    an_order(engine, ann, "FJ-10001", status="paid", placed_at=NOW - timedelta(days=2))
    an_order(engine, ann, "FJ-10002", status="shipped")
    talk.begin("get_invoice", "la última factura")
    assert cases(engine)[0].order_number == "FJ-10002"
    talk.begin("cancel_order", "cancel my last order")
    assert talk.said == ["utter_request_too_late_cancel_order"]


def test_saying_it_of_another_order_is_no_yes(engine: Engine, talk: Talk, ann: int) -> None:
    for number in ("FJ-10001", "FJ-10002"):
        an_order(engine, ann, number, status="paid")
    talk.begin("cancel_order", order="10001")
    talk.begin("cancel_order", "yes, cancel 10002", order="10002")
    assert talk.said == ["utter_request_confirm_cancel_order"]
    assert "FJ-10002" in talk.texts[0]
    talk.begin("cancel_order", "yes, cancel 10002", order="10002")
    assert cases(engine)[0].order_number == "FJ-10002"


def test_a_change_of_mind_while_details_are_asked(engine: Engine, talk: Talk, ann: int) -> None:
    for number in ("FJ-10001", "FJ-10002"):
        an_order(engine, ann, number, status="paid")
    talk.begin("change_order", order="10001")
    talk.reply("I meant 10002", order="10002")
    assert talk.said == ["utter_request_details_change_order"]
    assert "FJ-10002" in talk.texts[0]
    talk.reply("10009", order="10009")
    assert talk.said == ["utter_order_not_found", "utter_request_which_change_order"]
    talk.reply("10002", "inform_order_number", order="10002")
    talk.reply("add what I had in order 10001, please", order="10001")
    [case] = cases(engine)
    assert (case.order_number, case.text) == ("FJ-10002", "add what I had in order 10001, please")


def test_a_postcode_is_no_order(engine: Engine, talk: Talk, ann: int) -> None:
    an_order(engine, ann, "FJ-10001", status="paid")
    for address in ("Calle Mayor 3, 28013 Madrid", "calle toledo 4, 28013 madrid"):
        talk.begin("change_shipping_address")
        talk.reply(address, order="28013")
        assert talk.said == ["utter_requested_change_shipping_address"]
    talk.begin("edit_account")
    talk.reply("41234567", order="41234567")
    assert talk.said == ["utter_requested_edit_account"]
    assert [case.order_number for case in cases(engine)] == ["FJ-10001", "FJ-10001", None]


@pytest.mark.parametrize("number", ["28005", ["FJ-10001", "28005"], ["28005", "FJ-10001"]])
def test_a_postcode_told_at_once_is_no_order(engine: Engine, talk: Talk, ann: int, number: Any) -> None:
    an_order(engine, ann, "FJ-10001", status="paid")
    talk._hear("change_shipping_address", "mandadlo mejor a Calle Toledo 4, 28005 Madrid")
    talk._run("action_change_shipping_address", order_number=number)
    assert talk.said == ["utter_requested_change_shipping_address"]
    assert cases(engine)[0].order_number == "FJ-10001"


@pytest.mark.parametrize("intent", ["change_shipping_address", "nlu_fallback", "out_of_scope"])
def test_three_words_are_no_address(engine: Engine, talk: Talk, ann: int, intent: str) -> None:
    an_order(engine, ann, status="paid")
    talk.begin("change_shipping_address")
    talk.reply("a casa de mi madre", intent)
    assert talk.said == ["utter_request_address_short", "utter_request_details_change_shipping_address"]
    talk.chat.entities = [{"entity": "insult", "value": "imbécil"}]
    talk.reply("eres imbécil", intent)
    assert talk.rejected is (intent != "change_shipping_address")
    assert cases(engine) == []


def test_a_topic_in_the_middle_is_answered(engine: Engine, talk: Talk, ann: int) -> None:
    an_order(engine, ann, status="paid")
    talk.begin("set_up_shipping_address")
    talk.chat.entities = [{"entity": "topic", "value": "gift_cards"}]
    talk.reply("do you have gift cards?", "out_of_scope")
    assert not talk.rejected
    assert talk.said[-1] == "utter_request_details_set_up_shipping_address"
    assert len(talk.said) == 2


@pytest.mark.parametrize("intent", ["change_order", "get_invoice"])
def test_another_order_meant_understood_as_a_request(
    engine: Engine, talk: Talk, ann: int, intent: str
) -> None:
    for number in ("FJ-10001", "FJ-10002"):
        an_order(engine, ann, number, status="delivered")
    talk.begin("get_refund", order="FJ-10001")
    talk.chat.entities = [{"entity": "order_number", "value": "10002"}]
    talk.reply("sorry, I meant order 10002", intent)
    assert talk.said == ["utter_request_details_get_refund"]
    assert "FJ-10002" in talk.texts[0]
    assert talk.chat.slots["order_number"] is None


def test_the_words_of_one_of_two_wishes(engine: Engine, talk: Talk, ann: int) -> None:
    an_order(engine, ann, status="delivered")
    message = "I'd like a refund for my order and also please tell me your phone number"
    wishes = [{"intent": "get_refund", "text": "I'd like a refund for my order"}]
    parse = {"intent": {"name": "get_refund"}, "wishes": wishes}
    talk.chat.earlier.append({"event": "user", "text": message, "parse_data": parse})
    talk.chat.intent = "inform_code"
    talk._run("action_get_refund")
    assert talk.said == ["utter_request_details_get_refund"]


@EVERY_LANGUAGE
def test_details_that_say_nothing_are_asked_again(
    engine: Engine, talk: Talk, ann: int, language: str
) -> None:
    talk.chat.slots["language"] = language
    an_order(engine, ann, status="paid")
    talk.begin("change_order")
    talk.reply("M")
    assert talk.said == ["utter_request_details_short", "utter_request_details_change_order"]
    talk.reply("ann@example.com", "inform_email")
    assert talk.said == ["utter_form_unclear", "utter_request_details_change_order"]
    talk.begin("set_up_shipping_address")
    talk.reply("Oslo")
    assert talk.said == ["utter_request_address_short", "utter_request_details_set_up_shipping_address"]
    assert cases(engine) == []


def test_a_new_address_by_mail_is_a_detail_of_the_account(engine: Engine, talk: Talk) -> None:
    talk.begin("edit_account")
    talk.reply("ann@new.example", "inform_email")
    assert cases(engine)[0].text == "ann@new.example"


def test_another_wish_is_not_taken_for_details(engine: Engine, talk: Talk, ann: int) -> None:
    an_order(engine, ann, status="paid")
    talk.begin("set_up_shipping_address")
    talk.reply("in fact I want my money back", "get_refund")
    assert talk.rejected
    assert (talk.said, talk.chat.slots["request_details"]) == ([], None)
    assert cases(engine) == []


def test_what_was_told_at_once_is_not_asked(engine: Engine, talk: Talk, ann: int) -> None:
    an_order(engine, ann, "FJ-10001", status="paid")
    message = "change my address for order 10001 to Storgata 5, Oslo"
    talk.begin("change_shipping_address", message, order="10001")
    assert talk.said == ["utter_requested_change_shipping_address"]
    assert cases(engine)[0].text == message


def test_what_was_told_before_verification_is_not_asked_after_it(
    engine: Engine, talk: Talk, ann: int
) -> None:
    an_order(engine, ann, status="delivered")
    story = "I want my money back because the zip broke on the very first night"
    parse = {"intent": {"name": "get_refund"}}
    talk.chat.earlier.append({"event": "user", "text": story, "parse_data": parse})
    talk.chat.intent, talk.chat.text = "inform_code", "111111"
    talk._run("action_get_refund")
    assert talk.said == ["utter_requested_get_refund"]
    assert cases(engine)[0].text == story


def test_a_button_tells_nothing(engine: Engine, talk: Talk, ann: int) -> None:
    an_order(engine, ann, "FJ-10001", status="delivered")
    payload = '/get_refund{"order_number": "FJ-10001", "a": "b c d e f g h i j k l"}'
    talk.begin("get_refund", payload, order="FJ-10001")
    assert talk.said == ["utter_request_details_get_refund"]


def test_an_address_without_an_open_order_is_for_the_next_ones(engine: Engine, talk: Talk, ann: int) -> None:
    an_order(engine, ann, status="shipped")
    talk.begin("change_shipping_address")
    assert talk.said == ["utter_request_no_open_order", "utter_request_details_set_up_shipping_address"]
    talk.reply(ADDRESS)
    assert cases(engine)[0].topic == "set_up_shipping_address"


@EVERY_LANGUAGE
def test_the_same_again_at_todays_prices(engine: Engine, talk: Talk, ann: int, language: str) -> None:
    talk.chat.slots["language"] = language
    an_order(engine, ann, "FJ-1", placed_at=NOW - timedelta(days=9), status="cancelled")
    talk.begin("reorder")
    assert talk.said == ["utter_reorder_none"]
    on_sale(engine)
    an_order(engine, ann, "FJ-2", status="delivered")
    talk.begin("reorder")
    assert talk.said == ["utter_request_confirm_reorder"]
    assert "FJ-2" in talk.texts[0]
    assert f"Vidda {language}" in talk.texts[0]
    assert "400" in talk.texts[0]  # two for 700 each


@pytest.mark.parametrize("fields", [{"stock": 1}, {"currency": "EUR"}])
def test_nothing_of_it_can_be_had(engine: Engine, talk: Talk, ann: int, fields: dict[str, Any]) -> None:
    an_order(engine, ann)
    on_sale(engine, **fields)
    talk.begin("reorder")
    assert talk.said == ["utter_reorder_none"]
    assert "2 × Vidda en" in talk.texts[0]


@EVERY_LANGUAGE
def test_part_of_it_can_be_had(engine: Engine, talk: Talk, ann: int, language: str) -> None:
    talk.chat.slots["language"] = language
    an_order(engine, ann)
    with session_scope(engine) as session:
        order = session.scalars(select(Order)).one()
        item = order.items[0]
        gone = type(item)(line=2, sku="gone", description="Old lamp", quantity=1, unit_price_minor=100)
        order.items.append(gone)
    on_sale(engine, stock=2)
    talk.begin("reorder")
    assert talk.said == ["utter_request_confirm_reorder_part"]
    assert "1 × Old lamp" in talk.texts[0]


@EVERY_LANGUAGE
def test_what_is_lost_with_an_account_is_told(engine: Engine, talk: Talk, ann: int, language: str) -> None:
    talk.chat.slots["language"] = language
    an_order(engine, ann, status="delivered", placed_at=NOW - timedelta(days=60))
    talk.begin("delete_account")
    assert "129" in talk.texts[0]


@EVERY_LANGUAGE
def test_the_same_request_is_not_opened_twice(engine: Engine, talk: Talk, ann: int, language: str) -> None:
    talk.chat.slots["language"] = language
    for number in ("FJ-1001", "FJ-1002"):
        an_order(engine, ann, number, status="paid")
    talk.begin("get_invoice", order="FJ-1001")
    first = cases(engine)[0]
    talk.begin("get_invoice", order="FJ-1001")
    assert talk.said == ["utter_request_open"]
    assert str(first.id) in talk.texts[0]
    assert "2026" in talk.texts[0]
    talk.begin("get_invoice", order="FJ-1002")
    assert talk.said == ["utter_requested_get_invoice"]
    talk.begin("get_invoice")
    talk.reply("1001", "inform_order_number", order="1001")
    assert (talk.said, talk.chat.loop) == (["utter_request_open"], None)
    with session_scope(engine) as session:
        for case in session.scalars(select(Case)):
            case.resolved_at = clock.now()
    talk.begin("get_invoice", order="FJ-1001")
    assert talk.said == ["utter_requested_get_invoice"]


def test_other_details_are_another_request(engine: Engine, talk: Talk, ann: int) -> None:
    an_order(engine, ann, status="paid")
    for details, said in (
        ("size M", "utter_requested_change_order"),
        ("one more tarp", "utter_requested_change_order"),
        ("size M", "utter_request_open"),
    ):
        talk.begin("change_order")
        talk.reply(details)
        assert talk.said == [said]
    assert rows(engine, Case) == 2


@pytest.mark.parametrize("kind", ["get_invoice", "export_data"])
def test_a_repeated_turn_says_the_same(engine: Engine, talk: Talk, ann: int, kind: str) -> None:
    an_order(engine, ann, status="paid")
    talk.key = "m1"
    answers = []
    for _ in range(2):
        talk.begin(kind)
        answers.append((talk.said, talk.texts))
    assert answers[0] == answers[1]
    assert rows(engine, Case) == 1


def test_one_message_may_ask_for_two_things(engine: Engine, talk: Talk, ann: int) -> None:
    an_order(engine, ann, status="paid")
    talk.key = "m1"
    talk.begin("get_invoice")
    talk.begin("export_data")
    assert [case.topic for case in cases(engine)] == ["get_invoice", "export_data"]


def test_an_order_that_was_sent_meanwhile(engine: Engine, talk: Talk, ann: int) -> None:
    an_order(engine, ann, status="paid")
    talk.begin("cancel_order")
    with session_scope(engine) as session:
        session.scalars(select(Order)).one().status = "shipped"
    talk.reply("yes", "affirm")
    assert talk.said == ["utter_request_too_late_cancel_order"]
    assert cases(engine) == []


def test_a_request_is_not_taken_without_what_it_needs(engine: Engine, talk: Talk, ann: int) -> None:
    an_order(engine, ann, status="paid")
    known = {"request": "cancel_order", "request_order": "FJ10001", "request_details": ""}
    answer = talk.chat.run("action_take_request", **known, request_confirmed=None)
    assert (answer.said, answer.next) == ([], ["request_form"])
    assert cases(engine) == []


def test_verification_that_ran_out_in_the_middle(engine: Engine, ann: int) -> None:
    an_order(engine, ann, "FJ-1", status="paid")
    chat = new_chat(engine)
    chat.loop = "request_form"
    chat.slots |= {"request": "cancel_order", "request_order": "FJ-1", "requested_slot": "request_confirmed"}
    for action in ("action_ask_request_order", "action_ask_request_confirmed"):
        answer = chat.run(action)
        assert (answer.said, answer.next) == ([], ["verification_form"])
        assert answer.slots["pending_action"] == "action_cancel_order"
        assert answer.slots["order_number"] == "FJ-1"
    assert chat.run("action_take_request").slots["pending_action"] == "action_take_request"
    chat.earlier = [{"event": "slot", "name": "request_order", "value": "FJ-1"}]
    answer = chat.fill("validate_request_form", request_order="FJ-2")
    assert (answer.said, answer.slots) == ([], {"request_order": "FJ-1"})


def test_another_request_takes_the_place_of_one_in_progress(engine: Engine, talk: Talk, ann: int) -> None:
    an_order(engine, ann, status="paid")
    talk.begin("cancel_order")
    answer = talk.chat.run("action_export_data")
    assert {"event": "active_loop", "name": None, "timestamp": None} in answer.events
    assert (answer.slots["request"], answer.slots["requested_slot"]) == ("export_data", None)


@EVERY_LANGUAGE
def test_what_an_order_came_to(engine: Engine, anns_chat: Chat, ann: int, language: str) -> None:
    assert anns_chat.run("action_check_invoice", language=language).said == ["utter_no_orders"]
    an_order(engine, ann, "FJ-1", placed_at=NOW - timedelta(days=9))
    an_order(engine, ann, "FJ-2")
    answer = anns_chat.run("action_check_invoice")
    assert (answer.said, answer.messages[0]["number"]) == (["utter_invoice"], "FJ-2")
    [text] = answer.texts(language)
    assert "Tarp 3x3: 2 × " in text
    for amount in ("649", "299"):
        assert amount in text
    refund(engine, ann, "FJ-1", 5000)
    answer = anns_chat.run("action_check_invoice", order_number="fj1")
    assert (answer.said, answer.slots) == (["utter_invoice_part_refunded"], {"order_number": None})
    assert "50" in answer.texts(language)[0]


@EVERY_LANGUAGE
def test_where_money_paid_back_stays(engine: Engine, talk: Talk, ann: int, language: str) -> None:
    talk.chat.slots["language"] = language
    for number in ("FJ-1001", "FJ-1002"):
        an_order(engine, ann, number, status="delivered")
    assert talk.chat.run("action_track_refund").said == ["utter_no_refund"]
    refund(engine, ann, "FJ-1001", 5000)
    talk.begin("get_refund", order="FJ-1002")
    talk.reply("the tarp leaks")
    answer = talk.chat.run("action_track_refund")
    assert answer.said == ["utter_refunds", "utter_refund_waiting"]
    paid, waiting = answer.texts(language)
    assert "FJ-1001" in paid
    assert "50" in paid
    assert "FJ-1002" in waiting
    assert str(cases(engine)[0].id) in waiting
    assert talk.chat.run("action_track_refund", order_number="1001").said == ["utter_refunds"]
    assert talk.chat.run("action_track_refund", order_number="1002").said == ["utter_refund_waiting"]


def test_refunds_of_others_are_not_told(engine: Engine, anns_chat: Chat, ann: int) -> None:
    with session_scope(engine) as session:
        bob = customers.ensure_customer(session, identities=[("email", "bob@example.com")]).id
    an_order(engine, bob, "FJ-9")
    refund(engine, bob, "FJ-9", 5000)
    assert anns_chat.run("action_track_refund").said == ["utter_no_refund"]


def refund(engine: Engine, customer_id: int, number: str, amount_minor: int) -> None:
    with session_scope(engine) as session:
        order = session.scalars(select(Order).where(Order.number == number)).one()
        session.add(
            Refund(
                order_id=order.id,
                customer_id=customer_id,
                source="test",
                reference=number,
                amount_minor=amount_minor,
                currency="NOK",
                at=NOW,
            )
        )
