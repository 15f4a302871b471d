"""Bringing friends: the customer's own code, and a friend's code given here."""

from __future__ import annotations

import re
from typing import Any

from rasa_sdk.events import SlotSet

from actions import words
from actions.base import Event, PrivateAction, Turn
from actions.coupons import amount, show_card
from actions.knowledge import say_entry
from actions.terms import terms
from actions.words import line
from rapport.kit.errors import ConflictError, InvalidInputError
from rapport.kit.format import counted, number
from rapport.loyalty.offers.rules import plain_code
from rapport.loyalty.offers.service import Discount
from rapport.loyalty.referrals import service as referrals
from rapport.loyalty.referrals.service import Claim, ReferralError
from rapport.shop.facts import get_facts
from rapport.shop.phrases import fold

# In four languages, without diacritics.
_CODE = re.compile(r"code|codigo|\w*kode|\bcod(?:ul)?\b|link|enlace|\w*lenke")
ENTRY = "refer_friend"  # of knowledge/, for a shop without a program


class ReferFriend(PrivateAction):
    """What bringing a friend gives whom, and the code for it; a friend's code is taken, if it can be."""

    action_name = "action_refer_friend"
    writes = True

    def perform(self, turn: Turn) -> list[Event]:
        if referrals.rule() is None:
            say_entry(turn, ENTRY)
            return [SlotSet("friend_code", None)]
        if turn.customer_id is None and not turn.slot("friend_code") and not _wants_code(turn.text):
            turn.say("utter_referral_how", **_gives(turn))
            return []
        return super().perform(turn)

    def answer_customer(self, turn: Turn, customer_id: int) -> list[Event]:
        given = turn.slot("friend_code")
        own = referrals.code_of(turn.session, customer_id)
        forget: Event = SlotSet("friend_code", None)
        # "My code is FJ-7KQMX2, how does it work?" gives none.
        if given is not None and plain_code(given) != plain_code(own):
            return [forget, *_take(turn, customer_id, given)]
        turn.say("utter_referral", code=own, **_gives(turn))
        return [forget]


def _wants_code(text: str) -> bool:
    """Whether it asks for their own code or link, or is a button; what it gives anyone may know."""
    return text.startswith("/") or bool(_CODE.search(fold(text)))


def _gives(turn: Turn) -> dict[str, Any]:
    """What the friend and the customer get, as the offers stand now."""
    rule, offer = referrals.rule(), referrals.friend_offer(turn.session)
    assert rule is not None
    if offer is None:
        friend = line("friend_nothing", turn.language)
    else:
        kind, minimum = offer.terms.kind, amount(turn, offer.terms.minimum_minor)
        least = "_minimum" if offer.terms.minimum_minor else ""
        what = amount(turn, offer.terms.amount_minor)
        name = "friend_nothing" if kind == "gift" else f"friend_{kind}{least}"
        friend = line(name, turn.language, percent=str(offer.percent), amount=what, minimum=minimum)
    reward = line(
        "friend_reward",
        turn.language,
        points=words.points(rule.points, turn.language),
        days=counted(get_facts().refunds.days, turn.language),
        most=number(rule.per_year, turn.language),
    )
    return {"friend": friend, "reward": reward}


def _take(turn: Turn, customer_id: int, code: str) -> list[Event]:
    try:
        with turn.session.begin_nested():
            claim = referrals.claim(turn.session, code, customer_id, key=f"chat:{turn.message_key}")
    except ReferralError as error:
        turn.say(f"utter_friend_code_{error.reason.value}")
    except (ConflictError, InvalidInputError):
        turn.say("utter_friend_code_unknown")
    else:
        return _welcome(turn, claim)
    return []


def _welcome(turn: Turn, claim: Claim) -> list[Event]:
    if claim.code is None or claim.expires_at is None:
        turn.say("utter_friend_code_noted")
        return []
    given = Discount(
        claim.code,
        claim.percent,
        claim.expires_at,
        claim.minimum_minor,
        False,
        amount_minor=claim.amount_minor,
    )
    said = terms(given, turn.language)
    if claim.percent:
        turn.say("utter_friend_code_percent", code=claim.code, percent=claim.percent, terms=said)
    else:
        off = amount(turn, claim.amount_minor)
        turn.say("utter_friend_code_amount", code=claim.code, amount=off, terms=said)
    return show_card(turn, claim.code, claim.expires_at, claim.percent)
