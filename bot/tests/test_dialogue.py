"""The ways through a conversation, as Rasa's own policy takes them by domain.yml and data/stories/.

Messages come understood already and the actions are stand-ins, so only the dialogue itself is tested here.
"""

import asyncio
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rasa.model_training
from rasa.core.actions.action import RemoteAction
from rasa.core.agent import Agent
from rasa.core.channels.channel import CollectingOutputChannel, UserMessage
from rasa.shared.core.events import (
    ActionExecuted,
    ActionExecutionRejected,
    ActiveLoop,
    BotUttered,
    Event,
    FollowupAction,
    SlotSet,
)
from rasa.shared.core.trackers import DialogueStateTracker

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
recipe: default.v1
language: en
assistant_id: test
pipeline: [{name: KeywordIntentClassifier}]
policies: [{name: RulePolicy}]
"""
PRIVATE = (
    *("action_track_order", "action_points_balance", "action_take_request", "action_explain_offer"),
    *("action_set_channel", "action_set_frequency", "action_pause_contact"),
    *("action_subscribe", "action_unsubscribe"),
)
RIGHT_CODE = "111111"

# A line is a message (intent, then its entities) and what the bot does; "vf" and "cf" are the two forms.
CONVERSATIONS = {
    "an order number outlives verification, but not its answer": """
        track_order order_number=10001    > action_track_order vf: email
        inform_email email=a@example.com  > vf: code
        inform_code code=111111           > vf action_after_verification action_track_order "10001"
        track_order                       > action_track_order ""
        inform_order_number order_number=7 > action_track_order "7"
    """,
    "an address in the question itself": """
        track_order email=a@example.com   > action_track_order vf: code
        inform_code code=111111           > vf action_after_verification action_track_order ""
    """,
    "questions in the middle are answered and the form goes on": """
        track_order                       > action_track_order vf: email
        delivery_options                  > action_delivery_options vf: email
        nlu_fallback                      > utter_form_unclear vf: email
        inform_email                      > utter_email_invalid vf: email
        ask_why_offer                     > utter_why_verify vf: email
        inform_email email=a@example.com  > vf: code
        inform_code                       > utter_form_unclear vf: code
        affirm                            > utter_form_continue vf: code
        resend_code                       > vf: code
        inform_email email=b@example.com  > vf: code
        inform_code code=222222           > vf: code
        inform_code code=111111           > vf action_after_verification action_track_order ""
    """,
    "another private question takes the place of the first": """
        track_order                       > action_track_order vf: email
        ask_points_balance                > action_points_balance vf: email
        inform_email email=a@example.com  > vf: code
        inform_code code=111111           > vf action_after_verification action_points_balance
    """,
    "a code is no order number and an order number no code": """
        track_order                       > action_track_order vf: email
        inform_email email=a@example.com  > vf: code
        track_order order_number=333333 code=333333 > action_track_order vf: code
        inform_code order_number=111111 code=111111 > vf action_after_verification action_track_order "333333"
        inform_code order_number=444444 code=444444 > action_track_order "444444"
        inform_code order_number=55555    > action_track_order "55555"
        resend_code                       > action_after_verification
    """,
    "too many wrong codes end the form": """
        track_order                       > action_track_order vf: email
        inform_email email=a@example.com  > vf: code
        inform_code code=000000           > vf action_after_verification
        track_order                       > action_track_order vf: email
    """,
    "leaving verification": """
        track_order                       > action_track_order vf: email
        deny                              > utter_form_left action_deactivate_loop
        track_order                       > action_track_order vf: email
        goodbye                           > utter_form_left action_deactivate_loop utter_goodbye
        track_order                       > action_track_order vf: email
        contact_human_agent               > action_hand_over action_deactivate_loop
        greet                             > action_greet
    """,
    "products and the shop's knowledge, also in the middle of a form": """
        ask_product product=T1            > action_show_product
        ask_product                       > action_show_product
        ask_product_tips                  > action_product_tips
        ask_recommendation category=tents > action_recommend
        place_order                       > action_answer
        track_order                       > action_track_order vf: email
        recover_password                  > action_answer vf: email
        ask_product category=tents        > action_show_product vf: email
    """,
    "verification without a question": """
        inform_email email=a@example.com  > vf: code
        inform_code code=111111           > vf action_after_verification utter_verified
    """,
    "the wish for a channel is not the address given": """
        set_channel_preference channel=sms > action_set_channel vf: email
        inform_email email=a@example.com channel=email > vf: code
        inform_code code=111111           > vf action_after_verification action_set_channel "sms"
    """,
    "another language, also in a form": """
        change_language requested_language=es > action_change_language utter_language_changed
        change_language                   > action_change_language utter_language_which
        track_order                       > action_track_order vf: email
        change_language requested_language=ro > action_change_language utter_language_changed vf: email
    """,
    "a complaint": """
        complaint                         > cf: complaint_text
        delivery_period                   > action_delivery_period cf: complaint_text
        ask_points_balance                > utter_complaint_first cf: complaint_text
        get_refund                        > cf action_take_complaint "get_refund"
        complaint                         > cf: complaint_text
        deny                              > utter_form_left action_deactivate_loop
        complaint                         > cf: complaint_text
        nlu_fallback                      > cf action_take_complaint "nlu_fallback"
    """,
    "what is no complaint, while one is asked for": """
        complaint                         > cf: complaint_text
        affirm                            > cf: complaint_text
        out_of_scope insult=insult        > cf: complaint_text
        ask_product question=1            > action_show_product cf: complaint_text
        out_of_scope question=1           > action_out_of_scope cf: complaint_text
        track_order question=1            > utter_complaint_first cf: complaint_text
        unsubscribe question=1            > utter_complaint_first cf: complaint_text
        export_data question=1            > utter_complaint_first cf: complaint_text
        resend_code question=1            > utter_form_unclear cf: complaint_text
        deny                              > utter_form_left action_deactivate_loop
        inform_email email=a@example.com  > vf: code
        inform_code code=111111           > vf action_after_verification utter_verified
        complaint                         > cf: complaint_text
        track_order question=1            > action_track_order cf "": complaint_text
        unsubscribe question=1            > action_unsubscribe cf: complaint_text
        delete_account question=1         > utter_complaint_first cf: complaint_text
        resend_code question=1            > utter_form_unclear cf: complaint_text
        inform_code                       > utter_form_unclear cf: complaint_text
        payment_issue                     > cf action_take_complaint "payment_issue"
    """,
    "a request outlives verification, and a code is no order": """
        cancel_order order_number=10001   > action_cancel_order vf: email
        inform_email email=a@example.com  > vf: code
        inform_code code=111111 order_number=111111 > vf action_after_verification \
                                            action_cancel_order rf: request_confirmed
        delivery_period                   > action_delivery_period rf: request_confirmed
        track_order order_number=10005    > action_track_order rf "10005": request_confirmed
        inform_email email=a@example.com  > utter_form_unclear rf: request_confirmed
        nlu_fallback                      > utter_form_unclear rf: request_confirmed
        nlu_fallback insult=fool          > utter_calm rf: request_confirmed
        thank                             > action_thanked rf: request_confirmed
        affirm                            > rf action_take_request "cancel_order 10001"
        cancel_order                      > action_cancel_order rf: request_order
        affirm                            > utter_form_continue rf: request_order
        inform_code                       > utter_form_unclear rf: request_order
        track_order order_number=10002    > rf: request_confirmed
        affirm                            > rf action_take_request "cancel_order 10002"
    """,
    "a change of mind in a request": """
        inform_email email=a@example.com  > vf: code
        inform_code code=111111           > vf action_after_verification utter_verified
        cancel_order order_number=10001   > action_cancel_order rf: request_confirmed
        deny order_number=10002           > rf: request_confirmed
        cancel_order order_number=10003   > action_cancel_order rf: request_confirmed
        inform_order_number order_number=99999 > rf action_take_request ""
        cancel_order order_number=10003   > action_cancel_order rf: request_confirmed
        get_invoice order_number=10004    > action_get_invoice action_take_request "get_invoice 10004"
        bot_challenge                     > utter_bot_challenge
    """,
    "the details of a request": """
        edit_account                      > action_edit_account vf: email
        inform_email email=a@example.com  > vf: code
        inform_code code=111111           > vf action_after_verification \
                                            action_edit_account rf: request_details
        affirm                            > utter_form_continue rf: request_details
        check_refund_policy               > action_refund_policy rf: request_details
        inform_email email=b@example.com  > rf action_take_request "edit_account inform_email"
        change_order order_number=10001   > action_change_order rf: request_details
        change_order                      > rf action_take_request "change_order 10001 change_order"
        change_order order_number=10001   > action_change_order rf: request_details
        set_up_shipping_address           > action_set_up_shipping_address rf: request_details
        nlu_fallback order_number=28013   > rf action_take_request "set_up_shipping_address nlu_fallback"
        change_order order_number=10001   > action_change_order rf: request_details
        complaint                         > cf: complaint_text
    """,
    "leaving a request": """
        inform_email email=a@example.com  > vf: code
        inform_code code=111111           > vf action_after_verification utter_verified
        delete_account                    > action_delete_account rf: request_confirmed
        deny                              > utter_request_left action_deactivate_loop
        delete_account                    > action_delete_account rf: request_confirmed
        goodbye                           > utter_request_left action_deactivate_loop utter_goodbye
        get_refund order_number=10001     > action_get_refund rf: request_details
        contact_human_agent               > action_hand_over action_deactivate_loop
        export_data                       > action_export_data action_take_request "export_data"
        affirm                            > action_affirm
    """,
    "a review": """
        review                            > review: review_text
        delivery_period                   > action_delivery_period review: review_text
        affirm                            > review: review_text
        inform_code                       > utter_form_unclear review: review_text
        track_order                       > utter_review_first review: review_text
        delete_account                    > utter_review_first review: review_text
        out_of_scope insult=insult        > review: review_text
        resend_code question=1            > utter_form_unclear review: review_text
        place_order question=1            > action_answer review: review_text
        pause_contact question=1          > utter_review_first review: review_text
        redeem_points question=1          > utter_review_first review: review_text
        complaint                         > review action_take_review "complaint "
        inform_rating rating=2            > action_rate "2"
        inform_rating                     > action_rate ""
        review rating=5                   > review: review_text
        nlu_fallback                      > review action_take_review "nlu_fallback 5"
        review                            > review: review_text
        inform_rating rating=4            > review action_take_review "inform_rating 4"
        review rating=1                   > review action_take_review "review 1"
    """,
    "leaving a review": """
        review                            > review: review_text
        deny                              > utter_form_left action_deactivate_loop
        review                            > review: review_text
        goodbye                           > utter_form_left action_deactivate_loop utter_goodbye
        review                            > review: review_text
        contact_human_agent               > action_hand_over action_deactivate_loop
        bot_challenge                     > utter_bot_challenge
    """,
    "a verified customer's question in a review": """
        inform_email email=a@example.com  > vf: code
        inform_code code=111111           > vf action_after_verification utter_verified
        review                            > review: review_text
        ask_points_balance                > action_points_balance review: review_text
        unsubscribe                       > action_unsubscribe review: review_text
        cancel_order                      > utter_review_first review: review_text
        ask_product                       > review action_take_review "ask_product "
    """,
    "what is wanted of us outlives verification": """
        pause_contact period=P3M          > action_pause_contact vf: email
        inform_email email=a@example.com  > vf: code
        ask_why_offer                     > utter_why_verify vf: code
        inform_code code=111111           > vf action_after_verification action_pause_contact "P3M"
        pause_contact                     > action_pause_contact ""
        set_contact_frequency frequency=1 > action_set_frequency "1"
        set_contact_frequency             > action_set_frequency ""
        set_channel_preference refused_channel=phone channel=sms > action_set_channel "sms"
        newsletter_subscription           > action_subscribe
        unsubscribe                       > action_unsubscribe
        ask_why_offer                     > action_explain_offer
    """,
    "not understood": """
        out_of_scope                      > action_out_of_scope
        nlu_fallback                      > action_default_fallback
    """,
    "an insult is met calmly, and a question answered as always": """
        greet                             > action_greet
        out_of_scope insult=insult        > utter_calm
        nlu_fallback insult=insult        > utter_calm
        delivery_options insult=insult    > action_delivery_options
        out_of_scope product=FJ-T1        > action_out_of_scope
        track_order insult=insult         > action_track_order vf: email
        out_of_scope insult=insult        > utter_calm vf: email
        nlu_fallback insult=insult        > utter_calm vf: email
        out_of_scope                      > utter_form_unclear vf: email
        deny                              > utter_form_left action_deactivate_loop
        complaint insult=insult           > cf: complaint_text
        nlu_fallback insult=insult        > cf: complaint_text
    """,
    "numbers that nobody asked stars for": """
        inform_email email=a@example.com  > vf: code
        inform_code code=111111           > vf action_after_verification utter_verified
        pause_contact                     > action_pause_contact ""
        inform_rating rating=3 period=P3M > action_rate action_pause_contact "P3M"
        greet                             > action_greet
    """,
}
FORMS = {"verification_form": "vf", "complaint_form": "cf", "request_form": "rf", "review_form": "review"}
# What each request asks for; an order only when none was named.
REQUESTS = {
    "action_cancel_order": ("request_order", "request_confirmed"),
    "action_change_order": ("request_order", "request_details"),
    "action_get_refund": ("request_order", "request_details"),
    "action_set_up_shipping_address": ("request_details",),
    "action_edit_account": ("request_details",),
    "action_delete_account": ("request_confirmed",),
    "action_get_invoice": ("request_order",),
    "action_export_data": (),
}
REQUEST_SLOTS = ("request_order", "request_details", "request_confirmed")
UNFIT_ORDER = "99999"
TOLD = {
    "action_track_order": "order_number",
    "action_set_channel": "channel",
    "action_take_complaint": "complaint_text",
    "action_take_review": "review_text rating",
    "action_rate": "rating",
    "action_pause_contact": "period",
    "action_set_frequency": "frequency",
}


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Agent:
    folder = tmp_path_factory.mktemp("dialogue")
    for part in ("stories", "responses"):  # the examples are not needed and take long to read
        shutil.copytree(ROOT / "data" / part, folder / "data" / part)
    config = folder / "config.yml"
    config.write_text(CONFIG)
    domain, data = str(ROOT / "domain.yml"), str(folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RASA_CACHE_DIRECTORY", str(folder / "cache"))
        model = rasa.model_training.train_core(domain, str(config), data, output=str(folder))
    assert model
    return Agent.load(model)


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    async def run(
        action: RemoteAction, _channel: Any, _nlg: Any, tracker: DialogueStateTracker, *_: Any
    ) -> list[Event]:
        return answer(action.name(), tracker)

    monkeypatch.setattr(RemoteAction, "run", run)
    yield


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_conversation(agent: Agent, name: str) -> None:
    for line in CONVERSATIONS[name].strip().splitlines():
        message, expected = (" ".join(part.split()) for part in re.split(r"\s+> ", line.strip()))
        assert asyncio.run(turn(agent, name, message)) == expected, message


async def turn(agent: Agent, conversation: str, message: str) -> str:
    """What the bot does: its actions, what the last one told, and the slot asked for."""
    processor, channel = agent.processor, CollectingOutputChannel()
    assert processor
    tracker = await processor.fetch_tracker_and_update_session(conversation, channel)
    before = len(tracker.events)
    intent, *pairs = message.split()
    entities: dict[str, Any] = dict(pair.split("=") for pair in pairs)
    entities.update(language=tracker.get_slot("language"), verified=is_verified(tracker))
    user = UserMessage(intent, channel, conversation)
    user.parse_data = {
        "text": intent,
        "intent": {"name": intent, "confidence": 1.0},
        "entities": [{"entity": name, "value": value} for name, value in entities.items()],
    }
    await processor._handle_message_with_tracker(user, tracker)
    tracker = await processor.run_action_extract_slots(channel, tracker)
    await processor._run_prediction_loop(channel, tracker)
    await processor.save_tracker(tracker)
    new = list(tracker.events)[before:]
    done = [event.action_name for event in new if isinstance(event, ActionExecuted)]
    told = [f'"{event.text}"' for event in new if isinstance(event, BotUttered) and "told" in event.metadata]
    words = [FORMS.get(name, name) for name in done if name not in ("action_listen", "action_extract_slots")]
    asked = tracker.get_slot("requested_slot")
    return " ".join(words + told) + (f": {asked}" if tracker.active_loop_name else "")


def answer(name: str, tracker: DialogueStateTracker) -> list[Event]:
    """What the real actions do, as far as the dialogue depends on it."""
    if (name in PRIVATE or name in REQUESTS) and not is_verified(tracker):
        return [SlotSet("pending_action", name), FollowupAction("verification_form")]
    if name == "action_rate" and "period" in (named := entities_of(tracker)):
        return [SlotSet("period", named["period"]), FollowupAction("action_pause_contact")]
    if name in TOLD:
        slots = TOLD[name].split()
        known = [tracker.get_slot(slot) or "" for slot in slots]
        told = " ".join(value[-1] if isinstance(value, list) else value for value in known)
        return [BotUttered(told, metadata={"told": True}), *forget(*slots)]
    if name in REQUESTS:
        return begin(name, tracker)
    if name == "action_take_request":
        known = [tracker.get_slot(slot) for slot in ("request", "request_order", "request_details")]
        told = BotUttered(" ".join(filter(None, known)), metadata={"told": True})
        return [told, *forget("request", *REQUEST_SLOTS)]
    if name == "validate_request_form":
        return check_request(tracker)
    if name == "validate_verification_form":
        return [event for slot, value in just_set(tracker) for event in check(slot, value)]
    if name == "validate_complaint_form":
        return check_told(tracker, "complaint_text")
    if name == "validate_review_form":
        return check_review(tracker)
    if name == "action_after_verification":
        pending = tracker.get_slot("pending_action") or "utter_verified"
        done = forget("email", "code", "pending_action")
        right = tracker.get_slot("code") == RIGHT_CODE
        return [*done, SlotSet("verified", True), FollowupAction(pending)] if right else done
    if name == "action_change_language":
        wanted = tracker.get_slot("requested_language")
        return [SlotSet("language", wanted)] if wanted else [FollowupAction("utter_language_which")]
    return []


def begin(name: str, tracker: DialogueStateTracker) -> list[Event]:
    """As actions/requests.py: the slots that are asked for are None, the others are filled."""
    slots: dict[str, str | None] = {slot: None if slot in REQUESTS[name] else "" for slot in REQUEST_SLOTS}
    slots["request"] = name.removeprefix("action_")
    if slots["request_order"] is None:
        slots["request_order"] = tracker.get_slot("order_number") or None
    events = [SlotSet(slot, value) for slot, value in slots.items()]
    if None in slots.values():
        return [*events, FollowupAction("request_form")]
    return [*events, ActiveLoop(None), SlotSet("requested_slot", None), FollowupAction("action_take_request")]


def check_review(tracker: DialogueStateTracker) -> list[Event]:
    """As actions/reviews.py; one star stands for stars that were asked for, and no opening is a review."""
    if tracker.get_slot("requested_slot") is None and tracker.get_slot("rating") == "1":
        return [SlotSet("review_text", tracker.latest_message.text)]
    return check_told(tracker, "review_text")


def check_told(tracker: DialogueStateTracker, slot: str) -> list[Event]:
    """As actions/service.py; `question` stands for a question of its own, and an insult is never more."""
    filled, named = dict(just_set(tracker)).get(slot), entities_of(tracker)
    if not filled:
        return []
    if "question" in named:
        form = slot.replace("_text", "_form")
        return [SlotSet(slot, None), ActionExecutionRejected(form)]
    return [SlotSet(slot, None if filled == "yes" or "insult" in named else filled)]


def entities_of(tracker: DialogueStateTracker) -> dict[str, str]:
    return {entity["entity"]: entity["value"] for entity in tracker.latest_message.entities}


def check_request(tracker: DialogueStateTracker) -> list[Event]:
    """As actions/request_form.py: a wish of another kind is no description, and no number in one an order."""
    filled = dict(just_set(tracker))
    asked, wish = tracker.get_slot("requested_slot"), tracker.latest_message.intent_name
    if asked not in REQUEST_SLOTS:
        return []
    if filled.get("request_details") and wish in (
        "set_up_shipping_address",
        "complaint",
        "check_refund_policy",
    ):
        return [SlotSet("request_details", None), ActionExecutionRejected("request_form")]
    if filled.get("request_order") == UNFIT_ORDER:
        return forget("request", "request_order", "requested_slot")
    if "request_details" in filled:
        filled["request_order"] = filled.get("request_order") and ""
    return [
        SlotSet(slot, value) for slot, value in filled.items() if slot in REQUEST_SLOTS and value is not None
    ]


def is_verified(tracker: DialogueStateTracker) -> bool:
    """What the app knows. The slot may lag behind: a form that begins reads the message's metadata again."""
    return any(
        isinstance(event, SlotSet) and event.key == "verified" and event.value for event in tracker.events
    )


def check(slot: str, value: str) -> list[Event]:
    if slot == "code" and value == "000000":
        return forget("email", "code", "requested_slot")
    right = slot == "email" or value == RIGHT_CODE
    return [SlotSet(slot, value if right else None)] if slot in ("email", "code") else []


def forget(*slots: str) -> list[Event]:
    return [SlotSet(slot, None) for slot in slots]


def just_set(tracker: DialogueStateTracker) -> Iterator[tuple[str, Any]]:
    """The slots set since the last action, which are those to validate."""
    for event in reversed(list(tracker.events)):
        if isinstance(event, ActionExecuted):
            return
        if isinstance(event, SlotSet):
            yield event.key, event.value
