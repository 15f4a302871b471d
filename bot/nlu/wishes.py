"""Two wishes in one message: "where is my order and how long can I return things?"."""

import re
from dataclasses import dataclass

from bot.nlu.model import IntentModel
from bot.nlu.sentences import SMALL_TALK, SURE, judge
from bot.nlu.text import MAX_CHARS

# Both halves must be understood this surely: a second answer that nobody asked for is worse than none.
BOTH_SURE = 0.8
FEWEST_WORDS = 2
MOST_SPLITS = 10
# Where one wish may end and another begin, in any of the languages ("si" is Romanian without its comma).
_BETWEEN = re.compile(
    r"(?:(?<=[.!?…;])\s+|\n+|,\s+)(?:(?:and|also|plus|but|y|además|pero|og|men|samt|și|si|iar|dar),?\s+)*"
    r"|\s+(?:and|also|plus|but|&|y|además|pero|og|men|samt|și|si|iar|dar)\s+",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
# "Hola," or "Good morning!" at the beginning.
_HELLO = re.compile(r"\s*((?:\w+[ ]){0,2}\w+)\s*[!.,:;…]+\s+")
# Halves that belong together: trouble and what is wanted because of it, and a wish with its own condition.
_TROUBLE = {"complaint", "payment_issue", "registration_problems", "state_interest"}
_ONE_WISH = [
    {"get_refund", "track_refund", "check_refund_policy"},
    {"track_order", "delivery_period"},
    {"ask_points_balance", "delivery_period"},  # "… and when do they run out?"
    {"check_invoice", "get_invoice"},
    {"change_shipping_address", "set_up_shipping_address", "edit_account"},
    {"create_account", "registration_problems", "recover_password"},
    {"ask_product", "place_order", "ask_recommendation"},
    {"set_contact_frequency", "set_channel_preference", "pause_contact", "unsubscribe"},
    {"reorder", "ask_order_history", "place_order"},
    {"bot_challenge", "contact_human_agent", "contact_customer_service"},
    {"ask_data_held", "export_data"},
    {"change_order", "cancel_order", "place_order"},
]


# Answered without asking anything back, so these come before a wish that begins a form.
QUICK = {
    "ask_loyalty_program",
    "ask_product",
    "ask_product_tips",
    "check_cancellation_fee",
    "check_payment_methods",
    "check_refund_policy",
    "contact_customer_service",
    "delivery_options",
    "delivery_period",
    "place_order",
    "state_interest",
}
# These need only know who is asking.
LOOKED_UP = {
    "ask_data_held",
    "ask_order_history",
    "ask_points_balance",
    "check_invoice",
    "track_order",
    "track_refund",
}
# Done at once for whoever is known: staying in touch, offers.
DONE_AT_ONCE = {
    "ask_discount",
    "ask_recommendation",
    "ask_why_offer",
    "newsletter_subscription",
    "pause_contact",
    "refer_friend",
    "set_channel_preference",
    "set_contact_frequency",
    "unsubscribe",
}
PERSON = "contact_human_agent"


@dataclass(frozen=True)
class Wish:
    """What one half of a message wants, and its words."""

    intent: str
    text: str


def two_wishes(model: IntentModel, text: str, first: str) -> tuple[Wish, Wish] | None:
    """The two things `text` wants, in the order to answer them; None in nearly all messages.

    `first` is what the whole was understood as; one of the two is that, unless it was a guess: together they
    may sound like a third thing.
    """
    best: tuple[float, tuple[Wish, Wish]] | None = None
    text = _without_hello(model, text[:MAX_CHARS])
    guessed = bool(text) and _judge(model, text)[1] < SURE
    for between in list(_BETWEEN.finditer(text))[:MOST_SPLITS]:
        halves = text[: between.start()], text[between.end() :]
        if any(len(_WORD.findall(half)) < FEWEST_WORDS for half in halves):
            continue
        judged = [_judge(model, half) for half in halves]
        intents, sure = [intent for intent, _ in judged], min(confidence for _, confidence in judged)
        if sure < BOTH_SURE or _belong_together(*intents) or not (guessed or first in intents):
            continue
        if best is None or sure > best[0]:
            one, other = (Wish(intent, half.strip()) for intent, half in zip(intents, halves, strict=True))
            best = sure, _in_order(one, other)
    return best[1] if best else None


def _without_hello(model: IntentModel, text: str) -> str:
    """`text` after its "Hi there!", which would make either half less sure."""
    hello = _HELLO.match(text)
    if hello is None or _judge(model, hello[1])[0] != "greet":
        return text
    return text[hello.end() :] or text


def in_order(wishes: list[dict[str, str]], known: bool) -> list[dict[str, str]]:
    """Two wishes (their intents and texts) as they are answered when the customer is `known`, or is not.

    Whoever asks for a person beside something else gets both: the person at once, unless what comes before is
    done in the same breath anyway.
    """
    if PERSON not in {wish["intent"] for wish in wishes}:
        return wishes
    at_once = QUICK | (LOOKED_UP | DONE_AT_ONCE if known else set())
    return sorted(
        wishes, key=lambda wish: 1 if wish["intent"] == PERSON else 0 if wish["intent"] in at_once else 2
    )


def _in_order(one: Wish, other: Wish) -> tuple[Wish, Wish]:
    """As they were said, except that what can be answered at once does not wait for a form."""
    return (other, one) if _asks_back(other) < _asks_back(one) else (one, other)


def _asks_back(wish: Wish) -> int:
    if wish.intent in QUICK:
        return 0
    return 1 if wish.intent in LOOKED_UP else 2


def _judge(model: IntentModel, text: str) -> tuple[str, float]:
    confidences, known = judge(model, text)
    number = int(confidences.argmax())
    return model.intents[number], float(confidences[number]) if known else 0.0


def _belong_together(one: str, other: str) -> bool:
    both = {one, other}
    return (
        one == other
        or bool(both & (SMALL_TALK | _TROUBLE))
        or any(name.startswith("inform_") or name == "resend_code" for name in both)
        or any(both <= group for group in _ONE_WISH)
    )
