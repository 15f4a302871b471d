"""Codes as they are told to a customer: what one gives, its terms, its card. All of it from the ledger."""

from __future__ import annotations

import re
from datetime import datetime

from rasa_sdk.events import SlotSet

from actions.base import Event, Turn
from actions.terms import terms
from rapport.kit.format import money
from rapport.loyalty.offers.rules import CODE_GROUP_LENGTH, CODE_GROUPS
from rapport.loyalty.offers.service import Discount
from rapport.shop import service as shop
from rapport.shop.facts import get_facts


def coupon_code(text: str, prefix: str) -> str | None:
    """The first code of a coupon in a text, as it was typed."""
    group = rf"[A-Z0-9]{{{CODE_GROUP_LENGTH}}}"
    found = re.search(
        rf"(?<![\w-]){re.escape(prefix)}-{'-'.join([group] * CODE_GROUPS)}(?![\w-])", text, re.IGNORECASE
    )
    return found[0] if found else None


def amount(turn: Turn, minor: int) -> str:
    """Money of the shop in the customer's language."""
    return money(minor, get_facts().currency, turn.language)


def tell_discount(turn: Turn, discount: Discount) -> list[Event]:
    """Says the code with what it gives, and shows its card."""
    said = terms(discount, turn.language)
    again = discount.again
    if discount.kind == "percent":
        response = "utter_discount_again" if again else "utter_discount"
        turn.say(response, percent=discount.percent, code=discount.code, terms=said)
    elif discount.kind == "gift":
        response = "utter_discount_gift_again" if again else "utter_discount_gift"
        gift = shop.topic_name(turn.session, discount.gift_sku or "", turn.language) or discount.gift_sku
        turn.say(response, gift=gift, code=discount.code, terms=said)
    else:
        response = "utter_discount_amount_again" if again else "utter_discount_amount"
        turn.say(response, amount=amount(turn, discount.amount_minor), code=discount.code, terms=said)
    return show_card(turn, discount.code, discount.expires_at, discount.percent)


def show_card(turn: Turn, code: str, expires_at: datetime, percent: int = 0) -> list[Event]:
    """The code to copy. It is the one meant when "this code" is asked about afterwards."""
    card = {"type": "coupon", "code": code, "expires": expires_at.isoformat()}
    turn.card({**card, "percent": percent} if percent else card)
    return [SlotSet("told_code", code)]
