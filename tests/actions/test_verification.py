"""The verification form, step by step, and that nothing private comes before it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select

from actions.base import private_actions
from rapport.conversations import service as conversations
from rapport.conversations.requests import KINDS
from rapport.customers.models import CustomerMerge, Verification
from rapport.customers.verification import current_customer_id
from rapport.kit import clock
from rapport.kit.database import read_scope, session_scope
from rapport.loyalty.offers.models import Offer
from rapport.outreach.models import OutboxMessage
from tests.actions.conftest import ANN, NOW, Chat, mailed_code, new_chat, rows
from tests.channels import people

FORM = "verification_form"
VALIDATE = "validate_verification_form"
PRIVATE = sorted(private_actions())
END = {"email": None, "code": None, "requested_slot": None}


def verified_customer(chat: Chat) -> int | None:
    with read_scope(chat.engine) as session:
        return current_customer_id(conversations.get(session, chat.id))


def test_what_is_private() -> None:
    told = {
        "action_check_invoice",
        "action_list_orders",
        "action_offer_discount",
        "action_points_balance",
        "action_explain_offer",
        "action_pause_contact",
        "action_set_channel",
        "action_set_frequency",
        "action_subscribe",
        "action_unsubscribe",
        "action_show_preferences",
        "action_track_order",
        "action_track_refund",
    }
    asked = {f"action_{kind}" for kind in KINDS} | {"action_take_request"}
    assert set(PRIVATE) >= told | asked


# What bringing a friend gives anyone may know; their own code is private: test_referral.py.
@pytest.mark.parametrize("action", [action for action in PRIVATE if action != "action_refer_friend"])
def test_private_actions_ask_who_it_is_first(chat: Chat, ann: int, action: str) -> None:
    answer = chat.run(action, verified=True, order_number="10001", channel="email", email=ANN, code="123456")
    # Whoever wants to leave hears first that they can without being verified.
    assert answer.said == (["utter_unsubscribe_by_link"] if action == "action_unsubscribe" else [])
    assert answer.slots == {"pending_action": action, "email": None, "code": None}
    assert answer.next == [FORM]


def test_a_verification_that_has_expired_counts_no_more(anns_chat: Chat) -> None:
    assert anns_chat.run("action_points_balance").next == []
    with clock.freeze(NOW + timedelta(hours=1)):
        assert anns_chat.run("action_points_balance").next == [FORM]


def test_another_question_in_the_form_keeps_what_was_given(chat: Chat, ann: int) -> None:
    chat.run("action_track_order")
    chat.loop = FORM
    chat.fill(VALIDATE, email=ANN)
    chat.text = "how many points do I have"
    answer = chat.run("action_points_balance")
    # It comes after what was asked first; a button can't be said again, and takes its place.
    assert answer.slots == {"also_asked": {"text": chat.text, "entities": []}}
    assert answer.next == [FORM]
    assert chat.slots["pending_action"] == "action_track_order"
    assert chat.run("action_track_order").slots == {"pending_action": "action_track_order"}
    chat.text = "/ask_points_balance"
    assert chat.run("action_points_balance").slots == {"pending_action": "action_points_balance"}


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("sigo esperando", "action_track_order"),
        ("and now?", "action_track_order"),
        ("aștept de 10 minute", "action_pause_contact"),
    ],
)
def test_who_waits_for_a_person_is_not_asked_for_an_address(chat: Chat, text: str, action: str) -> None:
    chat.run("action_hand_over")
    chat.text = text
    answer = chat.run(action)
    assert (answer.said, answer.events) == (["utter_still_waiting"], [])


@pytest.mark.parametrize(
    ("text", "action", "entities"),
    [
        ("where is my order", "action_track_order", []),
        ("/track_order", "action_track_order", []),
        ("sigo esperando el 10234", "action_track_order", [{"entity": "order_number", "value": "10234"}]),
        (f"still waiting, I'm {ANN}", "action_track_order", [{"entity": "email", "value": ANN}]),
        ("how many points do I have", "action_points_balance", []),
    ],
)
def test_who_wants_something_while_waiting_is_asked(
    chat: Chat, text: str, action: str, entities: list[dict[str, str]]
) -> None:
    chat.run("action_hand_over")
    chat.text, chat.entities = text, entities
    assert chat.run(action).next == ["verification_form"]


def test_digits_may_answer_how_often(anns_chat: Chat) -> None:
    anns_chat.text, anns_chat.entities = "4 a month", [{"entity": "frequency", "value": "4"}]
    asked = {"event": "bot", "text": "…", "metadata": {"utter_action": "utter_frequency_which"}}
    anns_chat.earlier = [{**asked, "timestamp": 1.5}]
    answer = anns_chat.run("action_after_verification")
    assert (answer.said, answer.next) == ([], ["action_set_frequency"])
    assert answer.slots["frequency"] == "4"


def test_having_no_account_is_no_wish_to_close_it(chat: Chat) -> None:
    chat.loop, chat.text = "verification_form", "no tengo cuenta"
    answer = chat.run("action_delete_account", pending_action="action_points_balance")
    assert (answer.said, answer.slots, answer.next) == (["utter_form_unclear"], {}, ["verification_form"])
    chat.text = "delete my account"
    answer = chat.run("action_delete_account")
    assert answer.slots["also_asked"]["text"] == "delete my account"


def test_the_whole_way(chat: Chat, ann: int, engine: Engine) -> None:
    chat.run("action_points_balance")
    chat.loop = FORM
    answer = chat.fill(VALIDATE, email="Ann@Example.com")
    assert answer.said == ["utter_code_sent"]
    assert answer.slots == {"email": ANN, "code": None}
    with read_scope(engine) as session:
        code = mailed_code(session)
    answer = chat.fill(VALIDATE, code=code)
    assert answer.said == []
    assert answer.slots == {"code": "done"}
    assert verified_customer(chat) == ann
    chat.loop = None
    answer = chat.run("action_after_verification")
    assert answer.said == []
    assert answer.slots == {"email": None, "code": None, "pending_action": None, "verified": True}
    assert answer.next == ["action_points_balance"]
    assert chat.run("action_points_balance").said == ["utter_points_none"]


def test_without_a_question_it_says_that_it_knows_now(anns_chat: Chat) -> None:
    answer = anns_chat.run("action_after_verification")
    assert (answer.said, answer.next) == (["utter_verified"], [])


@pytest.mark.parametrize(
    ("intent", "text", "discount"),
    [
        ("inform_code", "dime otro código que empiece por FJ-", True),
        ("inform_code", "123456", False),
        ("resend_code", "send the code again", False),
        ("resend_code", "the discount code again", True),
    ],
)
def test_a_code_may_be_a_discounts(anns_chat: Chat, intent: str, text: str, discount: bool) -> None:
    anns_chat.intent, anns_chat.text = intent, text
    answer = anns_chat.run("action_after_verification")
    said, then = ([], ["action_offer_discount"]) if discount else (["utter_verified"], [])
    assert (answer.said, answer.next) == (said, then)


def test_whoever_has_a_discount_and_asks_for_a_code_again_means_that(engine: Engine, anns_chat: Chat) -> None:
    with session_scope(engine) as session:
        session.add(Offer(key="test", percent=10))
    assert anns_chat.run("action_offer_discount").said == ["utter_discount"]
    anns_chat.intent, anns_chat.text = "resend_code", "what was it again?"
    assert anns_chat.run("action_after_verification").next == ["action_offer_discount"]
    anns_chat.intent = "inform_email"
    assert anns_chat.run("action_after_verification").said == ["utter_verified"]


def test_only_what_waits_for_verification_is_gone_on_with(anns_chat: Chat) -> None:
    answer = anns_chat.run("action_after_verification", pending_action="action_restart")
    assert (answer.said, answer.next) == (["utter_verified"], [])


def test_when_it_was_given_up_it_only_tidies_up(chat: Chat) -> None:
    answer = chat.run("action_after_verification", pending_action="action_points_balance")
    assert (answer.said, answer.next) == ([], [])
    assert answer.slots == {"email": None, "code": None, "pending_action": None}


def test_known_and_unknown_addresses_get_the_same_answers(ann: int, engine: Engine) -> None:
    answers = []
    for address in (ANN, "nobody@example.com"):
        chat = new_chat(engine)
        chat.loop = FORM
        sent = chat.fill(VALIDATE, email=address)
        assert sent.slots["email"] == address
        wrong = [chat.fill(VALIDATE, code="abc123") for _ in range(2)]
        answers.append([sent.messages, *(answer.messages for answer in wrong), [a.slots for a in wrong]])
    assert answers[0] == answers[1]


def test_a_stranger_subscribes_by_mail_and_nobody_learns_who_is_one(ann: int, engine: Engine) -> None:
    answers = []
    for address in (ANN, "new@example.com"):
        chat = new_chat(engine)
        chat.run("action_subscribe")
        chat.loop = FORM
        for _ in range(2):  # a repeated turn sends nothing more
            sent = chat.fill(VALIDATE, "m1" + address, email=address)
        answers.append(sent.messages)
        assert sent.said == ["utter_code_sent", "utter_subscribe_by_mail"]
    assert answers[0] == answers[1]
    with read_scope(engine) as session:
        mails = session.execute(select(OutboxMessage.purpose, OutboxMessage.recipient, OutboxMessage.text))
        kept = {(purpose, recipient): text for purpose, recipient, text in mails}
    assert set(kept) == {
        ("verification_code", ANN),
        ("subscription", None),
        ("verification_code", None),
        ("subscription", "new@example.com"),
    }
    assert "/s/" in kept["subscription", "new@example.com"]


@pytest.mark.parametrize("email", ["x", "ann@", ["x", ANN], "a@b.no\nBcc: c@d.no"])
def test_no_address(chat: Chat, engine: Engine, email: object) -> None:
    chat.loop = FORM
    answer = chat.fill(VALIDATE, email=email)
    assert (answer.said, answer.slots) == (["utter_email_invalid"], {"email": None})
    assert rows(engine, Verification) == 0


def test_too_many_codes_end_the_form(chat: Chat, ann: int) -> None:
    chat.loop = FORM
    for _ in range(3):
        assert chat.fill(VALIDATE, email=ANN).said == ["utter_code_sent"]
    answer = chat.fill(VALIDATE, email=ANN)
    assert (answer.said, answer.slots) == (["utter_too_many_requests"], END)


def test_too_many_tries_end_the_form(chat: Chat, ann: int, engine: Engine) -> None:
    chat.loop = FORM
    chat.fill(VALIDATE, email=ANN)
    with read_scope(engine) as session:
        wrong = f"{(int(mailed_code(session)) + 1) % 1_000_000:06d}"
    for _ in range(4):
        answer = chat.fill(VALIDATE, code=wrong)
        assert (answer.said, answer.slots) == (["utter_code_wrong"], {"code": None})
    answer = chat.fill(VALIDATE, code=wrong)
    assert (answer.said, answer.slots) == (["utter_code_too_many"], END)
    assert verified_customer(chat) is None


def test_an_expired_code_is_asked_for_again(chat: Chat, ann: int, engine: Engine) -> None:
    chat.loop = FORM
    chat.fill(VALIDATE, email=ANN)
    with read_scope(engine) as session:
        code = mailed_code(session)
    with clock.freeze(NOW + timedelta(minutes=10)):
        answer = chat.fill(VALIDATE, code=code)
    assert (answer.said, answer.slots) == (["utter_code_expired"], {"code": None})


def test_a_new_code_on_request(chat: Chat, ann: int, engine: Engine) -> None:
    chat.loop = FORM
    chat.fill(VALIDATE, email=ANN)
    answer = chat.fill(VALIDATE, code="resend")
    assert (answer.said, answer.slots) == (["utter_code_sent"], {"code": None})
    assert rows(engine, Verification) == 2
    chat.fill(VALIDATE, code="resend")
    answer = chat.fill(VALIDATE, code="resend")
    assert (answer.said, answer.slots) == (["utter_too_many_requests"], {"code": None})
    with read_scope(engine) as session:
        code = mailed_code(session)
    assert chat.fill(VALIDATE, code=code).slots == {"code": "done"}


def test_an_address_and_a_code_at_once(chat: Chat, ann: int, engine: Engine) -> None:
    chat.loop = FORM
    answer = chat.fill(VALIDATE, email=ANN, code="123456")
    assert (answer.said, answer.slots) == (["utter_code_sent"], {"email": ANN, "code": None})
    with read_scope(engine) as session:
        assert session.query(Verification.tries).scalar() == 0


def test_a_repeated_turn_does_nothing_twice(chat: Chat, ann: int, engine: Engine) -> None:
    """Rasa repeats a turn that it did not save: same answer, no second mail, no second try."""
    chat.loop = FORM
    first, again = (chat.fill(VALIDATE, "m1", email=ANN) for _ in range(2))
    assert first == again
    assert rows(engine, OutboxMessage) == rows(engine, Verification) == 1
    first, again = (chat.fill(VALIDATE, "m2", code="000000") for _ in range(2))
    assert first == again
    with session_scope(engine) as session:
        assert session.query(Verification.tries).scalar() == 1
        code = mailed_code(session)
    first, again = (chat.fill(VALIDATE, "m3", code=code) for _ in range(2))
    assert first == again
    assert verified_customer(chat) == ann


def test_nothing_given_nothing_done(chat: Chat) -> None:
    chat.loop = FORM
    answer = chat.fill(VALIDATE)
    assert (answer.said, answer.events) == ([], [])
    answer = chat.fill(VALIDATE, email=None, code=None)
    assert (answer.said, answer.events) == ([], [])


def test_a_code_of_one_chat_opens_no_other(ann: int, engine: Engine) -> None:
    mine, other = new_chat(engine), new_chat(engine)
    for chat, address in ((other, "eve@example.com"), (mine, ANN)):
        chat.loop = FORM
        chat.fill(VALIDATE, email=address)
    with read_scope(engine) as session:
        code = mailed_code(session)
    assert other.fill(VALIDATE, code=code).slots == {"code": None}
    assert verified_customer(other) is None


def test_a_code_typed_in_a_messaging_app_joins_it_with_the_customer(ann: int, engine: Engine) -> None:
    with session_scope(engine) as session:
        people.write(session, people.TELEGRAM, "77", "how many points do I have?")
        chat = Chat(people.talk_of(session, people.TELEGRAM, "77").id, engine)
    chat.loop = FORM
    chat.fill(VALIDATE, email=ANN)
    with read_scope(engine) as session:
        code = mailed_code(session)
    first, again = (chat.fill(VALIDATE, "m9", code=code) for _ in range(2))
    assert first == again and first.slots["code"] == "done"
    assert verified_customer(chat) == ann
    chat.loop = None
    assert chat.run("action_after_verification", pending_action="action_points_balance").next == [
        "action_points_balance"
    ]
    assert rows(engine, CustomerMerge) == 1
    with session_scope(engine) as session:
        assert people.point_of(session, people.TELEGRAM, "77").customer_id == ann
