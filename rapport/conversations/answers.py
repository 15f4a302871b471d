"""What somebody said to an open question ("what happened?", "what do you think?"). Pure.

Not every message in between is an answer: people swear, sigh, ask something else, or ask for a moment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from rapport.conversations.rules import WORDS_OF_A_STORY

Answer = Literal["story", "insult", "short", "question"]

NOT_UNDERSTOOD = frozenset({"nlu_fallback", "out_of_scope"})
FEWEST_OF_VAGUE = 4
SHORTEST = 2  # letters
ABOUT_PRODUCTS = frozenset({"ask_product", "ask_product_tips", "ask_recommendation", "state_interest"})
# Wishes of their own. In a longer message they are mostly part of what is told, and misunderstood.
WISHES = frozenset(
    {
        *("newsletter_subscription", "unsubscribe", "set_contact_frequency", "pause_contact"),
        *("create_account", "delete_account", "recover_password", "switch_account", "export_data"),
        *("place_order", "get_invoice", "set_up_shipping_address", "check_cancellation_fee"),
        *("redeem_points", "refer_friend", "ask_why_offer", "resend_code"),
    }
)
QUESTION = re.compile(r"\?[\s.!]*\Z|\A\W*(?:where|d[oó]nde|hvor|unde)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """`wishes` are none of its answers, `vague` ones only in four words, the others in `fewest`; what is
    understood as one of `told_as` is an answer even with a question mark, unless the shop's files answer it.
    """

    wishes: frozenset[str]
    vague: frozenset[str]
    told_as: frozenset[str]
    fewest: int


COMPLAINT = Asked(
    wishes=WISHES | ABOUT_PRODUCTS,
    vague=NOT_UNDERSTOOD
    | {"cancel_order", "change_order", "change_shipping_address", "edit_account", "check_invoice"}
    | {"inform_order_number", "inform_rating", "reorder"},
    told_as=frozenset({"complaint", "get_refund", "payment_issue", "review"}),
    fewest=2,
)
REVIEW = Asked(
    wishes=WISHES,
    vague=frozenset({"out_of_scope"}),
    told_as=frozenset({"complaint", "review", "inform_rating"}),
    fewest=1,
)


def understood(asked: Asked, text: str, intent: str, insulted: bool = False, topic: bool = False) -> Answer:
    """What `text` is, understood as `intent`: a story, or an insult, too short, a question of its own.

    `topic`: it names something the shop's own files answer.
    """
    words = sum(any(letter.isalpha() for letter in word) for word in text.split())
    if words >= WORDS_OF_A_STORY:
        return "story"
    if sum(letter.isalpha() for letter in text) < SHORTEST:
        return "short"
    if insulted and intent in NOT_UNDERSTOOD:
        return "insult"
    if intent in asked.wishes or ((topic or intent not in asked.told_as) and QUESTION.search(text)):
        return "question"
    if words >= (FEWEST_OF_VAGUE if intent in asked.vague else asked.fewest):
        return "story"
    return "insult" if insulted else "short"
